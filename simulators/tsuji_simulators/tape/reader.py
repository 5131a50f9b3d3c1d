"""Reads recordings: says where one is damaged or cut short, and goes on behind it when told to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tsuji_simulators.tape.blocks import (
    HEAD_BYTES,
    MAGIC,
    About,
    BlockError,
    CutError,
    End,
    Head,
    Kind,
    Note,
    find_head,
    read_body,
    read_head,
)
from tsuji_simulators.tape.message import SUFFIX, Carried, Span, TapeError, Tell, as_time


class DamagedError(TapeError):
    """A file is damaged in its midst; the message says where."""


@dataclass(slots=True)
class _Seen:
    """What has been read of a file."""

    messages: int = 0
    place: int | None = -1  # of the last block; None where that is not known
    last_us: int = 0
    is_ended: bool = False

    def until(self) -> str:
        when = (
            f", the last of {as_time(self.last_us):%Y-%m-%d %H:%M:%S} UTC" if self.messages else ""
        )
        return f"{self.messages:,} messages before it{when}"


class Tape:
    """A recording in a file.

    Args:
        path: the file.
        skip_damaged: go on behind what is damaged.
        tell: is told what was passed over, and what else there is to know.

    Raises:
        TapeError: where it can't be opened, or is none.
    """

    def __init__(self, path: Path, *, skip_damaged: bool = False, tell: Tell | None = None) -> None:
        self.name = str(path)
        self._path = path
        self._skip = skip_damaged
        self._tell = tell or (lambda _: None)
        self._told: set[str] = set()
        with _opened(path):
            pass

    def span(self) -> Span | None:
        """How much there is by what its blocks say of themselves, without unpacking them.

        Damage is passed over and not told: `messages` does that, in its place.
        """
        found: Span | None = None
        with _opened(self._path) as file:
            size = os.fstat(file.fileno()).st_size
            for head, at in self._heads(file, None):
                if head.kind is Kind.MESSAGES and head.count and at + head.stored <= size:
                    one = Span(first_us=head.first_us, last_us=head.last_us, messages=head.count)
                    found = one if found is None else found.joined(one)
                file.seek(at + head.stored)
        return found

    def messages(self) -> Iterator[Carried]:
        """All messages, from the beginning.

        Raises:
            DamagedError: where it is damaged and not to be skipped.
        """
        seen = _Seen()
        with _opened(self._path) as file:
            for head, at in self._heads(file, seen):
                self._follow(head, at, seen)
                try:
                    if head.kind is Kind.MESSAGES:
                        messages = read_body(file, head, list[Carried])
                    else:
                        messages = []
                        self._look(file, head, seen)
                except CutError:
                    self._say_cut(at, seen)
                    return
                except BlockError as error:
                    lost = (
                        f"{head.count:,} messages are lost" if head.count else "no message is lost"
                    )
                    self._damaged(at, at + head.stored, f"{error}; {lost}", seen)
                    file.seek(at + head.stored)
                    continue
                yield from messages
                if messages:
                    seen.messages += len(messages)
                    seen.last_us = messages[-1].time_us
        if not seen.is_ended:
            self._say(f"{self.name} was not closed: what came in its last second may be missing")

    def _heads(self, file: BinaryIO, seen: _Seen | None) -> Iterator[tuple[Head, int]]:
        """The heads, with the places of their bodies, at which the file stands then."""
        while True:
            begin = file.tell()
            try:
                head = read_head(file)
            except CutError:
                if seen is not None:
                    self._say_cut(begin, seen)
                    seen.is_ended = True  # it is said
                return
            except BlockError as error:
                end = find_head(file, begin + 1)
                if seen is not None:
                    self._damaged(begin, end, str(error), seen)
                    seen.place = None
                file.seek(end)
                continue
            if head is None:
                return
            yield head, file.tell()

    def _follow(self, head: Head, at: int, seen: _Seen) -> None:
        """See whether a block is missing; a file that was appended to another one begins anew."""
        begins = head.place == 0 and head.kind is Kind.ABOUT
        if seen.place is not None and head.place != seen.place + 1 and not begins:
            begin = at - HEAD_BYTES
            what = f"block {head.place:,} follows block {seen.place:,}; messages are missing"
            self._damaged(begin, begin, what, seen)
        seen.place = head.place

    def _look(self, file: BinaryIO, head: Head, seen: _Seen) -> None:
        if head.kind is Kind.NOTE:
            self._say(f"{self.name}: {read_body(file, head, Note).text}")
        elif head.kind is Kind.END:
            read_body(file, head, End)
            seen.is_ended = True
        else:
            read_body(file, head, About)

    def _say_cut(self, at: int, seen: _Seen) -> None:
        self._say(
            f"{self.name} ends in the middle of a block (from byte {at:,}), as after a kill: "
            f"{seen.until()}"
        )

    def _damaged(self, begin: int, end: int, what: str, seen: _Seen) -> None:
        text = f"{self.name} is damaged from byte {begin:,} to {end:,}: {what}; {seen.until()}"
        if not self._skip:
            raise DamagedError(f"{text}. --skip-damaged goes on behind it")
        self._say(f"{text}; passed over")

    def _say(self, text: str) -> None:
        if text not in self._told:  # it is read more than once
            self._told.add(text)
            self._tell(text)


def is_tape(path: Path) -> bool:
    """Whether a file begins as recordings do, or is called like one."""
    try:
        with path.open("rb") as file:
            return path.suffix == SUFFIX or file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise TapeError(f"{path} can't be read: {error.strerror or error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise TapeError(f"{path} can't be read: {error.strerror or error}") from error
    with file:
        yield file
