"""The thresholds of alert rules: numbers, or the bands of a figure by their names."""

import math
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.contract.rejection import quote

_DIRECTIONS = {
    *(p.id for p in OBSERVED_PROPERTIES.values() if p.aggregation is Aggregation.CIRCULAR_MEAN),
    "wind_vector_from_direction",
}
RULE_FIGURES = tuple(one for one in (*FIGURES, *DERIVED) if one not in _DIRECTIONS)
"""The figures that rules may be about: all but directions, which no threshold divides."""
RULE_PROPERTIES = tuple(one for one in OBSERVED_PROPERTIES if one not in _DIRECTIONS)
"""The observed properties that rules may be about."""
BAND_IDS = tuple(dict.fromkeys(it.band.id for figure in DERIVED.values() for it in figure.bands))
"""The bands that thresholds may name."""


def _number_or_name(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number, or in quotes the name of a band")
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return float(value)


Limit = Annotated[
    float | str,
    BeforeValidator(_number_or_name),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "enum": list(BAND_IDS)}]}),
]
"""A number, or a band's id."""


def check_known(kind: str, name: str) -> None:
    """Refuse what rules can't be about.

    Args:
        kind: `figure` or `observed_property`.
        name: which.

    Raises:
        ValueError: with what is possible.
    """
    possible = RULE_FIGURES if kind == "figure" else RULE_PROPERTIES
    if name in possible:
        return
    why = "is a direction, which no threshold divides; take" if name in _DIRECTIONS else "is not"
    raise ValueError(f"{kind} {quote(name)} {why} one of {', '.join(possible)}")


def range_of(name: str, *, is_figure: bool) -> tuple[float, float]:
    """Between what the values of a figure or an observed property can lie."""
    if is_figure and name in DERIVED:
        return DERIVED[name].lowest, DERIVED[name].highest
    if is_figure and FIGURES[name].over_time is not None:
        return 0.0, math.inf  # sums of what is never negative
    known = OBSERVED_PROPERTIES[name]
    return known.low, known.high


def unit_of(name: str, *, is_figure: bool) -> str:
    """UCUM code of a figure or an observed property."""
    if not is_figure:
        return OBSERVED_PROPERTIES[name].unit
    return DERIVED[name].unit if name in DERIVED else FIGURES[name].unit


def is_by_place(name: str | None, *limits: float | str | None) -> bool:
    """Whether a figure's values are the places of its bands, since thresholds name bands."""
    figure = DERIVED.get(name or "")
    return (
        figure is not None and figure.bands_by_place and any(isinstance(one, str) for one in limits)
    )


def value_of(key: str, limit: float | str, name: str, *, is_figure: bool) -> float:
    """A threshold as a number.

    Args:
        key: such as `at_least`, by which it stands in the rule.
        limit: as it stands there.
        name: the figure or observed property.
        is_figure: which of both.

    Raises:
        ValueError: where there can be no such value, naming what is possible.
    """
    if isinstance(limit, str):
        return _edge(key, limit, name, is_figure=is_figure)
    low, high = range_of(name, is_figure=is_figure)
    if not low <= limit <= high:
        unit = unit_of(name, is_figure=is_figure)
        to = "or more" if math.isinf(high) else f"to {high:g}"
        raise ValueError(f"{key} {limit:g} is outside of what {name} can be, {low:g} {to} {unit}")
    return limit


def _edge(key: str, band_id: str, name: str, *, is_figure: bool) -> float:
    """The end of a band from which on a threshold counts."""
    upwards = key in ("at_least", "clears_below")
    bands = DERIVED[name].bands if is_figure and name in DERIVED else ()
    edges = {it.band.id: it.low if upwards else it.high for it in bands}
    possible = [one for one, edge in edges.items() if math.isfinite(edge)]
    if not possible:
        raise ValueError(f"{key} {quote(band_id)} must be a number: {name} has no bands")
    if band_id not in possible:
        why = "leaves no value out or none in; take" if band_id in edges else "is no number and not"
        raise ValueError(f"{key} {quote(band_id)} {why} one of {', '.join(possible)}")
    return edges[band_id]
