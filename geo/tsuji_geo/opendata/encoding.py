"""In which encoding a text file is: those that Japanese offices publish in, told apart by strict decoding."""

import codecs
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tsuji_geo.opendata.errors import DatasetError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNATURES = {
    b"PK\x03\x04": "a zip or an Excel workbook: unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
    b"%PDF": "a PDF: look for the publisher's CSV",
    b"\x1f\x8b": "compressed: unpack it",
    b"\x00asm": "no text",
}
_CHUNK_BYTES = 1 << 20
_BEYOND = re.compile(r"[^\x00-\x7f]")
_ENOUGH = 4
"""Characters beyond ASCII that are good UTF-8 by chance so rarely that it is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """Where a file can't be decoded, and how many characters beyond ASCII were good before."""

    reason: str
    line: int
    good_before: int

    def __str__(self) -> str:
        """For messages."""
        return f"{self.reason} in line {self.line}"


def encoding_of(path: Path) -> str:
    """Find out a file's encoding: UTF-8 or UTF-16 with a byte order mark, UTF-8, UTF-16 or CP932.

    The whole file is decoded strictly, so that a name never becomes something else unnoticed.

    Raises:
        DatasetError: it is none of these, or no text at all; says where it fails.
    """
    with path.open("rb") as file:
        head = file.read(4_096)
    for signature, advice in _SIGNATURES.items():
        if head.startswith(signature):
            raise DatasetError(f"{path} is {advice}")
    for mark, name in _MARKS:
        if head.startswith(mark):
            problem = _fails(path, name)
            if problem:
                raise DatasetError(
                    f"{path} begins like {name} and is not: {problem}; save it as UTF-8"
                )
            return name
    if b"\x00" in head:
        return _without_mark(path, head)
    problem = _fails(path, "utf-8")
    if problem is None:
        return "utf-8"
    if problem.good_before >= _ENOUGH:  # CP932 fails at its first or second character
        raise DatasetError(
            f"{path} is UTF-8 and breaks: {problem}; was the download complete? If its encoding is "
            "another, name it with --encoding"
        )
    other = _fails(path, "cp932")
    if other is None:
        return "cp932"
    raise DatasetError(
        f"{path} is neither UTF-8 ({problem}) nor CP932 ({other}); name its encoding with --encoding, "
        "or save it as UTF-8"
    )


def check_encoding(path: Path, encoding: str) -> None:
    """See that a file is in the encoding that somebody says.

    Raises:
        DatasetError: it is not, or there is no such encoding.
    """
    try:
        " ".encode(encoding)
    except (LookupError, UnicodeError):
        raise DatasetError(f"{encoding!r} is no encoding; write one such as cp932") from None
    problem = _fails(path, encoding)
    if problem:
        raise DatasetError(f"{path} is not {encoding}: {problem}; leave --encoding out to find it")


def _without_mark(path: Path, head: bytes) -> str:
    even, odd = head[::2].count(0), head[1::2].count(0)
    name = "utf-16-le" if odd > even else "utf-16-be"
    if _fails(path, name):
        raise DatasetError(f"{path} holds zero bytes: it is no text")
    return name


def _fails(path: Path, encoding: str) -> _Failure | None:
    """Where the file can't be decoded; None where all of it can."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line, good_before = 1, 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                before = error.object[: error.start].decode(encoding, "ignore")
                return _Failure(
                    reason=error.reason,
                    line=line + before.count("\n"),
                    good_before=good_before + _not_ascii(before),
                )
            if not chunk:
                return None
            line += text.count("\n")
            if good_before < _ENOUGH:
                good_before += _not_ascii(text)


def _not_ascii(text: str) -> int:
    """How many characters are beyond ASCII; no more are counted than are needed."""
    return sum(1 for _ in islice(_BEYOND.finditer(text), _ENOUGH))
