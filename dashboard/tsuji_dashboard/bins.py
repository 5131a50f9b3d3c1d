"""The colours of the map: one fixed table of bins per figure, the only source for server and browser.

Fixed limits, never quantiles of the moment: a colour means the same at noon and at night, here and in
the next ward. The palettes are colour-blind-safe: ColorBrewer's (Brewer, www.ColorBrewer.org) and, on
dark maps, matplotlib's inferno and plasma; wind direction goes round a circle and has a cyclic one.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tsuji_dashboard.texts import Lang, text
from tsuji_platform.analytics.congestion import LEVELS

_YLORRD = ("#ffffcc", "#ffeda0", "#fed976", "#feb24c", "#fd8d3c", "#fc4e2a", "#e31a1c", "#b10026")
_RDYLBU = (
    "#4575b4", "#74add1", "#abd9e9", "#e0f3f8", "#ffffbf", "#fee090", "#fdae61", "#f46d43", "#d73027",
)  # fmt: skip
_GNBU = ("#f7fcf0", "#ccebc5", "#a8ddb5", "#7bccc4", "#43a2ca", "#0868ac")
_RAIN = (
    "#eff3ff", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#084594", "#6a51a3", "#3f007d",
)  # fmt: skip
_RAIN_WORDS = (
    "rain.none", None, None, None,
    "rain.somewhat_heavy", "rain.heavy", "rain.intense", "rain.very_intense", "rain.extreme",
)  # fmt: skip
_BUPU = ("#edf8fb", "#bfd3e6", "#9ebcda", "#8c96c6", "#8856a7", "#810f7c")
_CYCLIC = (
    "#3b6fb6", "#3f9dbf", "#4fb59b", "#8fbf5a", "#d9b441", "#dd8447", "#c4587a", "#8258a8",
)  # fmt: skip
_INFERNO = ("#3b0f6b", "#6a176e", "#932667", "#bc3754", "#dd513a", "#f37819", "#fca50a", "#f6d746")
_PLASMA = ("#3d1a8f", "#7e03a8", "#b12a90", "#d8576b", "#f48849", "#fcce25")
_RAIN_DARK = (
    "#13304f", "#174a7c", "#1f66ad", "#2f86d1", "#56a8e8", "#8cc8f5", "#c3e4ff", "#d9bfff", "#ff9bf0",
)  # fmt: skip
_YLORBR = ("#ffffe5", "#fff7bc", "#fee391", "#fec44f", "#ec7014", "#8c2d04")
_RDPU = ("#feebe2", "#fcc5c0", "#fa9fb5", "#f768a1", "#c51b8a", "#7a0177")
_ORRD = ("#fef0d9", "#fdd49e", "#fdbb84", "#fc8d59", "#e34a33", "#b30000")
_PUOR = (
    "#542788", "#8073ac", "#b2abd2", "#d8daeb", "#fdf3c9", "#fee0b6", "#fdb863", "#e08214", "#b35806",
)  # fmt: skip
_PUOR_DARK = (
    "#c9beff", "#9a8be6", "#6f62b8", "#4b4782", "#465360", "#6b4c1f", "#a8701c", "#dd952b", "#ffc266",
)  # fmt: skip
_HEAT = ("#abd9e9", "#fee090", "#f46d43", "#a50026")
_HEAT_DARK = ("#3a6ea5", "#c9a227", "#f37819", "#ff5c8a")
_FINE = ("#feebe2", "#fbb4b9", "#f768a1", "#7a0177")
_FINE_DARK = (_PLASMA[1], _PLASMA[2], _PLASMA[4], _PLASMA[5])
_PUBUGN = ("#f6eff7", "#bdc9e1", "#67a9cf", "#1c9099", "#016c59")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """How one figure is coloured.

    Attributes:
        edges: ascending limits; bin i holds edges[i-1] <= value < edges[i], the first and the last
            are open.
        colours: one per bin, light theme.
        dark: the same for the dark theme, where more must be brighter, not darker.
        words: text keys, one per bin, where an authority has named the band.
        low: text key that says what the low end means.
        high: text key that says what the high end means.
        note: text key of a remark under the legend.
        whole: whether values are whole numbers, so that 100-299 is said rather than 100-300.
        names: what stands instead of limits where values are places in a list, such as levels.
        turns: whether values are degrees of the compass, 45° to a bin, the first about north.
    """

    edges: tuple[float, ...]
    colours: tuple[str, ...]
    dark: tuple[str, ...] = ()
    words: tuple[str | None, ...] = ()
    low: str = "legend.less"
    high: str = "legend.more"
    note: str | None = None
    whole: bool = False
    turns: bool = False
    names: tuple[str, ...] = ()

    def index(self, value: float) -> int:
        """The number of the bin that holds `value`."""
        if self.turns:
            return int(((value + 22.5) % 360) // 45)
        return bisect_right(self.edges, value)

    def palette(self, theme: str) -> tuple[str, ...]:
        """The colours for a theme, `light` or `dark`."""
        return self.dark if theme == "dark" and self.dark else self.colours

    def labels(self, lang: Lang) -> list[str]:
        """What the legend says beside each colour."""
        if self.turns:
            return [text(f"compass.{i}", lang) for i in range(len(self.colours))]
        if self.names:
            return list(self.names)
        shown = [f"{edge:,.10g}".replace("-", "−") for edge in self.edges]
        middle = []
        for i in range(1, len(self.edges)):
            upper = f"{self.edges[i] - 1:,.10g}" if self.whole else shown[i]
            middle.append(shown[i - 1] if shown[i - 1] == upper else f"{shown[i - 1]}–{upper}")
        first = (
            "0" if self.whole and self.edges[0] == 1 else text("bin.below", lang, limit=shown[0])
        )
        return [first, *middle, text("bin.from", lang, limit=shown[-1])]


_PER_FIGURE = {
    "percent_of_typical": Bins(
        edges=(25, 50, 75, 90, 110, 125, 150, 200),
        colours=_PUOR,
        dark=_PUOR_DARK,
        low="usual_band.quieter_than_usual",
        high="usual_band.busier_than_usual",
        note="typical.note",
    ),
    "level_of_service": Bins(
        edges=(2, 3, 4, 5, 6),
        colours=_ORRD,
        dark=_INFERNO[1:7],
        names=tuple(level.id for level in LEVELS),
        words=tuple(f"level.{level.id}" for level in LEVELS),
        note="level.note",
    ),
    "wbgt": Bins(
        edges=(25, 28, 31),
        colours=_HEAT,
        dark=_HEAT_DARK,
        words=("wbgt.caution", "wbgt.warning", "wbgt.severe_warning", "wbgt.danger"),
        note="wbgt.note",
    ),
    "pm2_5_day_mean": Bins(
        edges=(15, 35.1, 70.1),
        colours=_FINE,
        dark=_FINE_DARK,
        words=(
            "pm2_5.within_standard",
            "pm2_5.within_standard",
            "pm2_5.above_standard",
            "pm2_5.above_advisory",
        ),
        note="pm2_5_day.note",
    ),
    "footfall": Bins(
        edges=(1, 100, 500, 2_000, 5_000, 20_000, 50_000),
        colours=_YLORRD,
        dark=_INFERNO,
        whole=True,
        low="legend.few",
        high="legend.many",
    ),
    "air_temperature": Bins(
        edges=(0, 5, 10, 15, 20, 25, 30, 35),
        colours=_RDYLBU,
        low="legend.cold",
        high="legend.hot",
    ),
    "relative_humidity": Bins(
        edges=(20, 40, 60, 80, 90),
        colours=_GNBU,
        dark=_GNBU[::-1],
        low="legend.dry",
        high="legend.humid",
    ),
    "rainfall": Bins(
        edges=(0.1, 1, 5, 10, 20, 30, 50, 80),
        colours=_RAIN,
        dark=_RAIN_DARK,
        words=_RAIN_WORDS,
        note="rain.note",
    ),
    "wind_speed": Bins(
        edges=(2, 5, 10, 15, 20),
        colours=_BUPU,
        dark=_PLASMA,
        low="legend.calm",
        high="legend.strong",
    ),
    "wind_from_direction": Bins(
        edges=(), colours=_CYCLIC, turns=True, low="", high="", note="wind.note"
    ),
    "air_pressure": Bins(edges=(990, 1_000, 1_010, 1_020), colours=_PUBUGN, dark=_PUBUGN[::-1]),
    "solar_irradiance": Bins(edges=(10, 100, 300, 600, 900), colours=_YLORBR, dark=_YLORBR[::-1]),
    "illuminance": Bins(
        edges=(10, 100, 1_000, 10_000, 50_000),
        colours=_YLORBR,
        dark=_YLORBR[::-1],
        low="legend.darker",
        high="legend.brighter",
    ),
    "pm2_5": Bins(edges=(5, 15, 25, 35, 70), colours=_RDPU, dark=_PLASMA, note="pm2_5.note"),
    "sound_level": Bins(
        edges=(45, 55, 65, 75, 85),
        colours=_ORRD,
        dark=_INFERNO[1:7],
        low="legend.quiet",
        high="legend.loud",
    ),
    "pedestrian_density": Bins(
        edges=(0.31, 0.43, 0.72, 1.08, 2.17),
        colours=_ORRD,
        dark=_INFERNO[1:7],
        low="legend.few",
        high="legend.many",
        note="density.note",
    ),
}

BINS: Mapping[str, Bins] = MappingProxyType(_PER_FIGURE)
"""The bins of every figure by figure id."""
