"""Brings a file's rows in, batch by batch: rows, refused rows and how far it has come, in step."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import TypeVar

from tsuji_platform.contract import Reason, Thing
from tsuji_platform.imports.ahead import ahead
from tsuji_platform.imports.known import counted, known_rows, span
from tsuji_platform.imports.rejected_file import RejectedFile
from tsuji_platform.imports.rows import JudgedRows, Place
from tsuji_platform.store import DatabaseAwayError
from tsuji_platform.store.columns import Settled
from tsuji_platform.store.imports import ImportProgress, ImportWriter

_T = TypeVar("_T")
_PATIENCE_S = 60.0
_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an import may do.

    Attributes:
        keep: what is in the table is right where the file says something else.
        max_errors: stop behind the row with which so many are kept apart; None is without end.
        things: what the file's things are, where it says so or another file does; they are
            registered when their first value comes.
    """

    keep: bool = False
    max_errors: int | None = None
    things: Mapping[str, Thing] = field(default_factory=dict)


class Importer:
    """Brings one file in.

    Args:
        writer: the way into the database.
        rules: what it may do.
        stop: ends it after the batch at hand.
    """

    def __init__(self, writer: ImportWriter, rules: Rules, stop: Event) -> None:
        self._writer = writer
        self._rules = rules
        self._stop = stop

    def run(
        self,
        rows: Callable[[Place], Iterator[JudgedRows]],
        progress: ImportProgress,
        beside: Path,
        on_progress: Callable[[ImportProgress], None],
    ) -> ImportProgress:
        """Go on with an import to its end, or until it is stopped or has too many errors.

        Args:
            rows: the file's rows from a place on.
            progress: as it stands.
            beside: the file, for the name of the file of rejected rows.
            on_progress: called after each batch.

        Returns:
            As it stands then; finished, or not.

        Raises:
            ImportFileError: the file can't be read on; what was read before is in.
            StoreError: the database does not answer for a minute, or refuses; the same holds.
        """
        kept = RejectedFile(Path(progress.rejected_file), progress.rejected_bytes, beside)
        place = Place(rows=progress.rows_done, lines=progress.lines_done, bytes=progress.bytes_done)
        try:
            for judged in ahead(rows(place)):
                if self.has_too_many(progress):
                    return progress
                progress = self._batch(judged, progress, kept)
                on_progress(progress)
                if self._stop.is_set() or progress.rows_done < judged.end.rows:
                    return progress
            return self._commit(progress, progress, None, finished=True)
        finally:
            kept.close()

    def has_too_many(self, progress: ImportProgress) -> bool:
        """Whether so many rows are kept apart that the import is not to go on."""
        limit = self._rules.max_errors
        return limit is not None and progress.rejected >= limit

    def _batch(
        self, judged: JudgedRows, progress: ImportProgress, kept: RejectedFile
    ) -> ImportProgress:
        keys = self._patiently(lambda: self._keys(judged))
        settled, refused = known_rows(judged, keys, keep=self._rules.keep)
        limit = self._rules.max_errors
        if limit is not None and len(refused) > limit - progress.rejected:
            judged = judged.upto(refused[limit - progress.rejected - 1].line)
            settled, refused = known_rows(judged, keys, keep=self._rules.keep)
        kept.add(refused)
        first, last = span(progress.first_time, progress.last_time, judged.times_us)
        after = replace(
            progress,
            rows_done=judged.end.rows,
            lines_done=judged.end.lines,
            bytes_done=judged.end.bytes,
            rejected=progress.rejected + len(refused),
            first_time=first,
            last_time=last,
            reasons=counted(progress.reasons, refused),
            rejected_file=str(kept.path),
            rejected_bytes=kept.size,
        )
        return self._commit(progress, after, settled)

    def _keys(self, judged: JudgedRows) -> Sequence[int | Reason]:
        keys = self._writer.keys(judged.names)
        wanted: dict[str, list[str]] = {}
        for (thing, name), key in zip(judged.names, keys, strict=True):
            described = self._rules.things.get(thing)
            if isinstance(key, Reason) and described and name in described.datastreams:
                wanted.setdefault(thing, []).append(name)
        if not wanted:
            return keys
        self._writer.register(
            [
                replace(self._rules.things[thing], datastreams=tuple(names))
                for thing, names in wanted.items()
            ],
            add=True,
        )
        return self._writer.keys(judged.names)

    def _commit(
        self,
        before: ImportProgress,
        after: ImportProgress,
        settled: Settled | None,
        *,
        finished: bool = False,
    ) -> ImportProgress:
        tried = False

        def step() -> ImportProgress:
            nonlocal tried
            if (
                tried
            ):  # the connection may have broken after the commit: how far it has come says so
                found = self._writer.find(before.import_id)
                if found is not None and _is_at(found, after, finished):
                    return found
            tried = True
            return self._writer.advance(
                before, after, settled, keep=self._rules.keep, finished=finished
            )

        return self._patiently(step)

    def _patiently(self, call: Callable[[], _T]) -> _T:
        """Call again while the database is away, for a minute."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return call()
            except DatabaseAwayError:
                if time.monotonic() > deadline or self._stop.wait(_PAUSE_S):
                    raise


def _is_at(found: ImportProgress, after: ImportProgress, finished: bool) -> bool:
    return (found.rows_done, found.lines_done, found.finished_at is not None) == (
        after.rows_done,
        after.lines_done,
        finished,
    )
