"""Units that sensors are set to by mistake: what a value of the contract's unit becomes in them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

_Conversion = Callable[[float], float]

CONVERSIONS: Mapping[str, Mapping[str, _Conversion]] = MappingProxyType(
    {
        "air_temperature": {
            "[degF]": lambda it: it * 1.8 + 32.0,
            "K": lambda it: it + 273.15,
        },
        "relative_humidity": {"1": lambda it: it / 100.0},
        "air_pressure": {
            "kPa": lambda it: it / 10.0,
            "Pa": lambda it: it * 100.0,
            "mm[Hg]": lambda it: it * 0.750062,
        },
        "wind_speed": {
            "km/h": lambda it: it * 3.6,
            "[kn_i]": lambda it: it * 1.943844,
            "[mi_i]/h": lambda it: it * 2.236936,
        },
        "wind_from_direction": {"rad": lambda it: it * 0.01745329252},
        "rainfall": {"[in_i]": lambda it: it / 25.4, "cm": lambda it: it / 10.0},
        "solar_irradiance": {"kW/m2": lambda it: it / 1_000.0},
        "illuminance": {"klx": lambda it: it / 1_000.0},
        "pm2_5": {"mg/m3": lambda it: it / 1_000.0},
        "sound_level": {"B[SPL]": lambda it: it / 10.0},
    }
)
"""By observed property and UCUM code; the first is the one that is taken where none is named."""


def converted(name: str, unit: str, value: float) -> float:
    """The value in the wrong unit, rounded to what no device writes out further."""
    return round(CONVERSIONS[name][unit](value), 4)
