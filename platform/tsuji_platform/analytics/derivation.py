"""What every derived figure gives back: a value with its band, or none with the reason."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A named stretch of a figure's values.

    Attributes:
        id: stays the same in all languages.
        label: English.
        label_ja: Japanese, the publisher's own wording where there is one.
    """

    id: str
    label: str
    label_ja: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A band and the rounded values that it holds.

    Attributes:
        band: which.
        low: its lowest value, -inf where nothing lies below it.
        high: its highest value, inf where nothing lies above it.
    """

    band: Band
    low: float
    high: float


def stretches(
    bands: Sequence[Band | None], begins: Sequence[float], decimals: int, *, included: bool = True
) -> tuple[Stretch, ...]:
    """Bands one above the other.

    Args:
        bands: from the lowest on; None where the source names none.
        begins: where all but the first begin.
        decimals: of the values.
        included: whether a band holds the very value at which it begins, or the one below does.
    """
    step = 10.0**-decimals
    lows = [-math.inf, *(round(one + (0 if included else step), decimals) for one in begins)]
    highs = [*(round(one - step, decimals) for one in lows[1:]), math.inf]
    return tuple(
        Stretch(band=band, low=low, high=high)
        for band, low, high in zip(bands, lows, highs, strict=True)
        if band is not None
    )


def by_place(bands: Sequence[Band]) -> tuple[Stretch, ...]:
    """Bands whose values are their places, the first 1."""
    return stretches(bands, range(2, len(bands) + 1), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """One derived figure.

    Attributes:
        value: in the figure's unit, rounded to its decimals; None where there is none.
        band: the band of the rounded value; None where the source has none for it.
        rule: id of the figure that decided, of figures that choose among several.
        reason: why there is no value, or what the value can't tell; English, empty where neither.
        reason_ja: the same in Japanese.
    """

    value: float | None = None
    band: Band | None = None
    rule: str | None = None
    reason: str = ""
    reason_ja: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What derived figures are made of, of one thing or one area at one moment.

    Attributes:
        values: by input id, each in the unit that `INPUTS` gives; what is unknown is left out.
        winds: speed (m/s) and direction that it comes from (degrees) of each thing that measures both.
        pm2_5_hours: means of the hours of the last whole Tokyo day, µg/m³, those that there are.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    winds: Sequence[tuple[float, float]] = ()
    pm2_5_hours: Sequence[float] = ()


def absent(english: str, japanese: str) -> Derived:
    """No value, and why."""
    return Derived(reason=english, reason_ja=japanese)


def lacking(inputs: Inputs, *names: str) -> Derived | None:
    """The answer where inputs are missing, naming them; None where all are there."""
    missing = [name for name in names if name not in inputs.values]
    if not missing:
        return None
    labels = [INPUTS[name] for name in missing]
    return absent(
        "missing: " + ", ".join(it.label for it in labels),
        "入力なし: " + "、".join(it.label_ja for it in labels),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input.

    Attributes:
        label: English name.
        label_ja: Japanese name.
        unit: UCUM.
    """

    label: str
    label_ja: str
    unit: str


INPUTS: Mapping[str, Input] = {
    "air_temperature": Input(label="air temperature", label_ja="気温", unit="Cel"),
    "relative_humidity": Input(label="relative humidity", label_ja="相対湿度", unit="%"),
    "solar_irradiance": Input(label="solar irradiance", label_ja="日射", unit="W/m2"),
    "wind_speed": Input(label="wind speed", label_ja="風速", unit="m/s"),
    "rainfall": Input(label="rain of the hour", label_ja="1時間降水量", unit="mm"),
    "pedestrian_density": Input(label="pedestrian density", label_ja="歩行者密度", unit="{person}/m2"),
    "pedestrian_flow": Input(
        label="people counted in the hour with the effective width of the walkway",
        label_ja="通行人数と歩道の有効幅員",
        unit="{person}/min/m",
    ),
    "typical_percent": Input(
        label="footfall as % of the typical hour", label_ja="通常に対する割合", unit="%"
    ),
    "typical_q1": Input(label="lower quartile", label_ja="第1四分位数", unit="{person}"),
    "typical_median": Input(label="median", label_ja="中央値", unit="{person}"),
    "typical_q3": Input(label="upper quartile", label_ja="第3四分位数", unit="{person}"),
    "people_inside": Input(label="people in the place", label_ja="滞在人数", unit="{person}"),
    "capacity": Input(label="capacity", label_ja="定員", unit="{person}"),
}  # fmt: skip
"""Every input by id."""
