r"""The file of a backup: a tar archive that needs nothing of ours to be read, and tells if it is whole.

Its members, in this order:

- `tsuji-backup.json`: the version of the form, of Tsuji, the migrations of the schema, and each table with
  its columns and what its identity columns give next;
- `tables/NAME/000001.copy.zst` and so on: the rows of a table in PostgreSQL's text format of COPY, some
  MiB each, packed with Zstandard, all tables in the order in which they can be restored;
- `checksums.json`: of each table the number of rows and bytes and the SHA-256 of these and of what they are
  packed into, and that of the first member. An archive without it was cut off.

`tar -xOf FILE --wildcards 'tables/thing/*' | zstd -d` shows what `\copy thing (…) FROM` of psql takes.
Both ends are streams: a backup may go through a pipe, and memory does not grow with its length. The check
sums tell damage; whoever must fear malice signs the file.
"""

import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Protocol, cast

import orjson
import pyarrow as pa

from tsuji_platform.contract.rejection import quote
from tsuji_platform.store.backup_tables import Table

FORM = 1
_ABOUT, _SUMS = "tsuji-backup.json", "checksums.json"
_PART = re.compile(r"tables/(\w{1,63})/(\d{6,9})\.copy\.zst")
_LEVEL = 3
_LONGEST_JSON = 16 << 20
_READ_AT_ONCE = 1 << 20
_BROKEN = (tarfile.TarError, EOFError, OSError, ValueError, pa.ArrowException)
"""ValueError: tarfile takes numbers in headers as they come."""


class ArchiveError(Exception):
    """The file is no backup that can be used; the text says why and what to do."""


class Sink(Protocol):
    """Takes an archive."""

    def write(self, data: bytes, /) -> int:
        """Take more of it."""


class Source(Protocol):
    """Gives an archive."""

    def read(self, size: int = -1, /) -> bytes:
        """Give more of it; nothing at its end."""


