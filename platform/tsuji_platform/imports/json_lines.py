"""Reads JSON lines: one object a line, with the names of the long form."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from tsuji_platform.contract import Reason, RejectedError
from tsuji_platform.contract.documents import load_json
from tsuji_platform.contract.messages import parse_period
from tsuji_platform.contract.rejection import quote
from tsuji_platform.imports.blocks import Lines
from tsuji_platform.imports.rows import Cells, Place, RawRows, Refused

_SHOWN = 2_000


def json_lines(lines: Lines, start: Place) -> Iterator[RawRows]:
    """The rows of a file from a place on.

    Args:
        lines: at that place.
        start: the place.
    """
    place = start
    while data := lines.block():
        raw = _rows(data, place)
        place = raw.end
        yield raw


def _rows(data: bytes, start: Place) -> RawRows:
    documents: list[dict[str, Any]] = []
    texts: list[bytes] = []
    numbers: list[int] = []
    refused: list[Refused] = []
    rows, number = start.rows, start.lines
    for number, text in enumerate(_split(data, start), start.lines + 1):
        if not text.strip():
            continue
        rows += 1
        try:
            document = _document(text)
        except RejectedError as error:
            refused.append(Refused.of(error, number, _shown(text)))
            continue
        documents.append(document)
        texts.append(text)
        numbers.append(number)
    return RawRows(
        end=Place(rows=rows, lines=number, bytes=start.bytes + len(data)),
        lines=np.array(numbers, dtype=np.int64),
        thing=_texts(documents, "thing"),
        observed_property=_texts(documents, "observed_property"),
        unit=_texts(documents, "unit") if any("unit" in one for one in documents) else None,
        time=_texts(documents, "time"),
        result=_results(documents),
        period_s=pa.array([one.get("period_s") for one in documents], pa.int64()),
        cells=lambda place: _cells(documents[place]),
        original=lambda place: _shown(texts[place]),
        behind=lambda line: _behind(data, start, line),
        refused=refused,
    )


def _behind(data: bytes, start: Place, line: int) -> Place:
    """Where the line behind this one begins."""
    texts, used = data.split(b"\n", line - start.lines)[: line - start.lines], 0
    for text in texts:
        used += len(text) + 1
    rows = sum(bool(text.strip()) for text in texts)
    return Place(rows=start.rows + rows, lines=line, bytes=start.bytes + min(used, len(data)))


def _document(text: bytes) -> dict[str, Any]:
    """One line's object. What may be text in a table must be a number in JSON, as in a message.

    Raises:
        RejectedError: `broken_json`, `oversize`, `wrong_shape`, `not_a_number`.
    """
    document = load_json(text)
    if not isinstance(document, dict):
        raise RejectedError(
            Reason.WRONG_SHAPE,
            'expected an object such as {"thing": "pole-001", "observed_property": '
            '"air_temperature", "time": "2026-04-01T09:00:00+09:00", "result": 12.4}, got '
            f"{quote(document)}",
        )
    result, name = document.get("result"), document.get("observed_property")
    if isinstance(result, str):
        raise RejectedError(Reason.NOT_A_NUMBER, f"{quote(name)} is {quote(result)}, not a number")
    parse_period(document.get("period_s"))
    return document


def _split(data: bytes, start: Place) -> list[bytes]:
    if not start.bytes:
        data = data.removeprefix(b"\xef\xbb\xbf")
    texts = data.split(b"\n")
    if not texts[-1]:
        texts.pop()
    return texts


def _texts(documents: list[dict[str, Any]], name: str) -> pa.Array:
    """What is no text is missing here and judged by its cell."""
    found = (one.get(name) for one in documents)
    return pa.array([one if type(one) is str else None for one in found], pa.string())


def _results(documents: list[dict[str, Any]]) -> pa.Array:
    """What is no number, or a very long one, is missing here and judged by its cell."""
    found = (one.get("result") for one in documents)
    return pa.array(
        [
            float(one) if type(one) is float or (type(one) is int and one < 1 << 53) else None
            for one in found
        ],
        pa.float64(),
    )


def _cells(document: dict[str, Any]) -> Cells:
    return Cells(
        thing=document.get("thing"),
        observed_property=document.get("observed_property"),
        unit=document.get("unit"),
        time=document.get("time"),
        result=document.get("result"),
        period_s=document.get("period_s"),
    )


def _shown(text: bytes) -> str:
    return text[:_SHOWN].rstrip(b"\r\n").decode("utf-8", "backslashreplace")
