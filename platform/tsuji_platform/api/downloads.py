"""Answers of any length with flat memory: rows are read, written as the caller wants them, and sent."""

import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import anyio
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from anyio import to_thread
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.api.errors import BadParameterError, BusyError, TooManyError
from tsuji_platform.api.formats import MEDIA_TYPES, Format
from tsuji_platform.api.room import OF_ONE, Room
from tsuji_platform.exports import csvw
from tsuji_platform.exports.about import about, text_of
from tsuji_platform.exports.files import CsvSink, as_text
from tsuji_platform.exports.rows import Columns
from tsuji_platform.exports.tables import Column, unit_of_name
from tsuji_platform.store import DatabaseAwayError, StoreError, TookTooLongError
from tsuji_platform.store.export import Export, exporting
from tsuji_platform.store.export_choice import BehindError, Choice, ExportError, Share, TakenError

_log = logging.getLogger(__name__)

_STALLED_S = 60.0
"""Who takes nothing for so long has gone, or means harm."""
_SENT_AT_ONCE = 1 << 18
"""Bytes: what a caller has not taken stays with the connection until that ends, long after we let go."""
_ROLLED_UP_WITHIN_S = 5.0
_BROKEN_OFF_WITHIN_S = 0.5
_ROWS_IN_GROUP = 100_000
_ROWS_IN_PART = 10_000


class Downloads:
    """The downloads of one worker.

    Args:
        database_url: PostgreSQL address.
        licence: under which the observations may be used; empty where that is not said.
        gate: withholds small counts.
        room: for how many at once, and for how long.
        reading: says where to read from at this moment, such as a replica; None for the same database.
    """

    def __init__(
        self,
        database_url: str,
        licence: str = "",
        gate: Gate = OPEN,
        room: Room | None = None,
        reading: Callable[[], str] | None = None,
    ) -> None:
        self._url = database_url
        self._reading = reading or (lambda: database_url)
        self._gate = gate
        self._licence = licence
        self._room = Room() if room is None else room

    def answer(
        self,
        choice: Choice,
        format_: Format,
        name: str,
        *,
        bom: bool = False,
        address: str = "",
        link: str = "",
        caller: str | None = None,
    ) -> Response:
        """What was chosen, as it is now; the answer is cut off in the middle where it can't be ended.

        Args:
            choice: what.
            format_: how it is written.
            name: of the file, without its ending.
            bom: CSV begins with a mark, by which spreadsheets know UTF-8.
            address: of the same as CSV, for what describes that.
            link: header `Link`.
            caller: whose download it is; None where nobody counts.

        Raises:
            BadParameterError: there is no such thing, area set, area or observed property.
            TooManyError: too many of this caller at once.
            BusyError: too many at once, or rollups are behind.
        """
        with ExitStack() as opened:
            opened.enter_context(self._room.place(caller))
            try:
                share = None if caller is None else Share(holder=caller, at_once=self._room.of_one)
                found = self._begin(opened, replace(choice, gate=self._gate), share)
            except TakenError as error:
                raise TooManyError(OF_ONE.format(self._room.of_one)) from error
            except BehindError as error:
                raise BusyError(
                    "sums of this time are not complete yet, since much is still to be rolled up or more "
                    "keeps coming in: try again, or ask for an earlier end or for /v1/observations"
                ) from error
            except ExportError as error:
                parameter = error.unknown.replace(" ", "_")
                raise BadParameterError(str(error), parameter=parameter) from error
            headers = {"Cache-Control": "no-store", "Accept-Ranges": "none"} | (
                {"Link": link} if link else {}
            )
            if format_ is not Format.CSV_METADATA:
                file = f"{name}.{format_.value}"
                headers["Content-Disposition"] = f'attachment; filename="{file}"'
            if found.kept_since is not None:
                headers["Tsuji-Kept-Since"] = text_of(found.kept_since)
            told = about(found, self._licence)
            if format_ is Format.CSV_METADATA:
                made = _csv_metadata(found, told, address)
            else:
                made = _WRITERS[format_](found, told, bom)
            parts = _Parts(made, found.cancel)
            opened.callback(
                parts.close
            )  # first of all: a copy that is under way can't be left otherwise
            kept = opened.pop_all()
        return _Stream(parts, kept.close, MEDIA_TYPES[format_], headers, self._room.seconds)

    def _begin(self, opened: ExitStack, choice: Choice, share: Share | None) -> Export:
        def begun(url: str) -> Export:
            return opened.enter_context(
                exporting(url, choice, patience_s=_ROLLED_UP_WITHIN_S, only_read=True, share=share)
            )

        url = self._reading()
        try:
            return begun(url)
        except DatabaseAwayError:
            if url == self._url:
                raise
        return begun(self._url)


class _Parts:
    """What is made in threads, one part at a time, and can be broken off while one is made.

    Args:
        made: the parts.
        break_off: ends what the next part waits for, from another thread.
    """

    def __init__(
        self, made: Generator[bytes, None, None], break_off: Callable[[], object] = lambda: None
    ) -> None:
        self._made = made
        self._break_off = break_off
        self._at_work = threading.Lock()

    def next(self) -> bytes | None:
        """The next part; None behind the last one."""
        with self._at_work:
            return next(self._made, None)

    def close(self) -> None:
        """Make no more of it."""
        wait_s = 0.0
        while not self._at_work.acquire(timeout=wait_s):
            self._break_off()  # again and again: it may be between two statements
            wait_s = _BROKEN_OFF_WITHIN_S
        try:
            self._made.close()
        finally:
            self._at_work.release()


