"""Writes files' observations with their original times, and with them how far the file has come."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import orjson

from tsuji_platform.contract import Reason, Thing
from tsuji_platform.store import queries
from tsuji_platform.store.columns import Settled
from tsuji_platform.store.database import Connection
from tsuji_platform.store.errors import StoreError, translated
from tsuji_platform.store.put import copy_stage
from tsuji_platform.store.records import IMPORT_ID, Received, Tally
from tsuji_platform.store.writer import Writer

_SQL = queries.load("imports")
_WRITING = queries.load("writing")
_CLAIM_WITHIN_S = 10.0
"""So long the database may need to notice that a process is dead."""
_LOOK_EVERY_S = 0.2


class ImportTakenError(StoreError):
    """Another process goes on with the same import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRows:
    """Rows of a file that were refused for one reason."""

    count: int
    first_line: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress:
    """How far a file has come.

    Attributes:
        import_id: stands for the file's content and the way in which it is read.
        source: the file's name when it was begun.
        rows_done: rows of the file that are dealt with; the header is none.
        lines_done: lines of the file that these end with.
        bytes_done: where the next one begins in the (uncompressed) text.
        stored: values that were new.
        duplicate: values that were there already, or whose time has another value that was left.
        corrected: values that replaced others.
        rejected: values or rows that are kept apart.
        kept: of the duplicates: whose time has another value.
        first_time: of the earliest believed value.
        last_time: of the latest.
        reasons: what was refused, by reason.
        rejected_file: where it is kept apart.
        rejected_bytes: how long that file was when the rows done were done.
        finished_at: when the end was reached; None before.
    """

    import_id: str
    source: str
    rejected_file: str
    rows_done: int = 0
    lines_done: int = 0
    bytes_done: int = 0
    stored: int = 0
    duplicate: int = 0
    corrected: int = 0
    rejected: int = 0
    kept: int = 0
    first_time: datetime | None = None
    last_time: datetime | None = None
    reasons: dict[str, RefusedRows]
    rejected_bytes: int = 0
    finished_at: datetime | None = None


