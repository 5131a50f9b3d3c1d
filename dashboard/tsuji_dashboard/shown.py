"""What areas can be coloured by, in the order and the groups of the chooser: figures, and derived ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tsuji_dashboard.texts import Lang, text, unit_label
from tsuji_platform.analytics.derived import DERIVED, DerivedFigure
from tsuji_platform.analytics.estimate import ESTIMATED
from tsuji_platform.analytics.figures import FIGURES, FOOTFALL_PROPERTIES, Figure

DEFAULT_FIGURE = "footfall"
_MADE_OF = {
    "percent_of_typical": FOOTFALL_PROPERTIES,
    "level_of_service": ("pedestrian_density", *FOOTFALL_PROPERTIES),
    "wbgt": ("air_temperature", "relative_humidity", "solar_irradiance", "wind_speed"),
    "pm2_5_day_mean": ("pm2_5",),
}
"""Derived figures that colour the map, with the observed properties that they are made of."""
_GROUPS = {
    "people": ("percent_of_typical", "level_of_service", "footfall", "pedestrian_density"),
    "weather": (
        "air_temperature", "wbgt", "rainfall", "wind_speed", "wind_from_direction",
        "relative_humidity", "air_pressure", "solar_irradiance", "illuminance",
    ),
    "environment": ("pm2_5", "pm2_5_day_mean", "sound_level"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A figure as maps and panels show it.

    Attributes:
        id: as in the API.
        figure: what it is there.
        derived: whether it is one of the derived figures.
        properties: the observed properties that it is made of.
        estimates: whether it may be made of what stands near by.
        newest: whether a sensor's newest value is one of it, too.
    """

    id: str
    figure: Figure | DerivedFigure
    derived: bool
    properties: tuple[str, ...]
    estimates: bool
    newest: bool

    def label(self, lang: Lang) -> str:
        """What it is called."""
        return self.figure.label_ja if lang == "ja" else self.figure.label

    def unit(self, lang: Lang) -> str:
        """Its unit as the reader writes it."""
        return unit_label(self.figure.unit_label, lang)


def _shown(name: str) -> Shown:
    if name in _MADE_OF:
        derived = DERIVED[name]
        return Shown(
            id=name,
            figure=derived,
            derived=True,
            properties=_MADE_OF[name],
            estimates=derived.weather,
            newest=False,
        )
    figure = FIGURES[name]
    return Shown(
        id=name,
        figure=figure,
        derived=False,
        properties=figure.properties,
        estimates=name in ESTIMATED,
        newest=figure.over_time is None,
    )


SHOWN: Mapping[str, Shown] = MappingProxyType(
    {name: _shown(name) for names in _GROUPS.values() for name in names}
)
"""All of them by id, in order."""


def choices(lang: Lang) -> list[dict[str, object]]:
    """The chooser's groups."""
    return [
        {
            "group": text(f"figures.{group}", lang),
            "items": [{"value": name, "label": SHOWN[name].label(lang)} for name in names],
        }
        for group, names in _GROUPS.items()
    ]
