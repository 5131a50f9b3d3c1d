"""In which encoding a text file is: those that Japanese offices publish in, told apart by strict decoding."""

import codecs
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
    if _fails(path, "cp932") is None:
        return "cp932"
    raise DatasetError(
        f"{path} is neither UTF-8 ({problem}) nor CP932 ({_fails(path, 'cp932')}); name its encoding "
        "with --encoding, or save it as UTF-8"
    )


def check_encoding(path: Path, encoding: str) -> None:
    """See that a file is in the encoding that somebody says.

    Raises:
        DatasetError: it is not, or there is no such encoding.
    """
    try:
        problem = _fails(path, encoding)
    except LookupError:
        raise DatasetError(f"{encoding!r} is no encoding; write one such as cp932") from None
    if problem:
        raise DatasetError(f"{path} is not {encoding}: {problem}; leave --encoding out to find it")


def _without_mark(path: Path, head: bytes) -> str:
    even, odd = head[::2].count(0), head[1::2].count(0)
    name = "utf-16-le" if odd > even else "utf-16-be"
    if _fails(path, name):
        raise DatasetError(f"{path} holds zero bytes: it is no text")
    return name


def _fails(path: Path, encoding: str) -> str | None:
    """Where the file can't be decoded; None where all of it can."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line, done = 1, 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except (UnicodeDecodeError, UnicodeError) as error:
                reason = getattr(error, "reason", str(error))
                good = getattr(error, "start", 0)
                at = line + chunk[:good].count(b"\n")
                return f"{reason} about line {at}"
            if not isinstance(text, str):
                raise LookupError(encoding)
            if not chunk:
                return None
            line += text.count("\n")
            done += len(chunk)
