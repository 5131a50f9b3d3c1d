"""One log file per child, which never grows beyond a limit and never blocks the child."""

import contextlib
from pathlib import Path
from typing import BinaryIO

LIMIT_BYTES = 8_000_000
"""At this size the file becomes NAME.log.1, and a new one begins."""


class LogFile:
    """A file that takes what a child prints.

    Args:
        path: the file; its folder exists.
        limit: bytes at which it is turned over.
    """

    def __init__(self, path: Path, limit: int = LIMIT_BYTES) -> None:
        self.path = path
        self._limit = limit
        self._rest = b""
        self._open()

    def _open(self) -> None:
        self._file: BinaryIO = self.path.open("ab", buffering=0)
        self._size = self._file.tell()

    def write(self, chunk: bytes) -> list[str]:
        """Append what was printed, and return the lines that it completed."""
        # A full disk, or a folder that somebody removed, must not take the processes down with it.
        with contextlib.suppress(OSError):
            if self._file.closed:
                self._open()
            self._file.write(chunk)
            self._size += len(chunk)
            if self._size >= self._limit:
                self._turn_over()
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[-10_000:]
        return [line.decode("utf-8", errors="replace") for line in lines]

    def _turn_over(self) -> None:
        self._file.close()
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self._open()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
