"""Tells rows of known datastreams from the others, and keeps account of what is refused."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tsuji_platform.contract import Reason
from tsuji_platform.imports.rows import JudgedRows, Refused
from tsuji_platform.store.columns import Settled, settle
from tsuji_platform.store.imports import RefusedRows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWN = {
    Reason.UNREGISTERED_THING: "thing {0!r} is not registered: publish what it is, or describe it in a "
    "file for --register",
    Reason.UNDECLARED_DATASTREAM: "thing {0!r} does not list {1} among its datastreams: publish anew "
    "what it is, or describe it in a file for --register",
}


def known_rows(
    judged: JudgedRows, keys: Sequence[int | Reason], *, keep: bool
) -> tuple[Settled | None, list[Refused]]:
    """The rows of known datastreams, each key once, and all that are refused, by line.

    Args:
        judged: believed values, and what was refused before.
        keys: for each of its names the datastream, or why there is none.
        keep: of two values for the same key the first is right.
    """
    refused = list(judged.refused)
    codes = judged.codes
    unknown = [code for code, key in enumerate(keys) if isinstance(key, Reason)]
    known: NDArray[np.bool_] = ~np.isin(codes, unknown) if unknown else np.ones(len(codes), bool)
    for place in np.flatnonzero(~known).tolist():
        code = int(codes[place])
        reason = Reason(str(keys[code]))
        refused.append(
            Refused(
                line=int(judged.lines[place]),
                reason=reason,
                detail=_UNKNOWN[reason].format(*judged.names[code]),
                row=judged.original(place),
            )
        )
    refused.sort(key=lambda one: one.line)
    if not known.any():
        return None, refused
    ids = np.array([0 if isinstance(key, Reason) else key for key in keys], np.int32)
    settled = settle(
        ids[codes[known]],
        judged.periods[known],
        judged.times_us[known],
        judged.results[known],
        np.full(int(known.sum()), time.time_ns() // 1_000, np.int64),
        keep=keep,
    )
    return settled, refused


def counted(held: Mapping[str, RefusedRows], refused: Iterable[Refused]) -> dict[str, RefusedRows]:
    """The account of what is refused, with some more."""
    reasons = dict(held)
    for one in refused:
        before = reasons.get(one.reason)
        reasons[str(one.reason)] = (
            RefusedRows(count=1, first_line=one.line, detail=one.detail)
            if before is None
            else replace(before, count=before.count + 1)
        )
    return reasons


def span(
    first: datetime | None, last: datetime | None, times_us: NDArray[np.int64]
) -> tuple[datetime | None, datetime | None]:
    """The earliest and the latest of some times, with some more."""
    if not len(times_us):
        return first, last
    low, high = (
        _EPOCH + timedelta(microseconds=int(one)) for one in (times_us.min(), times_us.max())
    )
    return min(low, first or low), max(high, last or high)
