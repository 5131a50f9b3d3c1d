"""The length of a step, said in the same ways wherever one is asked for."""

import re
from datetime import timedelta
from typing import Annotated

from fastapi import Query

from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.contract.lengths import length_text, parse_length
from tsuji_platform.exports.about import STEPS

_SECONDS = re.compile(r"[0-9]{1,9}")
_LONG = re.compile(r"([0-9]{1,9})(min|day)")
_UNIT = {"min": "m", "day": "d"}
_FORMS = "seconds, or a length such as 15min, 1h, PT6H or 1day"
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=31)
WIDTHS = {name: width for name, width in STEPS.items() if width}
"""Of the sums that are ready, by the names that their downloads bear."""

SeriesStep = Annotated[
    str | None,
    Query(
        max_length=20,
        description=f"length of a step: {_FORMS}, from 1 minute to 31 days, counted from midnight in Tokyo; "
        "where left out 15 minutes, 1 hour or 1 day, the shortest that makes no more than 1,000 steps, or "
        "the usual counting period of the slowest counter behind the figure, if that is longer. Multiples "
        "of 5 minutes are made of sums that are ready, others of the observations",
        examples=["1h", "900", "PT6H"],
    ),
]
AggregateStep = Annotated[
    str,
    Query(
        max_length=20,
        description=f"width of the rows: 5min, 1h or 1day, or as {_FORMS}, of that length",
        examples=["1h", "3600", "P1D"],
    ),
]


def _parse(text: str) -> timedelta | None:
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    if long := _LONG.fullmatch(text):
        return parse_length(long[1] + _UNIT[long[2]])
    return parse_length(text)


def series_step(text: str | None) -> timedelta | None:
    """The step of a series; None where it is left to us.

    Raises:
        BadParameterError: it is no length, or too short or too long a one.
    """
    if text is None:
        return None
    step = _parse(text)
    if step is None or step % timedelta(seconds=1):
        raise BadParameterError(f"step {text!r:.80} is not a length in whole seconds: {_FORMS}")
    if not _SHORTEST <= step <= _LONGEST:
        raise BadParameterError(
            f"step {text!r:.80} is not from {length_text(_SHORTEST)} to {length_text(_LONGEST)}"
        )
    return step


def width_name(text: str) -> str:
    """The name of the sums that are meant, see `WIDTHS`.

    Raises:
        BadParameterError: there are no sums of this length.
    """
    step = _parse(text)
    name = next((name for name, width in WIDTHS.items() if width == step), None)
    if name is None:
        raise BadParameterError(
            f"step {text!r:.80} is not one of {', '.join(WIDTHS)}; a series may have other steps"
        )
    return name
