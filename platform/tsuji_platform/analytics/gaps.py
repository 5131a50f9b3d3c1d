"""Why a series has no value where it has none: pure, from what is known of its datastreams."""

from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Absence(StrEnum):
    """Why there is no observation, or none to be told.

    `rejected`: messages of these things were refused that arrived then. `silent`: there was a
    datastream, and nothing is kept of it. `none`: there was no such datastream (yet, or any more).
    `no_longer_kept`: what steps of this length are made of was deleted when it was old enough.
    `suppressed`: people were counted, too few to be told of. `quality`: all that was observed is of
    another quality than was asked for.
    """

    SILENT = "silent"
    REJECTED = "rejected"
    NONE = "none"
    NO_LONGER_KEPT = "no_longer_kept"
    SUPPRESSED = "suppressed"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time whose start is not part of it, but its end is."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of the datastreams behind a series.

    Attributes:
        existed: when each of them existed.
        refused: when messages were refused, in order of time, none touching another.
        kept_since: steps that begin earlier can't be answered any more; None where all can.
    """

    existed: Sequence[Span]
    refused: Sequence[Span]
    kept_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(Span):
    """Steps without anything to tell, one after another and for the same reason."""

    reason: Absence


def gaps(
    ends: Iterable[datetime],
    step: timedelta,
    observed: Container[datetime],
    evidence: Evidence,
    suppressed: Collection[datetime] = (),
    unwanted: Container[datetime] = (),
) -> list[Gap]:
    """The gaps of a series in order of time.

    Args:
        ends: the ends of all its steps, in order.
        step: their length.
        observed: ends of the steps with observations.
        evidence: what is known of the datastreams in that time.
        suppressed: ends of the steps of which all counts are withheld.
        unwanted: ends of the steps with observations of some quality, wanted or not.
    """
    found: list[Gap] = []
    refused = iter(evidence.refused)
    next_refused = next(refused, None)
    for end in ends:
        if end in observed and end not in suppressed:
            continue
        start = end - step
        while next_refused is not None and next_refused.end <= start:
            next_refused = next(refused, None)
        if end in suppressed:
            reason = Absence.SUPPRESSED
        elif end in unwanted:
            reason = Absence.QUALITY
        elif evidence.kept_since is not None and start < evidence.kept_since:
            reason = Absence.NO_LONGER_KEPT
        elif next_refused is not None and next_refused.start < end:
            reason = Absence.REJECTED
        elif any(it.start < end and it.end > start for it in evidence.existed):
            reason = Absence.SILENT
        else:
            reason = Absence.NONE
        if found and found[-1].end == start and found[-1].reason is reason:
            start = found.pop().start
        found.append(Gap(start=start, end=end, reason=reason))
    return found