class _Stream(StreamingResponse):
    """Sends what a generator makes in a thread; whatever happens, what it needs is given back.

    What fails before there is anything to send is an error like any other. What fails later can't be
    said any more: the answer ends without its end, by which the server breaks the connection off.
    """

    def __init__(
        self,
        parts: _Parts,
        close: Callable[[], object],
        media_type: str,
        headers: dict[str, str],
        longest_s: float = 3_600.0,
    ) -> None:
        self._longest_s = longest_s
        self._made = _asked_for(parts)
        super().__init__(self._made, headers=headers, media_type=media_type)
        self._give_back = close

    async def stream_response(self, send: Send) -> None:
        """Send it all; a caller that takes nothing for too long is let go."""
        ends = anyio.current_time() + self._longest_s
        try:
            with anyio.fail_after(self._longest_s):
                first = await anext(self._made, b"")
        except TimeoutError as error:
            raise TookTooLongError(f"nothing came for {self._longest_s:.0f} s") from error
        self.body_iterator = _after(first, self._made)

        async def patiently(message: Any) -> None:
            with anyio.fail_after(_STALLED_S):
                await send(message)

        try:
            with anyio.fail_after(ends - anyio.current_time()):
                await super().stream_response(patiently)
        except TimeoutError:
            if anyio.current_time() >= ends:
                _log.info("a download is cut off: it took longer than %.0f s", self._longest_s)
            else:
                _log.info("a download is cut off: nothing of it was taken for %.0f s", _STALLED_S)
        except StoreError as error:
            _log.warning("a download is cut off: %s", error)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, and give everything back."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._give_back)


async def _asked_for(parts: _Parts) -> AsyncIterator[bytes]:
    # who goes away does not wait for what is being made, and what has been given back breaks that off
    while (part := await to_thread.run_sync(parts.next, abandon_on_cancel=True)) is not None:
        for first in range(0, len(part), _SENT_AT_ONCE):
            yield part[first : first + _SENT_AT_ONCE]


async def _after(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for part in others:
        yield part


def _batches(found: Export, told: dict[str, Any]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    columns = Columns(found.streams, found.width, told, found.gate)
    return columns.schema, (
        columns.batch(rows[first : first + _ROWS_IN_PART])
        for day in found.days
        for rows in found.rows(day)
        for first in range(0, len(rows), _ROWS_IN_PART)
    )


class _Buffer:
    """A file for writers, emptied after each batch."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        """Take some."""
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """There is nothing behind it."""

    def close(self) -> None:
        """There is nothing to close."""

    def taken(self) -> bytes:
        """All since the last call."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _csv(found: Export, told: dict[str, Any], bom: bool) -> Generator[bytes, None, None]:
    schema, batches = _batches(found, told)
    buffer: Any = _Buffer()
    sink = CsvSink(buffer, schema, bom=bom)
    yield buffer.taken()
    for batch in batches:
        sink.write(found.days[0], batch)
        yield buffer.taken()


def _csv_metadata(
    found: Export, told: dict[str, Any], address: str
) -> Generator[bytes, None, None]:
    schema = Columns(found.streams, found.width, told, found.gate).schema
    columns = [
        Column(
            name=one.name,
            kind=one.type.value_type if pa.types.is_dictionary(one.type) else one.type,
            meaning=(one.metadata or {}).get(b"meaning", b"").decode(),
            unit=unit_of_name(one.name),
        )
        for one in schema
    ]
    said = {"licence": told["licence"], "publisher": ", ".join(told["owners_of_the_things"])}
    yield orjson.dumps(csvw.document(address, columns, told | said))


def _parquet(found: Export, told: dict[str, Any], _bom: bool) -> Generator[bytes, None, None]:
    schema, batches = _batches(found, told)
    buffer: Any = _Buffer()
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetWriter(pa.PythonFile(buffer, mode="w"), schema, compression="zstd") as writer:
        for batch in batches:
            waiting.append(batch)
            if sum(map(len, waiting)) >= _ROWS_IN_GROUP:
                writer.write_table(pa.Table.from_batches(waiting, schema))
                waiting.clear()
                yield buffer.taken()
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting, schema))
    yield buffer.taken()


def _json_lines(found: Export, told: dict[str, Any], _bom: bool) -> Generator[bytes, None, None]:
    _, batches = _batches(found, told)
    for batch in batches:
        yield b"\n".join((*map(orjson.dumps, _objects(batch)), b""))


def _json(found: Export, told: dict[str, Any], _bom: bool) -> Generator[bytes, None, None]:
    yield b'{"about":' + orjson.dumps(told) + b',"items":['
    _, batches = _batches(found, told)
    between = b"\n"
    for batch in batches:
        if len(batch):
            yield between + b",\n".join(map(orjson.dumps, _objects(batch)))
            between = b",\n"
    yield b"\n]}\n"


def _objects(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Rows as objects; times as RFC 3339."""
    names = batch.schema.names
    columns = [as_text(column).to_pylist() for column in batch.columns]
    for row in zip(*columns, strict=True):
        yield dict(zip(names, row, strict=True))


_WRITERS: dict[Format, Callable[[Export, dict[str, Any], bool], Generator[bytes, None, None]]] = {
    Format.JSON: _json,
    Format.JSON_LINES: _json_lines,
    Format.CSV: _csv,
    Format.PARQUET: _parquet,
}
