"""Units that files name, and how their values become those of the observed properties (UCUM)."""

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from tsuji_platform.contract import ObservedProperty, Reason, RejectedError
from tsuji_platform.contract.rejection import quote

Conversion = tuple[float, float]
"""result = value * factor + offset."""

_SAME: Conversion = (1.0, 0.0)

_KNOWN: Mapping[str, Mapping[str, Conversion]] = MappingProxyType(
    {
        "Cel": {
            "cel": _SAME, "°c": _SAME, "c": _SAME, "degc": _SAME, "deg c": _SAME, "celsius": _SAME,
            "k": (1.0, -273.15), "kelvin": (1.0, -273.15),
            "°f": (5 / 9, -160 / 9), "f": (5 / 9, -160 / 9), "[degf]": (5 / 9, -160 / 9),
        },
        "%": {"%": _SAME, "%rh": _SAME, "% rh": _SAME, "percent": _SAME},
        "hPa": {
            "hpa": _SAME, "mbar": _SAME, "mb": _SAME, "pa": (0.01, 0.0), "kpa": (10.0, 0.0),
        },
        "m/s": {
            "m/s": _SAME, "mps": _SAME, "m s-1": _SAME, "m.s-1": _SAME, "km/h": (1 / 3.6, 0.0),
            "kt": (1852 / 3600, 0.0), "kn": (1852 / 3600, 0.0), "[kn_i]": (1852 / 3600, 0.0),
        },
        "deg": {"deg": _SAME, "°": _SAME, "degree": _SAME, "degrees": _SAME, "度": _SAME},
        "mm": {"mm": _SAME, "cm": (10.0, 0.0), "[in_i]": (25.4, 0.0), "in": (25.4, 0.0)},
        "W/m2": {
            "w/m2": _SAME, "w/m^2": _SAME, "w m-2": _SAME, "w.m-2": _SAME, "kw/m2": (1000.0, 0.0),
            "kw/m^2": (1000.0, 0.0),
        },
        "lx": {"lx": _SAME, "lux": _SAME, "klx": (1000.0, 0.0)},
        "ug/m3": {
            "ug/m3": _SAME, "ug/m^3": _SAME, "ug.m-3": _SAME, "mg/m3": (1000.0, 0.0),
            "mg/m^3": (1000.0, 0.0),
        },
        "dB[SPL]": {"db[spl]": _SAME, "db": _SAME, "db(a)": _SAME, "dba": _SAME},
        "{person}": {
            "{person}": _SAME, "person": _SAME, "persons": _SAME, "people": _SAME, "人": _SAME,
            "count": _SAME, "counts": _SAME, "1": _SAME,
        },
        "{person}/m2": {
            "{person}/m2": _SAME, "person/m2": _SAME, "people/m2": _SAME, "人/m2": _SAME, "/m2": _SAME,
        },
    }
)  # fmt: skip
"""By UCUM code of the property: what else a unit may be called, lower case and in NFKC."""


def conversion(known: ObservedProperty, unit: str) -> Conversion:
    """How a value in a unit becomes one in the property's unit.

    Args:
        known: the property.
        unit: as it stands in the file; empty is the property's own.

    Raises:
        RejectedError: `wrong_shape` where the unit is none of the property's.
    """
    if not unit.strip():
        return _SAME
    units = _KNOWN[known.unit]
    # NFKC makes ℃ of one character two, ㎡ m2, full-width letters narrow ones and µ the Greek letter
    plain = unicodedata.normalize("NFKC", unit).strip().lower().replace("μ", "u")
    found = units.get(plain)
    if found is None:
        raise RejectedError(
            Reason.WRONG_SHAPE,
            f"unit {quote(unit)} is none that {known.id} ({known.unit}) can be read from; known are "
            + ", ".join(units),
        )
    return found
