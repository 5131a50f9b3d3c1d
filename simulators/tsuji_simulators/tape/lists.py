"""Reads messages from JSON lines and Parquet, as other tools write them, and writes JSON lines."""

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ciso8601
import msgspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tsuji_platform.contract.rejection import quote
from tsuji_simulators.tape.message import Carried, Span, TapeError, Tell, as_us

_LINE_BYTES = 400 * 2**20
_ROWS = 2_000
_BATCH_BYTES = 32 << 20
_BUFFER_BYTES = 1 << 20
_TIMES = ("time", "tst")
"""`tst` is Mosquitto's: `mosquitto_sub -F %J` or `%j`."""


def line_of(message: Carried) -> bytes:
    """One message as a line of JSON, without its end; `JsonLines` reads it again."""
    document: dict[str, object] = {
        "time": message.time.isoformat().replace("+00:00", "Z"),
        "topic": message.topic,
        "qos": message.qos,
        "retain": message.retain,
    }
    try:
        document["payload"] = message.payload.decode()
    except UnicodeDecodeError:
        document["payload_base64"] = base64.b64encode(message.payload).decode()
    return orjson.dumps(document)


def carried(row: Mapping[str, Any]) -> Carried:
    """The message that a row says.

    Raises:
        ValueError: where it says none, with what is wrong.
    """
    payload = row.get("payload")
    if row.get("payload_base64") is not None:
        try:
            payload = base64.b64decode(row["payload_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise ValueError(
                f"payload_base64 {quote(row['payload_base64'])} is not Base64"
            ) from None
    elif isinstance(payload, str):
        payload = payload.encode()
    elif payload is None:
        payload = b""
    elif not isinstance(payload, bytes):
        payload = orjson.dumps(payload)
    return msgspec.convert(
        [
            _time_us(next((row[name] for name in _TIMES if row.get(name) is not None), None)),
            row.get("topic"),
            payload,
            1 if row.get("qos") is None else row["qos"],
            bool(row.get("retain")),
        ],
        Carried,
    )


def _time_us(value: object) -> int:
    if isinstance(value, str):
        try:
            value = ciso8601.parse_datetime(value)
        except ValueError:
            raise ValueError(f"time {quote(value)} is not RFC 3339") from None
    if not isinstance(value, datetime):
        raise ValueError(f"time {quote(value)} is not RFC 3339 text")
    if value.tzinfo is None:
        raise ValueError(f"time {quote(str(value))} has no offset")
    try:
        return as_us(value.astimezone(UTC))
    except OverflowError:
        raise ValueError(f"time {quote(str(value))} is out of range") from None


class _Rows(ABC):
    """What the formats share: rows that hold messages, and those that hold none."""

    _unit = "line"

    def __init__(self, path: Path, *, skip_damaged: bool = False, tell: Tell | None = None) -> None:
        self.name = str(path)
        self._path = path
        self._skip = skip_damaged
        self._tell = tell or (lambda _: None)
        self._told: set[str] = set()

    @abstractmethod
    def _rows(self) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        """Each row and its number, or what is wrong with it."""

    def span(self) -> Span | None:
        """How much there is; reads all of it."""
        first, last, count = 0, 0, 0
        for one in self.messages():
            first, last = min(first, one.time_us) if count else one.time_us, max(last, one.time_us)
            count += 1
        return Span(first_us=first, last_us=last, messages=count) if count else None

    def messages(self) -> Iterator[Carried]:
        """All messages in the order of the file.

        Raises:
            TapeError: where a row holds none and is not to be skipped.
        """
        before = 0
        for number, row in self._rows():
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                message = carried(row)
            except (ValueError, orjson.JSONEncodeError) as error:
                text = f"{self.name}, {self._unit} {number:,}: {error}"
                if not self._skip:
                    raise TapeError(f"{text}. --skip-damaged goes on behind it") from None
                self._say(f"{text}; passed over")
                continue
            if message.time_us < before:
                self._say(
                    f"{self.name} is not in the order of time ({self._unit} {number:,}): what comes "
                    "too late in the file is sent right behind what stands before it"
                )
            before = max(before, message.time_us)
            yield message

    def _say(self, text: str) -> None:
        kind = text.partition("(")[0] if "not in the order" in text else text
        if kind not in self._told and len(self._told) < 100:
            self._told.add(kind)
            self._tell(text)


class JsonLines(_Rows):
    """Messages as JSON, one a line: `time`, `topic`, `payload` or `payload_base64`, `qos`, `retain`."""

    def _rows(self) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        with _text(self._path) as file:
            for number, line in enumerate(_lines(file, self._path), 1):
                if not line.strip():
                    continue
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    yield number, f"not JSON ({error}): {quote(line[:80].decode(errors='replace'))}"
                    continue
                yield number, row if isinstance(row, dict) else f"not an object: {quote(row)}"


class ParquetMessages(_Rows):
    """Messages as rows of Parquet, with columns of the same names."""

    _unit = "row"

    def _rows(self) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        number = 0
        try:
            schema = pq.read_schema(self._path)
            names = [one for one in schema.names if one in _COLUMNS]
            # a text that many rows repeat is there once, until its row's turn comes
            texts = [one for one in names if _is_text(schema.field(one).type)]
            with pq.ParquetFile(
                self._path, buffer_size=_BUFFER_BYTES, pre_buffer=False, read_dictionary=texts
            ) as file:
                for group in range(file.num_row_groups):
                    rows = _rows_at_once(file.metadata.row_group(group))
                    for batch in file.iter_batches(
                        rows, row_groups=[group], columns=names, use_threads=False
                    ):
                        for place in range(len(batch)):
                            number += 1
                            yield number, _cells(batch, place)
        except (OSError, pa.ArrowException) as error:
            raise TapeError(f"{self._path}, behind row {number:,}: {error}") from error


def _cells(batch: pa.RecordBatch, place: int) -> Mapping[str, Any] | str:
    try:
        return {one: batch[one][place].as_py() for one in batch.schema.names}
    except (ValueError, OverflowError) as error:  # times that Python has not
        return f"a value can't be read: {error}"


def _is_text(kind: pa.DataType) -> bool:
    return any(
        check(kind)
        for check in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    )


def _rows_at_once(group: pq.RowGroupMetaData) -> int:
    """How many rows of a group to unpack at once, however large they are."""
    columns = (group.column(place) for place in range(group.num_columns))
    whole = sum(
        one.total_uncompressed_size
        for one in columns
        if one.path_in_schema.partition(".")[0] in _COLUMNS
    )
    rows: int = _BATCH_BYTES * group.num_rows // max(whole, 1)
    return max(1, min(_ROWS, rows))


_COLUMNS = {*_TIMES, "topic", "payload", "payload_base64", "qos", "retain"}


def holds_messages(path: Path, form: str) -> bool:
    """Whether a file of JSON lines (`jsonl`) or Parquet (`parquet`) holds messages, not observations.

    Raises:
        TapeError: where it can't be read.
    """
    if form == "parquet":
        try:
            return "topic" in pq.read_schema(path).names
        except (OSError, pa.ArrowException) as error:
            raise TapeError(f"{path} can't be read as Parquet: {error}") from error
    with _text(path) as file:
        for line in _lines(file, path):
            if line.strip():
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError:
                    return False
                return isinstance(row, dict) and "topic" in row
    return False


@contextmanager
def _text(path: Path) -> Iterator[Any]:
    """The file, unpacked where its name ends in .gz or .zst."""
    try:
        with pa.input_stream(str(path), compression="detect", buffer_size=1 << 20) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise TapeError(f"{path} can't be read: {error}") from error


def _lines(file: Any, path: Path) -> Iterator[bytes]:
    parts, held = list[bytes](), 0  # of a line whose end is not there yet
    while data := file.read(_BUFFER_BYTES):
        first, *others = data.split(b"\n")
        parts.append(first)
        held += len(first)
        if held > _LINE_BYTES:
            raise TapeError(f"{path} holds a line of over {_LINE_BYTES >> 20} MiB")
        if others:
            yield b"".join(parts)
            yield from others[:-1]
            parts, held = [others[-1]], len(others[-1])
    if held:
        yield b"".join(parts)
