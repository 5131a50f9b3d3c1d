"""CSV of strangers is cut into rows whatever it holds, and what is wrong in a line costs that line only."""

import csv
import io
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tsuji_platform.imports.blocks import Lines, Source
from tsuji_platform.imports.rows import Place, RawRows, Refused
from tsuji_platform.imports.tables import layout_of, tables

_HEADER = ["thing", "observed_property", "time", "result", "period_s"]
_FIELDS = st.text(
    st.sampled_from(list('ab1."\n\r,;\t 　１あ é'))
    | st.characters(codec="utf-8", exclude_characters="\0"),
    max_size=8,
)


def _source(data: bytes) -> Source:
    return Source("test.csv", None, io.BytesIO(data), io.BytesIO(data))


def _raw(data: bytes, block: int, start: Place | None = None) -> Iterator[RawRows]:
    lines = Lines(_source(data), block)
    header, begin = lines.header()
    layout = layout_of(header, "csv", "test.csv")
    if start is not None:
        lines.skip(start.bytes - begin.bytes)
    yield from tables(lines, layout, start or begin)


def _rows(raws: Iterator[RawRows]) -> list[tuple[object, ...]]:
    return [
        (
            int(raw.lines[place]),
            cell.thing,
            cell.observed_property,
            cell.time,
            cell.result,
            cell.period_s,
        )
        for raw in raws
        for place in range(len(raw.lines))
        for cell in [raw.cells(place)]
    ]


@given(
    rows=st.lists(st.lists(_FIELDS, min_size=5, max_size=5), max_size=12),
    mark=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    block=st.sampled_from([1, 7, 64, 1 << 20]),
)
@settings(deadline=None)
def test_what_the_standard_library_writes_is_read_with_its_lines(
    rows: list[list[str]], mark: bool, end: str, quoting: Literal[0, 1], block: int
) -> None:
    if (
        quoting == csv.QUOTE_MINIMAL
    ):  # there it writes a lone carriage return as it is, which ends a line
        rows = [[field.replace("\r", "") for field in row] for row in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=quoting)
    writer.writerow(_HEADER)
    expected = []
    for row in rows:
        line = text.getvalue().count("\n") + 1
        writer.writerow(row)
        expected.append((line, *row))
    data = (b"\xef\xbb\xbf" if mark else b"") + text.getvalue().encode()
    found = list(_raw(data, block))
    assert _rows(iter(found)) == expected
    assert [one for raw in found for one in raw.refused] == []
    # from any place on the rest is the same, and from behind any row
    for number, raw in enumerate(found):
        assert _rows(_raw(data, block, raw.end)) == _rows(iter(found[number + 1 :]))
    for number, row in enumerate(expected, 1):
        (behind,) = [raw.behind(row[0]) for raw in found if row[0] in raw.lines and raw.behind]
        assert behind.rows == number
        assert _rows(_raw(data, block, behind)) == expected[number:]


@given(data=st.binary(max_size=300), block=st.sampled_from([1, 16, 1 << 20]))
@settings(deadline=None)
def test_no_bytes_stop_the_reading_and_no_line_is_lost(data: bytes, block: int) -> None:
    header = b"thing,observed_property,time,result\n"
    found = list(_raw(header + data, block))
    told = {one.line for raw in found for one in raw.refused}
    told |= {int(line) for raw in found for line in raw.lines}
    seen = sum(len(raw.refused) + len(raw.lines) for raw in found)
    assert found[-1].end.bytes == len(header + data) if found else not data
    assert (found[-1].end.rows if found else 0) == seen
    assert len(told) == seen


def _fail_row(text: bytes) -> Refused:
    good = b"a,air_temperature,2026-03-01T09:00:00Z,1,\n"
    data = ",".join(_HEADER).encode() + b"\n" + good + text + good
    found = list(_raw(data, 1 << 20))
    assert sum(len(raw.lines) for raw in found) == 2
    (refused,) = [one for raw in found for one in raw.refused]
    assert refused.line == 3
    return refused


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        (b"a,b\n", "wrong_shape", "2 fields, and the header has 5"),
        (b"a,b,c,d,e,f\n", "wrong_shape", "6 fields"),
        (
            b"\x93\xfa\x96\x7b,air_temperature,2026-03-01T09:00:00Z,1,\n",
            "wrong_shape",
            "--encoding",
        ),
        (b'"' + b"x" * 70_000 + b'",b,c,1,\n', "oversize", "70010 bytes"),
        (b"x" * 3_000_000 + b"\n", "oversize", "3000001 bytes"),
    ],
)
def test_a_row_that_cannot_be_taken_apart_is_refused_alone(
    text: bytes, reason: str, said: str
) -> None:
    refused = _fail_row(text)
    assert refused.reason == reason
    assert said in refused.detail
    assert len(refused.row) < 10_000


