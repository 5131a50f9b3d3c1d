"""Cuts text into records by the quoting of RFC 4180, so that a stray quote costs its own line and no other.

A quote opens a field only at its very beginning, and closes it only where the field ends, too; any other
quote is a character like all others. A record that goes over several lines is believed only if all of
its quotes are in order and it has as many fields as the header. Otherwise its first line is refused
alone, and the next line begins anew. Whoever damages one line leaves an odd number of quotes in it, and
lines that are well have an even one: so these can't close what the damaged one has opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import AnyStr

import numpy as np
from numpy.typing import NDArray

MAX_RECORD_BYTES = 65_536
"""No row is longer."""
_QUOTE = b'"'
_LINE_ENDS = (b"\n", b"\r\n", b"\r", b"")
_UNCLOSED = "a quote that is opened is not closed"
_GOES_ON = "something stands behind a quote that closes: write a quote within quotes twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of the text.

    Attributes:
        text: with its line end.
        lines: how many it has.
        problem: why its fields can't be told apart; empty where they can.
    """

    text: bytes
    lines: int = 1
    problem: str = ""


def records(data: bytes, delimiter: bytes, width: int, *, final: bool) -> Iterator[Record]:
    """The records of some whole lines; the last ones are left over where more text may complete them.

    Args:
        data: the lines.
        delimiter: between fields, one byte.
        width: how many fields a record has.
        final: whether there is no more text.
    """
    start = 0
    while start < len(data):
        record = _record(data, start, delimiter, width, final=final)
        if record is None:
            return
        yield record
        start += len(record.text)


def fields_of(text: str, delimiter: str) -> list[str]:
    """The fields of a record without a problem and without its line end."""
    if '"' not in text:
        return text.split(delimiter)
    fields, at = [], 0
    while True:
        if text.startswith('"', at):
            close = _closing(text, '"', at + 1, len(text))
            fields.append(text[at + 1 : close].replace('""', '"'))
            at = close + 1
        else:
            end = text.find(delimiter, at)
            end = len(text) if end < 0 else end
            fields.append(text[at:end])
            at = end
        if at >= len(text):
            return fields
        at += 1


def in_order(text: bytes, delimiter: bytes) -> bool:
    """Whether in each line by itself all quotes open fields, close them, or stand there twice."""
    letters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(letters == ord(_QUOTE))
    if not len(quotes):
        return True
    ends = np.flatnonzero(letters == ord("\n"))
    if (np.searchsorted(quotes, ends) % 2).any() or len(quotes) % 2:
        return False
    around: NDArray[np.uint8] = np.full(len(letters) + 2, ord("\n"), np.uint8)
    around[1:-1] = letters
    before, after = around[quotes[::2]], around[quotes[1::2] + 2]
    opens = np.isin(before, np.frombuffer(b'\n"' + delimiter, np.uint8))
    closes = np.isin(after, np.frombuffer(b'\r\n"' + delimiter, np.uint8))
    return bool(opens.all() and closes.all())


def _record(data: bytes, start: int, delimiter: bytes, width: int, *, final: bool) -> Record | None:
    first_end = end = _line_end(data, start)
    if first_end - start > MAX_RECORD_BYTES or data.find(_QUOTE, start, first_end) < 0:
        return Record(text=data[start:first_end])

    def refused(problem: str) -> Record:
        return Record(text=data[start:first_end], problem=problem)

    at, lines, fields = start, 1, 1
    while True:
        if data.startswith(_QUOTE, at):
            close = _closing(data, _QUOTE, at + 1, start + MAX_RECORD_BYTES)
            if close < 0:
                if not final and len(data) - start <= MAX_RECORD_BYTES:
                    return None
                return refused(_UNCLOSED)
            lines += data.count(b"\n", at, close)
            at = close + 1
            end = max(end, _line_end(data, at))
            if not data.startswith(delimiter, at) and data[at:end] not in _LINE_ENDS:
                return refused(_GOES_ON if end == first_end else _UNCLOSED)
            found = at if data.startswith(delimiter, at) else -1
        else:
            found = data.find(delimiter, at, end)
            if lines > 1 and data.find(_QUOTE, at, end if found < 0 else found) >= 0:
                return refused(_UNCLOSED)
        if found < 0:
            break
        at, fields = found + 1, fields + 1
    if lines > 1 and fields != width:
        return refused(_UNCLOSED)
    return Record(text=data[start:end], lines=lines)


def _closing(text: AnyStr, quote: AnyStr, at: int, end: int) -> int:
    """Where the field that is open closes; -1 where it doesn't before an end."""
    while (at := text.find(quote, at, end)) >= 0:
        if not text.startswith(quote, at + 1):
            return at
        at += 2
    return -1


def _line_end(data: bytes, start: int) -> int:
    found = data.find(b"\n", start)
    return len(data) if found < 0 else found + 1
