"""What weather and air mean for people: heat, cold, rain, fine dust and wind, each by its source.

WBGT: M. Ono, M. Tonouchi, "Estimation of wet-bulb globe temperature using generally measured
meteorological indices", Japanese Journal of Biometeorology 50 (4), 2014, 147-157, as used by Japan's
Ministry of the Environment. Bands: 日常生活における熱中症予防指針 (Japanese Society of Biometeorology).
Heat index: L. P. Rothfusz, NWS Southern Region SR 90-23, 1990, with NWS's adjustments.
Wind chill: NWS and Environment Canada, 2001. Rain: 雨の強さと降り方 (JMA). PM2.5: environmental
quality standard (環境省告示第33号, 2009) and provisional advisory (環境省, 2013).
"""

import math
from bisect import bisect_right
from collections.abc import Iterable

from tsuji_platform.analytics.derivation import Band, Derived, Inputs, absent, lacking, stretches

_WBGT_FROM = (25.0, 28.0, 31.0)
_WBGT = (
    Band(id="caution", label="caution", label_ja="注意"),
    Band(id="warning", label="warning", label_ja="警戒"),
    Band(id="severe_warning", label="severe warning", label_ja="厳重警戒"),
    Band(id="danger", label="danger", label_ja="危険"),
)
_RAIN_FROM = (10.0, 20.0, 30.0, 50.0, 80.0)
_RAIN = (
    None,
    Band(id="somewhat_heavy", label="somewhat heavy rain", label_ja="やや強い雨"),
    Band(id="heavy", label="heavy rain", label_ja="強い雨"),
    Band(id="intense", label="intense rain", label_ja="激しい雨"),
    Band(id="very_intense", label="very intense rain", label_ja="非常に激しい雨"),
    Band(id="extreme", label="extremely intense rain", label_ja="猛烈な雨"),
)
_PM2_5_STANDARD = 35.0
_PM2_5_ADVISORY = 70.0
_PM2_5_HOURS = 20
"""Of 24; with more than four hours missing a day is not judged (大気汚染状況の常時監視)."""
_PM2_5 = (
    Band(id="within_standard", label="within the daily standard", label_ja="環境基準(日平均)以下"),
    Band(id="above_standard", label="above the daily standard", label_ja="環境基準(日平均)超過"),
    Band(
        id="above_advisory",
        label="above the advisory's guide value",
        label_ja="暫定指針値(日平均)超過",
    ),
)
WBGT_BANDS = stretches(_WBGT, _WBGT_FROM, 1)
RAIN_BANDS = stretches(_RAIN, _RAIN_FROM, 1)
PM2_5_BANDS = stretches(_PM2_5, (_PM2_5_STANDARD, _PM2_5_ADVISORY), 1, included=False)
_KMH = 3.6


def wbgt_estimate(
    temperature: float, humidity: float, irradiance: float, wind_speed: float
) -> float:
    """WBGT estimated from what weather stations measure, °C.

    Args:
        temperature: °C.
        humidity: relative, %.
        irradiance: global solar radiation, W/m²; a sensor's small negative zero at night is 0.
        wind_speed: mean, m/s.
    """
    sun = max(irradiance, 0.0) / 1000
    return (
        0.735 * temperature
        + 0.0374 * humidity
        + 0.00292 * temperature * humidity
        + 7.619 * sun
        - 4.557 * sun**2
        - 0.0572 * wind_speed
        - 4.064
    )


def wbgt(inputs: Inputs) -> Derived:
    """Estimate and band; without solar irradiance there is none, illuminance does not replace it."""
    names = ("air_temperature", "relative_humidity", "solar_irradiance", "wind_speed")
    if missing := lacking(inputs, *names):
        return missing
    value = round(wbgt_estimate(*(inputs.values[name] for name in names)), 1)
    return Derived(value=value, band=_WBGT[bisect_right(_WBGT_FROM, value)])