def test_a_quote_that_is_never_closed_costs_its_own_line_only() -> None:
    good = b"a,air_temperature,2026-03-01T09:00:00Z,1,\n"
    data = ",".join(_HEADER).encode() + b'\n"a,b,c,1,\n' + good * 5_000
    found = list(_raw(data, 1 << 16))
    (refused,) = [one for raw in found for one in raw.refused]
    assert (refused.line, refused.reason) == (2, "wrong_shape")
    assert sum(len(raw.lines) for raw in found) == 5_000


_PLAIN = st.text(st.sampled_from(list('ab1.",; é')), max_size=6)
_LONG = st.text(st.sampled_from(list('ab1.",;\n')), max_size=6).map(lambda text: "n" + text)
_ROW = st.tuples(st.tuples(_PLAIN, _PLAIN, _PLAIN, _PLAIN, _LONG), st.booleans())


def _written(row: tuple[str, ...], quoted: bool) -> str:
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    csv.writer(text, lineterminator="\n", quoting=quoting).writerow(row)
    return text.getvalue()


@given(
    before=st.lists(_ROW, max_size=4),
    damaged=st.tuples(_PLAIN, _PLAIN, _PLAIN, _PLAIN, _PLAIN),
    quoted=st.booleans(),
    cut=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    put=st.text(st.sampled_from(list('"",ab')), max_size=3),
    behind=st.lists(_ROW, min_size=1, max_size=6),
    block=st.sampled_from([1, 40, 1 << 20]),
)
@settings(deadline=None, max_examples=400)
@example(
    before=[], damaged=("a", "b", "c", "1", ""), quoted=False, cut=(8, 8), put='"',
    behind=[(("a", "b", "c", "2", "n"), True)] * 3, block=1 << 20,
)  # fmt: skip
def test_a_damaged_line_costs_that_line_only(
    before: list[tuple[tuple[str, ...], bool]],
    damaged: tuple[str, ...],
    quoted: bool,
    cut: tuple[int, int],
    put: str,
    behind: list[tuple[tuple[str, ...], bool]],
    block: int,
) -> None:
    """Whatever is cut out of a line and put in instead, quotes above all."""
    text, expected = ",".join(_HEADER) + "\n", []
    for row, all_quoted in before:
        expected.append((text.count("\n") + 1, *row))
        text += _written(row, all_quoted)
    number, line = text.count("\n") + 1, _written(damaged, quoted).rstrip("\n")
    text += line[: min(cut)] + put + line[max(cut) :] + "\n"
    for row, all_quoted in behind:
        expected.append((text.count("\n") + 1, *row))
        text += _written(row, all_quoted)
    found = list(_raw(text.encode(), block))
    assert [row for row in _rows(iter(found)) if row[0] != number] == expected
    assert {one.line for raw in found for one in raw.refused} <= {number}


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_quotes_that_open_nothing_are_letters_and_those_out_of_order_are_refused(
    block: int,
) -> None:
    good = b"a,b,c,1,\n"
    data = (
        ",".join(_HEADER).encode() + b"\n"
        b'5" pole,a "quoted" word,c,1,\n' + good +  # 2, 3
        b'"a"b,b,c,1,\n' + good +  # 4, 5
        b'a,b,"c,1,\n' + good +  # 6, 7
        b'"two\nlines","a ""quoted"" word",c,1,\n' + good +  # 8, 10
        b'"two\nlines",b,c,1\n' + good  # 11 and 12 are no rows, 13
    )  # fmt: skip
    found = list(_raw(data, block))
    rows = {row[0]: row[1:] for row in _rows(iter(found))}
    assert sorted(rows) == [2, 3, 5, 7, 8, 10, 13]
    assert rows[2][:2] == ('5" pole', 'a "quoted" word')
    assert rows[8][:2] == ("two\nlines", 'a "quoted" word')
    refused = {one.line: one.detail for raw in found for one in raw.refused}
    assert sorted(refused) == [4, 6, 11, 12]
    assert "write a quote within quotes twice" in refused[4]
    assert "not closed" in refused[6]
