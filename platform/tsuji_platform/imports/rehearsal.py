"""Says what an import would do, and does nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tsuji_platform.contract import Reason, Thing
from tsuji_platform.imports.ahead import ahead
from tsuji_platform.imports.known import counted, known_rows, span
from tsuji_platform.imports.rows import JudgedRows
from tsuji_platform.store.imports import ImportWriter, RefusedRows


@dataclass(slots=True, kw_only=True)
class Rehearsed:
    """What an import would do.

    Attributes:
        rows: rows of the file; the header is none.
        stored: values that are not there yet.
        duplicate: values that are there, or whose time has another value that would be left.
        corrected: values that would replace others.
        things: with believed values.
        properties: of these values.
        registers: things that would be registered, or get datastreams.
        first_time: of the earliest believed value.
        last_time: of the latest.
        reasons: what would be refused.
    """

    rows: int = 0
    stored: int = 0
    duplicate: int = 0
    corrected: int = 0
    things: set[str] = field(default_factory=set)
    properties: set[str] = field(default_factory=set)
    registers: set[str] = field(default_factory=set)
    first_time: datetime | None = None
    last_time: datetime | None = None
    reasons: dict[str, RefusedRows] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        """How many rows or values would be kept apart."""
        return sum(one.count for one in self.reasons.values())


def rehearse(
    writer: ImportWriter,
    rows: Iterable[JudgedRows],
    things: Mapping[str, Thing],
    on_progress: Callable[[Rehearsed], None],
    *,
    keep: bool = False,
) -> Rehearsed:
    """Judge all rows and compare them with what is there.

    A value that the file holds twice counts as new twice where the two stand far from each other.

    Args:
        writer: the way into the database.
        rows: all of the file.
        things: what would be registered.
        on_progress: called after each batch.
        keep: what is there would be left where the file says something else.
    """
    found = Rehearsed()
    for judged in ahead(rows):
        keys: list[int | Reason] = []
        for code, key in enumerate(writer.keys(judged.names)):
            thing_id, name = judged.names[code]
            described = things.get(thing_id)
            if isinstance(key, Reason) and described and name in described.datastreams:
                found.registers.add(thing_id)
                key = -1 - code  # a datastream that nobody has: all its values are new
            if not isinstance(key, Reason):
                found.things.add(thing_id)
                found.properties.add(name)
            keys.append(key)
        settled, refused = known_rows(judged, keys, keep=keep)
        found.rows = judged.end.rows
        found.reasons = counted(found.reasons, refused)
        found.first_time, found.last_time = span(found.first_time, found.last_time, judged.times_us)
        if settled is not None:
            tally = writer.compare(settled, keep=keep)
            found.stored += tally.stored
            found.duplicate += tally.duplicate
            found.corrected += tally.corrected
        on_progress(found)
    return found