@dataclass(slots=True)
class Sum:
    """What a table's rows come to."""

    rows: int = 0
    size: int = 0
    packed: Any = field(default_factory=hashlib.sha256)
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(self, data: bytes) -> None:
        """Count more of it."""
        self.size += len(data)
        self._digest.update(data)

    def document(self) -> dict[str, Any]:
        """As the archive has it."""
        return {
            "rows": self.rows,
            "bytes": self.size,
            "sha256": self._digest.hexdigest(),
            "packed_sha256": self.packed.hexdigest(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an archive says of itself.

    Attributes:
        made_at: as of which moment it is.
        tsuji: which version made it.
        database: PostgreSQL's version, and TimescaleDB's.
        migrations: the check sums of the schema's migrations, by name.
        tables: in the order in which they can be restored.
    """

    made_at: datetime
    tsuji: str
    database: str
    migrations: dict[str, str]
    tables: Sequence[Table]

    def document(self) -> bytes:
        """As the archive has it."""
        return orjson.dumps(
            {
                "form": FORM,
                "made_at": self.made_at,
                "tsuji": self.tsuji,
                "database": self.database,
                "migrations": self.migrations,
                "tables": [
                    {"name": it.name, "columns": it.columns, "next_numbers": it.next_numbers}
                    for it in self.tables
                ],
            },
            option=orjson.OPT_INDENT_2,
        )

    @classmethod
    def parse(cls, data: bytes) -> "About":
        """Read what an archive says of itself.

        Raises:
            ArchiveError: it is of another form, or damaged.
        """
        try:
            read = orjson.loads(data)
            form = read["form"]
            if form != FORM:
                raise ArchiveError(
                    f"the backup is of form {quote(form)}, and this version of Tsuji reads {FORM}: use the "
                    f"version that made it ({quote(read.get('tsuji'))}), or a newer one"
                )
            return cls(
                made_at=datetime.fromisoformat(read["made_at"]),
                tsuji=str(read["tsuji"]),
                database=str(read["database"]),
                migrations={str(name): str(it) for name, it in read["migrations"].items()},
                tables=[
                    Table(
                        name=str(it["name"]),
                        columns=tuple(map(str, it["columns"])),
                        next_numbers={str(k): int(v) for k, v in it["next_numbers"].items()},
                    )
                    for it in read["tables"]
                ],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArchiveError(f"the backup's {_ABOUT} is damaged: {error}") from error


class _Valve:
    """A file that takes nothing more once it is shut: tarfile writes on when it is thrown away."""

    def __init__(self, file: Sink) -> None:
        self._file = file
        self.is_open = True

    def write(self, data: bytes) -> int:
        """Pass on."""
        return self._file.write(data) if self.is_open else len(data)


class ArchiveWriter:
    """Writes an archive to a stream, front to end; what ends with an error has no end.

    Args:
        file: takes it.
        about: what it is.
    """

    def __init__(self, file: Sink, about: About) -> None:
        self._valve = _Valve(file)
        self._tar: tarfile.TarFile = tarfile.open(  # noqa: SIM115
            fileobj=cast("Any", self._valve), mode="w|", format=tarfile.PAX_FORMAT
        )
        self._time = about.made_at.timestamp()
        self._codec = pa.Codec("zstd", compression_level=_LEVEL)
        self._parts: dict[str, int] = {}
        self.sums = {table.name: Sum() for table in about.tables}
        document = about.document()
        self._about = hashlib.sha256(document).hexdigest()
        self._add(_ABOUT, document)

    def write(self, table: str, data: bytes, rows: int) -> None:
        """Add rows of a table; tables come in order, each once."""
        part = self._parts[table] = self._parts.get(table, 0) + 1
        self.sums[table].add(data)
        self.sums[table].rows += rows
        packed = self._codec.compress(data, asbytes=True)
        self.sums[table].packed.update(packed)
        self._add(f"tables/{table}/{part:06}.copy.zst", packed)

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._end()
        finally:
            self._valve.is_open = False

    def _end(self) -> None:
        """All is written: what it comes to, by which the archive is known to be whole."""
        sums = {name: one.document() for name, one in self.sums.items()}
        self._add(
            _SUMS, orjson.dumps({"about": self._about, "tables": sums}, option=orjson.OPT_INDENT_2)
        )
        self._tar.close()

    def _add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mtime, member.mode = len(data), int(self._time), 0o600
        self._tar.addfile(member, io.BytesIO(data))


class _Digested:
    """A file whose bytes are digested as they are read."""

    closed = False

    def __init__(self, file: IO[bytes], digest: Any) -> None:
        self._file = file
        self._digest = digest

    def read(self, size: int = -1) -> bytes:
        """Pass on."""
        data = self._file.read(size)
        self._digest.update(data)
        return data

    def close(self) -> None:
        """There is nothing to close."""


class ArchiveReader:
    """Reads an archive from a stream, front to end.

    Args:
        file: gives it.
        name: of the file, for messages.

    Raises:
        ArchiveError: it is none.
    """

    def __init__(self, file: Source, name: str) -> None:
        self._name = name
        stream: Any = file
        with self._told():
            self._tar = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115
            member = self._tar.next()
            if member is None or member.name != _ABOUT:
                raise ArchiveError(f"{name} is no backup of Tsuji: it does not begin with {_ABOUT}")
            document = self._json(member)
        self.about = About.parse(document)
        self._digest = hashlib.sha256(document).hexdigest()
        self.sums = {table.name: Sum() for table in self.about.tables}
        self._next: tarfile.TarInfo | None = None

    def parts(self, table: str) -> Iterator[bytes]:
        """The rows of a table, bit by bit; tables are asked for in their order.

        Raises:
            ArchiveError: it is damaged here, or cut off.
        """
        number = 0
        while (member := self._peek()) is not None:
            found = _PART.fullmatch(member.name)
            if found is None or found[1] != table:
                return
            number += 1
            if int(found[2]) != number or not member.isreg():
                raise self._damaged(f"{quote(member.name)} stands where part {number} belongs")
            self._next = None
            yield from self._unpacked(member, table)

    def _unpacked(self, member: tarfile.TarInfo, table: str) -> Iterator[bytes]:
        with self._told():
            packed = self._tar.extractfile(member)
            if packed is None:
                raise self._damaged(f"{quote(member.name)} holds nothing")
            digested = _Digested(packed, self.sums[table].packed)
            stream = pa.CompressedInputStream(pa.PythonFile(digested, "r"), "zstd")
        while True:
            with self._told():
                data = stream.read(_READ_AT_ONCE)
            if not data:
                break
            self.sums[table].add(data)
            yield data
        with self._told():
            while digested.read(_READ_AT_ONCE):
                pass

    def finish(self, count: Callable[[str], int]) -> None:
        """See that all was there, and as it was written.

        Args:
            count: how many rows of a table were read.

        Raises:
            ArchiveError: it was not.
        """
        member = self._peek()
        if member is None:
            raise self._cut_off()
        if member.name != _SUMS:
            raise self._damaged(f"{quote(member.name)} does not belong there")
        with self._told():
            document = self._json(member)
        try:
            read = orjson.loads(document)
            about, tables = read["about"], read["tables"]
            expected = {name: tables[name] for name in self.sums}
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"its {_SUMS} can't be read: {error}") from error
        if about != self._digest:
            raise self._damaged(f"its {_ABOUT} was altered")
        for name, one in self.sums.items():
            one.rows = count(name)
            if one.document() != expected[name]:
                raise self._damaged(f"the rows of {name} are not those that were written")

    def verify(self) -> None:
        """Read it to its end, and see that all is there, without any database.

        Raises:
            ArchiveError: it is damaged, or cut off.
        """
        rows = {}
        for table in self.about.tables:
            # a row ends with a line feed; one that is part of a value is written as \n
            rows[table.name] = sum(part.count(b"\n") for part in self.parts(table.name))
        self.finish(rows.__getitem__)

    def _peek(self) -> tarfile.TarInfo | None:
        if self._next is None:
            with self._told():
                self._next = self._tar.next()
        return self._next

    def _json(self, member: tarfile.TarInfo) -> bytes:
        if member.size > _LONGEST_JSON or not member.isreg():
            raise self._damaged(f"{quote(member.name)} can't be so large: {member.size:,} bytes")
        file = self._tar.extractfile(member)
        data = b"" if file is None else file.read()
        if len(data) < member.size:
            raise self._cut_off()
        return data

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            if isinstance(error, tarfile.ReadError) and "empty" in str(error):
                raise ArchiveError(f"{self._name} is no backup of Tsuji: it is empty") from error
            raise self._damaged(str(error) or type(error).__name__) from error

    def _damaged(self, what: str) -> ArchiveError:
        return ArchiveError(
            f"{self._name} is damaged or no backup of Tsuji: {what}. Use another backup; nothing was "
            "changed"
        )

    def _cut_off(self) -> ArchiveError:
        return ArchiveError(
            f"{self._name} ends too early: it was cut off while it was written or copied. Use a whole one; "
            "nothing was changed"
        )