def heat_index(inputs: Inputs) -> Derived:
    """How hot it feels, °C; defined where it comes to 80 °F (26.7 °C) at least."""
    if missing := lacking(inputs, "air_temperature", "relative_humidity"):
        return missing
    t = inputs.values["air_temperature"] * 9 / 5 + 32
    rh = inputs.values["relative_humidity"]
    simple = 0.5 * (t + 61 + (t - 68) * 1.2 + rh * 0.094)
    if (simple + t) / 2 < 80:
        return absent(
            "not defined where it is cooler than about 27 °C (80 °F)",
            "約27°C(80°F)未満では定義されない",
        )
    index = (
        -42.379
        + 2.04901523 * t
        + 10.14333127 * rh
        - 0.22475541 * t * rh
        - 0.00683783 * t**2
        - 0.05481717 * rh**2
        + 0.00122874 * t**2 * rh
        + 0.00085282 * t * rh**2
        - 0.00000199 * t**2 * rh**2
    )
    if rh < 13 and 80 <= t <= 112:
        index -= (13 - rh) / 4 * math.sqrt((17 - abs(t - 95)) / 17)
    elif rh > 85 and 80 <= t <= 87:
        index += (rh - 85) / 10 * (87 - t) / 5
    return Derived(value=round((index - 32) * 5 / 9, 1))


def wind_chill(inputs: Inputs) -> Derived:
    """How cold it feels, °C; defined up to 10 °C and above 4.8 km/h."""
    if missing := lacking(inputs, "air_temperature", "wind_speed"):
        return missing
    temperature, speed = inputs.values["air_temperature"], inputs.values["wind_speed"] * _KMH
    if temperature > 10 or speed <= 4.8:
        return absent(
            "defined only up to 10 °C and with wind above 4.8 km/h (1.3 m/s)",
            "10°C以下かつ風速4.8 km/h(1.3 m/s)超でのみ定義される",
        )
    power = speed**0.16
    value = 13.12 + 0.6215 * temperature - 11.37 * power + 0.3965 * temperature * power
    return Derived(value=round(value, 1))


def rain_band(inputs: Inputs) -> Derived:
    """The hour's total with JMA's band; below 10 mm there is no band."""
    if missing := lacking(inputs, "rainfall"):
        return missing
    value = round(inputs.values["rainfall"], 1)
    band = _RAIN[bisect_right(_RAIN_FROM, value)]
    if band is None:
        return Derived(
            value=value,
            reason="below 10 mm in one hour there is no band",
            reason_ja="1時間10 mm未満には区分がない",
        )
    return Derived(value=value, band=band)


def pm2_5_day_mean(inputs: Inputs) -> Derived:
    """Mean of the last whole Tokyo day against the standard; one hour's value has no band."""
    hours = inputs.pm2_5_hours
    if len(hours) < _PM2_5_HOURS:
        return absent(
            f"{len(hours)} of the 24 hours of the last day have a value; {_PM2_5_HOURS} are needed",
            f"前日24時間のうち値があるのは{len(hours)}時間で、{_PM2_5_HOURS}時間に満たない",
        )
    value = round(math.fsum(hours) / len(hours), 1)
    place = (value > _PM2_5_STANDARD) + (value > _PM2_5_ADVISORY)
    return Derived(value=value, band=_PM2_5[place])


def wind_vector(winds: Iterable[tuple[float, float]]) -> tuple[float, float | None] | None:
    """Mean of wind vectors: speed, m/s, and where it comes from, degrees in [0, 360).

    Args:
        winds: speed and direction that it comes from, of each thing.

    Returns:
        None without any wind; a direction of None where the vectors cancel out, as in a calm.
    """
    pairs = list(winds)
    if not pairs:
        return None
    east = math.fsum(v * math.sin(math.radians(d)) for v, d in pairs) / len(pairs)
    north = math.fsum(v * math.cos(math.radians(d)) for v, d in pairs) / len(pairs)
    speed = math.hypot(east, north)
    if speed < 1e-9:
        return 0.0, None
    return speed, math.degrees(math.atan2(east, north)) % 360 % 360


_NO_WIND = absent(
    "missing: wind speed and direction of the same thing", "入力なし: 同じ機器の風速と風向"
)


def wind_vector_speed(inputs: Inputs) -> Derived:
    """Speed of the mean wind vector: at most the mean of the speeds."""
    mean = wind_vector(inputs.winds)
    return _NO_WIND if mean is None else Derived(value=round(mean[0], 1))


def wind_vector_from_direction(inputs: Inputs) -> Derived:
    """Where the mean wind vector comes from: strong winds weigh more."""
    mean = wind_vector(inputs.winds)
    if mean is None:
        return _NO_WIND
    if mean[1] is None or round(mean[0], 1) == 0:  # a speed that is shown as 0 comes from nowhere
        return absent("calm, or winds that cancel out", "静穏、または風が打ち消し合う")
    return Derived(value=round(mean[1]) % 360)
