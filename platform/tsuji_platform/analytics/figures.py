"""The figures that areas are coloured by: what each is made of and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation

WINDOW = timedelta(hours=1)
"""Counts and rain are totals of the hour that ends now (of a thing whose clock runs ahead, with its
newest observation); other figures use no older observation."""

FOOTFALL_PROPERTIES = ("pedestrians_in", "pedestrians_out", "pedestrians")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of an area.

    Attributes:
        id: the observed property's id, or `footfall`, which is made of several.
        label: English name.
        label_ja: Japanese name.
        unit: UCUM.
        unit_label: the unit as people write it.
        over_things: how the things of an area combine.
        over_time: how observations of one thing combine over `WINDOW`; None takes the newest.
        decimals: digits after the point that the sensors warrant.
        properties: the observed properties that it is made of.
        method: one English sentence, shown beside the figure.
        method_ja: the same in Japanese.
    """

    id: str
    label: str
    label_ja: str
    unit: str
    unit_label: str
    over_things: Aggregation
    over_time: Aggregation | None
    decimals: int
    properties: tuple[str, ...]
    method: str
    method_ja: str


_OVER_THINGS = {
    Aggregation.MEAN: ("Mean", "平均"),
    Aggregation.CIRCULAR_MEAN: ("Circular mean", "方位平均"),
    Aggregation.MAXIMUM: ("Highest", "最大"),
    Aggregation.SUM: ("Sum", "合計"),
}
_DECIMALS = {
    "relative_humidity": 0,
    "wind_from_direction": 0,
    "solar_irradiance": 0,
    "illuminance": 0,
    "sound_level": 0,
    "pedestrian_density": 2,
}


def _newest(property_id: str) -> Figure:
    known = OBSERVED_PROPERTIES[property_id]
    english, japanese = _OVER_THINGS[known.aggregation]
    return Figure(
        id=known.id,
        label=known.label,
        label_ja=known.label_ja,
        unit=known.unit,
        unit_label=known.unit_label,
        over_things=known.aggregation,
        over_time=None,
        decimals=_DECIMALS.get(known.id, 1),
        properties=(known.id,),
        method=f"{english} of the newest observation of each thing in the area, none older than 60 minutes.",
        method_ja=f"エリア内の各機器の最新観測値(60分以内)の{japanese}。",
    )


_FIGURES = (
    Figure(
        id="footfall",
        label="People counted in one hour",
        label_ja="1時間の通行人数",
        unit="{person}",
        unit_label="people/h",
        over_things=Aggregation.SUM,
        over_time=Aggregation.SUM,
        decimals=0,
        properties=FOOTFALL_PROPERTIES,
        method="Sum of all counts, both ways, of all counters in the area whose period ended within "
        "the last 60 minutes. Counts over a period longer than 60 minutes are left out. A person who "
        "passes two counters is counted twice.",
        method_ja="直近60分に終わる計数期間の、エリア内の全カウンターの通行人数(両方向)の合計。"
        "60分を超える期間の計数は含まない。2か所を通った人は2回数えられる。",
    ),
    _newest("air_temperature"),
    _newest("relative_humidity"),
    Figure(
        id="rainfall",
        label="Rain in one hour",
        label_ja="1時間降水量",
        unit="mm",
        unit_label="mm/h",
        over_things=Aggregation.MEAN,
        over_time=Aggregation.SUM,
        decimals=1,
        properties=("rainfall",),
        method="Total of each gauge over the last 60 minutes; mean of the gauges in the area.",
        method_ja="各雨量計の直近60分の合計の、エリア内平均。",
    ),
    _newest("wind_speed"),
    _newest("wind_from_direction"),
    _newest("air_pressure"),
    _newest("solar_irradiance"),
    _newest("illuminance"),
    _newest("pm2_5"),
    _newest("sound_level"),
    _newest("pedestrian_density"),
)

FIGURES: Mapping[str, Figure] = MappingProxyType({f.id: f for f in _FIGURES})
"""Every figure by id, in the order in which a chooser shows them."""