class ImportWriter(Writer):
    """The importer's way into the database; used by one thread at a time."""

    def __init__(self, url: str) -> None:
        super().__init__(url, IMPORT_ID)
        self._name = (
            f"tsuji import, process {os.getpid()} on {socket.gethostname()[:20]} ({token_hex(3)})"
        )
        self._claimed: tuple[str, str] | None = None
        self._claimed_on: Connection | None = None

    @contextmanager
    def claimed(self, import_id: str, source: str) -> Iterator[None]:
        """Keep all others from the same import, so that its file of rejected rows is ours alone, too.

        Args:
            import_id: which.
            source: the file, for messages.

        Raises:
            ImportTakenError: another process has it, and keeps it for ten seconds; it says which.
        """
        self._claimed = import_id, source
        try:
            with self._step():
                pass
            yield
        finally:
            connection, self._claimed, self._claimed_on = self._claimed_on, None, None
            if connection is not None:
                with suppress(StoreError), translated():
                    connection.execute(_SQL["unclaim_import"], {"import_id": import_id})

    def _open(self) -> Connection:
        connection = super()._open()
        if self._claimed is not None and self._claimed_on is not connection:
            self._take(connection, *self._claimed)
            self._claimed_on = connection
        return connection

    def _take(self, connection: Connection, import_id: str, source: str) -> None:
        deadline = time.monotonic() + _CLAIM_WITHIN_S
        asked = {"import_id": import_id, "name": self._name}
        while not _one(connection, "claim_import", asked)["ours"]:
            holder = connection.execute(_SQL["holder_of_import"], asked).fetchone()
            if holder is not None and holder["name"] == self._name:
                # the network has cut us off, and the server does not know yet
                connection.execute(_SQL["end_connection"], {"pid": holder["pid"]})
            elif time.monotonic() > deadline:
                raise ImportTakenError(
                    f"another process imports {source} at this moment{_described(holder)}; this "
                    "one stops, and nothing goes in twice: wait for the other's end"
                )
            time.sleep(_LOOK_EVERY_S)

    def begin(self, import_id: str, source: str, rejected_file: str) -> ImportProgress:
        """The import as it stands; begun where it is new."""
        values = {"import_id": import_id, "source": source, "rejected_file": rejected_file}
        with self._step() as connection:
            (row,) = connection.execute(_SQL["begin_import"], values).fetchall()
        return _progress(row)

    def find(self, import_id: str) -> ImportProgress | None:
        """The import as it stands, None where it was never begun."""
        with self._step() as connection:
            row = connection.execute(_SQL["find_import"], {"import_id": import_id}).fetchone()
        return None if row is None else _progress(row)

    def forget(self, import_id: str) -> None:
        """Let the import begin anew; its observations stay."""
        with self._step() as connection:
            connection.execute(_SQL["forget_import"], {"import_id": import_id})

    def register(self, things: Sequence[Thing], *, add: bool = False) -> bool:
        """Register or update things, as their own messages would; whether anything changed.

        Args:
            things: what they say of themselves.
            add: their datastreams come in addition to those that are declared.
        """
        with self._step() as connection:
            if add:
                things = list(_with_declared(connection, things))
            now = datetime.now().astimezone()
            changed = self._register(
                connection,
                [Received(topic="", payload=b"", received_at=now, thing=thing) for thing in things],
            )
            if changed:
                connection.execute(_WRITING["announce"])
        return changed

    def keys(self, names: Sequence[tuple[str, str]]) -> list[int | Reason]:
        """For each thing and observed property its datastream, or why there is none."""
        with self._step() as connection:
            self._registry.renew(connection)
            wanted = {
                thing
                for thing, name in names
                if isinstance(self._registry.find(thing, name), Reason)
            }
            self._registry.learn(connection, wanted)
        return [self._registry.find(thing, name) for thing, name in names]

    def advance(
        self,
        before: ImportProgress,
        after: ImportProgress,
        settled: Settled | None,
        *,
        keep: bool = False,
        finished: bool = False,
    ) -> ImportProgress:
        """Put rows, and with them how far the file has come: both or neither.

        Args:
            before: as it stands.
            after: the same with what else has been read and refused; what becomes of the rows is
                added here.
            settled: the rows; None where all were refused.
            keep: what is in the table stays where it differs.
            finished: whether the file has no more.

        Raises:
            ImportTakenError: another process has gone on with it; nothing was kept.
            DatabaseAwayError: nothing was kept, or, where the connection broke at the very end, all.
        """
        with self._step() as connection:
            self._lock(connection, before)
            tally = Tally(rejected=after.rejected - before.rejected)
            kept = 0
            if settled is not None:
                rows = settled.columns
                tally.duplicate += settled.repeated + (settled.replaced if keep else 0)
                tally.corrected += 0 if keep else settled.replaced
                kept = settled.replaced if keep else 0
                inserted, corrected = self._putter.put(connection, rows, keep=keep)
                tally.stored, tally.corrected = inserted, tally.corrected + corrected
                left = len(rows) - inserted - corrected
                tally.duplicate += left
                if keep and left:
                    kept += _one(connection, "count_kept")["kept"]
            tally.received = tally.stored + tally.duplicate + tally.corrected + tally.rejected
            after = replace(
                after,
                stored=before.stored + tally.stored,
                duplicate=before.duplicate + tally.duplicate,
                corrected=before.corrected + tally.corrected,
                kept=before.kept + kept,
            )
            values = _values(after) | {
                "finished": finished,
                "rows_before": before.rows_done,
                "lines_before": before.lines_done,
            }
            row = connection.execute(_SQL["advance_import"], values).fetchone()
            if row is None:
                raise _taken(before)
            if tally.received:
                self._count(connection, tally)
            if tally.stored or tally.corrected:
                connection.execute(_WRITING["announce"])
        return replace(after, finished_at=row["finished_at"])

    def compare(self, settled: Settled, *, keep: bool = False) -> Tally:
        """What would become of the rows; nothing is written."""
        with self._step() as connection:
            with connection.cursor() as cursor:
                copy_stage(cursor, settled.columns)
            found = _one(connection, "compare_stage")
        there = len(settled.columns) - found["absent"]
        other = found["other"] + settled.replaced
        return Tally(
            stored=found["absent"],
            corrected=0 if keep else other,
            duplicate=settled.repeated + there - found["other"] + (other if keep else 0),
        )

    @contextmanager
    def _step(self) -> Iterator[Connection]:
        """One transaction; after trouble the next one begins with a new connection."""
        try:
            with translated():
                connection = self._open()
                with connection.transaction():
                    yield connection
        except StoreError:
            self.close()
            raise

    def _lock(self, connection: Connection, before: ImportProgress) -> None:
        row = connection.execute(_SQL["lock_import"], {"import_id": before.import_id}).fetchone()
        held = None if row is None else (row["rows_done"], row["lines_done"])
        if held != (before.rows_done, before.lines_done):
            raise _taken(before)


def _taken(progress: ImportProgress) -> ImportTakenError:
    return ImportTakenError(
        f"another process imports {progress.source} at the same time; this one has stopped, and "
        "nothing went in twice"
    )


def _described(holder: dict[str, Any] | None) -> str:
    if holder is None:
        return ""
    return f": {holder['name']}, since {holder['since'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _one(
    connection: Connection, query: str, values: dict[str, Any] | None = None
) -> dict[str, Any]:
    (row,) = connection.execute(_SQL[query], values).fetchall()
    return row


def _with_declared(connection: Connection, things: Sequence[Thing]) -> Iterator[Thing]:
    values = {"thing_ids": [thing.thing_id for thing in things]}
    declared: dict[str, list[str]] = {}
    for row in connection.execute(_SQL["declared_datastreams"], values):
        declared.setdefault(row["thing_id"], []).append(row["observed_property"])
    for thing in things:
        streams = dict.fromkeys((*declared.get(thing.thing_id, ()), *thing.datastreams))
        yield replace(thing, datastreams=tuple(streams))


def _progress(row: dict[str, Any]) -> ImportProgress:
    row = {name: row[name] for name in ImportProgress.__dataclass_fields__}
    reasons = {reason: RefusedRows(**held) for reason, held in row.pop("reasons").items()}
    return ImportProgress(**row, reasons=reasons)


def _values(progress: ImportProgress) -> dict[str, Any]:
    values = {name: getattr(progress, name) for name in ImportProgress.__dataclass_fields__}
    return values | {"reasons": orjson.dumps(progress.reasons).decode()}
