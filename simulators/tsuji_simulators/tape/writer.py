"""Writes recordings block by block, each in one write that is on disk before the next; never over a file."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tsuji_simulators.tape.blocks import MAX_MESSAGES, About, End, Kind, Note, pack, pack_messages
from tsuji_simulators.tape.message import SUFFIX, Carried, TapeError, as_time


def _program() -> str:
    try:
        return f"tsuji {version('tsuji')}"
    except PackageNotFoundError:  # run from its sources
        return "tsuji"


class TapeWriter:
    """A recording that is being written, to one file or to several, one after the other.

    Args:
        path: the file; where it rotates, the time at which each begins is added to the name.
        filters: what is recorded, for whoever reads it.
        started_us: when the recording begins, microseconds since 1970.
        rotate_bytes: a file that has reached so many bytes is followed by another one.
        rotate_s: so is one whose first message is so many seconds old.

    Attributes:
        path: the file that is being written.
        files: how many there are.
        messages: in all of them.
        bytes: of all of them.
    """

    def __init__(
        self,
        path: Path,
        *,
        filters: Sequence[str] = ("#",),
        started_us: int,
        rotate_bytes: int | None = None,
        rotate_s: float | None = None,
    ) -> None:
        self._wanted = path
        self._filters = tuple(filters)
        self._started_us = started_us
        self._rotate_bytes = rotate_bytes
        self._rotate_us = None if rotate_s is None else round(rotate_s * 1e6)
        self._rotates = rotate_bytes is not None or rotate_s is not None
        self._file = -1
        self.files = self.messages = self.bytes = 0
        self._open(started_us)

    def write(self, messages: list[Carried]) -> None:
        """Write messages, in the order of their arrival, mostly as one block; they are on disk then.

        Raises:
            TapeError: where the disk takes no more; what was written before stays readable.
        """
        if not messages:
            return
        if self._is_full(messages[0].time_us):
            self.close()
            self._open(messages[0].time_us)
        for begin in range(0, len(messages), MAX_MESSAGES):
            some = messages[begin : begin + MAX_MESSAGES]
            self._put(pack_messages(self._place, some))
            self._in_file += len(some)
            self.messages += len(some)

    def note(self, note: Note) -> None:
        """Write down what a reader should know.

        Raises:
            TapeError: as `write`.
        """
        times = {"first_us": note.from_us, "last_us": note.until_us}
        self._put(pack(Kind.NOTE, self._place, note, **times))

    def close(self) -> None:
        """Say that nothing is missing at the end; a file that was just left can be read as well."""
        if self._file < 0:
            return
        try:
            self._put(pack(Kind.END, self._place, End(messages=self._in_file)))
        finally:
            os.close(self._file)
            self._file = -1

    def abandon(self) -> None:
        """Leave the file as it is, after an error."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _is_full(self, time_us: int) -> bool:
        return bool(self._in_file) and (
            (self._rotate_bytes is not None and self._file_bytes >= self._rotate_bytes)
            or (self._rotate_us is not None and time_us - self._begun_us >= self._rotate_us)
        )

    def _open(self, begun_us: int) -> None:
        self._begun_us = begun_us
        self._place = self._in_file = self._file_bytes = 0
        taken = 0
        while True:
            self.path = self._named(as_time(begun_us), taken) if self._rotates else self._wanted
            try:
                self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
                break
            except FileExistsError:
                taken += 1
                if not self._rotates:
                    raise TapeError(
                        f"{self.path} is there already and is not written over: name another file"
                    ) from None
            except OSError as error:
                raise TapeError(
                    f"{self.path} can't be written: {error.strerror or error}"
                ) from error
        self.files += 1
        self._put(
            pack(
                Kind.ABOUT,
                0,
                About(
                    program=_program(),
                    started_us=self._started_us,
                    filters=self._filters,
                    part=self.files,
                ),
            )
        )
        _sync_folder(self.path.parent)

    def _named(self, begun: datetime, taken: int) -> Path:
        suffix = self._wanted.suffix or SUFFIX
        more = f"-{taken + 1}" if taken else ""
        return self._wanted.with_name(f"{self._wanted.stem}-{begun:%Y%m%dT%H%M%SZ}{more}{suffix}")

    def _put(self, block: bytes) -> None:
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fdatasync(self._file)
        except OSError as error:
            with suppress(OSError):  # a half block would look like a kill
                os.ftruncate(self._file, self._file_bytes)
            raise TapeError(
                f"{self.path} can't be written on: {error.strerror or error}; what it holds stays "
                "readable"
            ) from error
        self._place += 1
        self._file_bytes += len(block)
        self.bytes += len(block)


def _sync_folder(folder: Path) -> None:
    """Let a file's name be there after the machine has failed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems can't
        pass
    finally:
        os.close(descriptor)
