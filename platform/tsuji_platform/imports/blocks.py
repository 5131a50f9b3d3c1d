"""Reads text files, packed or not, as blocks of whole lines, in the same memory however large they are."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa

from tsuji_platform.imports.rows import ImportFileError, Place

BLOCK_BYTES = 2 << 20
MAX_LINE_BYTES = 64 << 20
"""A file with a longer line is no file of rows."""
STDIN = "-"

_GZIP, _ZSTD, _MARK = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf"
_WIDE = {  # UTF-32 first: its mark begins with that of UTF-16
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_BROKEN = (OSError, EOFError, zlib.error, pa.ArrowException)


class Bytes(Protocol):
    """What can be read, packed or not."""

    def read(self, size: int, /) -> bytes:
        """So many bytes or fewer; none at the end."""


@dataclass(slots=True)
class Source:
    """An open file.

    Attributes:
        name: as it is called in messages.
        size: bytes on disk; None where that is not known.
    """

    name: str
    size: int | None
    _raw: IO[bytes]
    _text: Bytes
    _head: bytes = b""

    @property
    def position(self) -> int:
        """How many of the bytes on disk have been read."""
        return self._raw.tell() if self.size is not None else 0

    def read(self, size: int) -> bytes:
        """So many bytes of text, fewer at the end only.

        Raises:
            ImportFileError: where the file can't be read on from here.
        """
        parts, missing = [], size
        try:
            while missing > 0 and (part := self._text.read(missing)):
                parts.append(part)
                missing -= len(part)
        except _BROKEN as error:
            raise ImportFileError(
                f"{self.name} can't be read on: {error}; is it complete? Repeat the command with a "
                "whole file: what is in changes nothing"
            ) from error
        return b"".join(parts)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file; `-` is standard input. Packed ones (gzip, Zstandard) are unpacked.

    Raises:
        ImportFileError: where it can't be opened.
    """
    if str(path) == STDIN:
        yield Source("standard input", None, sys.stdin.buffer, sys.stdin.buffer)
        return
    try:
        if not path.is_file():
            raise ImportFileError(f"{path} is not a file")
        raw = path.open("rb")
        with raw:
            head = raw.read(4)
            raw.seek(0)
            yield Source(str(path), path.stat().st_size, raw, _unpacked(raw, head))
    except OSError as error:
        raise ImportFileError(f"{path} can't be read: {error.strerror or error}") from error


def _unpacked(raw: IO[bytes], head: bytes) -> Bytes:
    if head.startswith(_GZIP):
        unpacked: Bytes = gzip.GzipFile(fileobj=raw)
        return unpacked
    if head == _ZSTD:
        stream: Bytes = pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")
        return stream
    return raw


class Lines:
    """The lines of one file, many at a time.

    Args:
        source: to read from, at its beginning.
        block_bytes: how much to read at once.

    Attributes:
        ended: whether there are no more.
    """

    def __init__(self, source: Source, block_bytes: int = BLOCK_BYTES) -> None:
        self._source = source
        self._size = block_bytes
        self._rest = b""
        self.ended = False

    def header(self) -> tuple[bytes, Place]:
        """The first line, without its end and without a byte order mark, and where the next begins.

        Raises:
            ImportFileError: where there is none.
        """
        data = self.block()
        line, end, rest = data.partition(b"\n")
        if not line.strip():
            raise ImportFileError(f"{self._source.name} has nothing in its first line")
        wide = next((name for mark, name in _WIDE.items() if line.startswith(mark)), None)
        if wide is not None:
            raise ImportFileError(
                f"{self._source.name} is {wide}; save it as UTF-8, for instance with iconv"
            )
        self._rest = rest + self._rest
        return line.removeprefix(_MARK).rstrip(b"\r"), Place(lines=1, bytes=len(line) + len(end))

    def skip(self, size: int) -> None:
        """Pass over so many bytes of text."""
        dropped = min(size, len(self._rest))
        self._rest, size = self._rest[dropped:], size - dropped
        while size > 0 and not self.ended:
            part = self._source.read(min(size, self._size))
            size -= len(part)
            self.ended = not part

    def block(self, carried: bytes = b"") -> bytes:
        """What was left over, with more whole lines behind it; empty at the end.

        Args:
            carried: the end of the last block, where it could not be used yet.

        Raises:
            ImportFileError: where the file can't be read on, or has no lines.
        """
        parts, size = [self._rest], len(self._rest)
        cut = self._rest.rfind(b"\n") + 1
        while not cut and not self.ended:
            part = self._source.read(self._size)
            self.ended = len(part) < self._size
            found = part.rfind(b"\n") + 1
            if found:
                cut = size + found
            parts.append(part)
            size += len(part)
            if size > MAX_LINE_BYTES and not cut:
                raise ImportFileError(
                    f"{self._source.name} has a line of more than {MAX_LINE_BYTES >> 20} MiB; it is "
                    "no file of rows"
                )
        data = b"".join(parts)
        if self.ended:
            self._rest = b""
            return carried + data
        self._rest = data[cut:]
        return carried + data[:cut]
