"""Keeps refused rows apart in a file beside the imported one, as long as the import has got and no longer."""

import csv
import fcntl
import io
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tsuji_platform.imports.rows import ImportFileError, Refused

_HEADER = b"line,reason,detail,row\r\n"


def free_path(beside: Path) -> Path:
    """A name for rejected rows that no file has: `FILE.rejected.csv`, or with a number."""
    number = 1
    while True:
        more = "" if number == 1 else f"-{number}"
        path = beside.with_name(f"{beside.name}.rejected{more}.csv")
        if not path.exists() and not path.is_symlink():
            return path
        number += 1


def copy_kept(path: Path, size: int, other: Path) -> None:
    """Let an import go on in another file of rejected rows, with those that it has kept already.

    Args:
        path: where they are.
        size: how many bytes of it belong to the rows that are done.
        other: the other file; there is none of that name yet.

    Raises:
        ImportFileError: where it can't be written.
    """
    if size == 0 or path == other or not path.is_file():
        return
    try:
        with path.open("rb") as old, other.open("xb") as new:
            try:
                shutil.copyfileobj(old, new)
                new.truncate(size)
                new.flush()
                os.fsync(new.fileno())
            except OSError:
                other.unlink()
                raise
    except OSError as error:
        raise _trouble(other, error) from error


def _trouble(path: Path, error: OSError) -> ImportFileError:
    return ImportFileError(
        f"rejected rows can't be kept in {path}: {error.strerror or error}; --rejected names another "
        "file. The same command then goes on where this one stopped"
    )


class RejectedFile:
    """The rejected rows of one import.

    What is written after the last commit of the import is cut off when that goes on: so the file
    says the same as if the import had never ended early. While it is open nobody else writes it.

    Args:
        path: where they are kept.
        size: how many bytes of it belong to the rows that are done; 0 where none was refused yet,
            and a file that is there then is somebody else's unless it says no more than this one will.
        beside: what another name is made from where `path` is somebody else's.

    Attributes:
        path: where they are kept in fact.
        size: bytes that are written.
    """

    def __init__(self, path: Path, size: int, beside: Path) -> None:
        self._beside = beside
        self.path = path
        self.size = size
        try:
            self._file = self._continued()
        except OSError as error:
            raise _trouble(self.path, error) from error

    def _continued(self) -> io.BufferedRandom | None:
        if self.size == 0 or not self.path.exists():
            self.size = 0
            return None
        file = self.path.open("r+b")
        if not _is_ours_alone(file):
            file.close()
            raise ImportFileError(
                f"another import writes {self.path} at this moment: wait for its end, then repeat the "
                "same command"
            )
        if file.read(len(_HEADER)) != _HEADER or os.fstat(file.fileno()).st_size < self.size:
            file.close()
            self.path, self.size = free_path(self._beside), 0
            return None
        file.truncate(self.size)
        file.seek(self.size)
        return file

    def close(self) -> None:
        """Close it; where nothing was refused after all there is none."""
        if self._file is not None:
            self._file.close()
            if self.size <= len(_HEADER):
                self.path.unlink(missing_ok=True)
        self._file = None

    def add(self, refused: Iterable[Refused]) -> None:
        """Write rows, and see that they are on disk.

        Raises:
            ImportFileError: where they can't be written.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerows((one.line, one.reason, one.detail, one.row) for one in refused)
        data = text.getvalue().encode("utf-8", "backslashreplace")
        if not data:
            return
        try:
            if self._file is None:
                self._file = self._created(data)
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _trouble(self.path, error) from error
        self.size += len(data)

    def _created(self, data: bytes) -> io.BufferedRandom:
        while True:
            try:
                file = self.path.open("r+b" if self._is_left(data) else "x+b")
            except FileExistsError:
                self.path = free_path(self._beside)
                continue
            if not _is_ours_alone(file):
                file.close()
                self.path = free_path(self._beside)
                continue
            file.truncate(0)
            self.size = file.write(_HEADER)
            return file

    def _is_left(self, data: bytes) -> bool:
        """Whether a killed import wrote the file: to write these rows then loses nothing of it."""
        whole = _HEADER + data
        if not self.path.is_file() or self.path.stat().st_size > len(whole):
            return False
        return whole.startswith(self.path.read_bytes())


def _is_ours_alone(file: io.BufferedRandom) -> bool:
    try:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:  # a file system without locks: the database keeps others from the same import
        return True
    return False
