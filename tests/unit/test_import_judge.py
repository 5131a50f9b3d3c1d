"""Columns are judged as the contract judges message by message, row for row."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuji_platform.contract import OBSERVED_PROPERTIES, RejectedError, decode_observations
from tsuji_platform.contract.topics import check_thing_id
from tsuji_platform.imports.blocks import Lines, Source
from tsuji_platform.imports.json_lines import json_lines
from tsuji_platform.imports.judge import Judge
from tsuji_platform.imports.names import Names
from tsuji_platform.imports.parquet import ParquetRows
from tsuji_platform.imports.rows import Cells, JudgedRows, Place, RawRows

NOW = datetime(2026, 4, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TIMES = st.one_of(
    st.sampled_from(
        [
            "2026-03-01T09:00:00+09:00",
            "2026-03-01 09:00:00.123456789Z",
            "2026-03-01t09:00:00z",
            "2026-03-01T09:00:00",
            "2026-02-30T09:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T09:00:60Z",
            "2026-03-01T09:00Z",
            "2026-03-01T09:00:00+0900",
            "2026-03-01T09:00:00.5+09",
            "2026-03-01T09:00:00,5Z",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00+09:00",
            "1969-12-31T23:59:59Z",
            "2026-04-01T00:05:00Z",
            "2026-04-01T00:05:00.000001Z",
            "２０２６-03-01T09:00:00Z",
            "",
            "2026",
        ]
    ),
    st.integers(-10 * 365, 60 * 365).map(
        lambda days: (_EPOCH + timedelta(days=days, microseconds=days)).isoformat()
    ),
)
_NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=64).filter(lambda x: abs(x) < 1e300),
    st.integers(-100, 2_000_000),
    st.integers(-10, 600).map(lambda n: n / 10),
)
_PERIODS = st.sampled_from([None, 1, 300, 3600, 31 * 86_400, 0, -5, 31 * 86_400 + 1])
_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["pole-001", "p:2.x_", "-bad", "", "とうきょう", "x" * 65]),
        st.sampled_from([*OBSERVED_PROPERTIES, "temperature", "", "Air_temperature"]),
        _TIMES,
        _NUMBERS,
        _PERIODS,
    ),
    min_size=1,
    max_size=30,
)


def _raw(columns: dict[str, pa.Array]) -> RawRows:
    count = len(columns["thing"])

    def cells(place: int) -> Cells:
        held = {part: column[place].as_py() for part, column in columns.items()}
        return Cells(**({"unit": None, "period_s": None} | held))

    return RawRows(
        end=Place(rows=count, lines=count),
        lines=np.arange(1, count + 1),
        cells=cells,
        original=str,
        **columns,
    )


def _texts(**columns: list[str]) -> RawRows:
    return _raw({name: pa.array(held, pa.string()) for name, held in columns.items()})


def _believed(judged: JudgedRows) -> list[tuple[int, str, str, datetime, float, int | None]]:
    return [
        (line, *judged.names[code], _EPOCH + timedelta(microseconds=time), result, period or None)
        for line, code, time, result, period in zip(
            judged.lines.tolist(),
            judged.codes.tolist(),
            judged.times_us.tolist(),
            judged.results.tolist(),
            judged.periods.tolist(),
            strict=True,
        )
    ]


@given(_ROWS)
@settings(deadline=None)
def test_what_is_believed_and_why_not_is_what_a_message_would_be_told(
    rows: list[tuple[str, str, str, float, int | None]],
) -> None:
    believed, reasons = [], {}
    for line, (thing, name, time, result, period_s) in enumerate(rows, 1):
        message = {"time": time, "results": {name: result}}
        if period_s is not None:
            message["period_s"] = period_s
        try:
            check_thing_id(thing)
        except RejectedError as error:
            reasons[line] = error.rejection.reason
            continue
        decoded = decode_observations(thing, orjson.dumps(message), NOW)
        believed += [
            (line, thing, name, one.phenomenon_time, one.result, one.period_s)
            for one in decoded.observations
        ]
        for one in decoded.rejections:
            reasons[line] = one.reason
    for wide in (False, True):
        results = [str(row[3]) for row in rows] if wide else [float(row[3]) for row in rows]
        periods = [row[4] for row in rows]
        judged = Judge().judge(
            _raw(
                {
                    "thing": pa.array([row[0] for row in rows], pa.string()),
                    "observed_property": pa.array([row[1] for row in rows], pa.string()),
                    "time": pa.array([row[2] for row in rows], pa.string()),
                    "result": pa.array(results),
                    "period_s": pa.array(
                        ["" if one is None else str(one) for one in periods] if wide else periods,
                        pa.string() if wide else pa.int64(),
                    ),
                }
            ),
            NOW,
        )
        assert _believed(judged) == believed
        assert {one.line: one.reason for one in judged.refused} == reasons


@pytest.mark.parametrize(
    "text",
    [
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "",
        " ",
        "1_000",
        "１２",
        "12,5",
        "0x10",
        "true",
        "--",
        "1e",
    ],
)
def test_what_is_no_plain_number_is_refused_alone(text: str) -> None:
    judged = Judge().judge(
        _texts(
            thing=["a", "a"],
            observed_property=["air_temperature"] * 2,
            time=["2026-03-01T09:00:00Z"] * 2,
            result=[text, "12.5"],
        ),
        NOW,
    )
    assert [one.reason for one in judged.refused] == ["not_a_number"]
    assert repr(text) in judged.refused[0].detail
    assert judged.results.tolist() == [12.5]


@pytest.mark.parametrize("text", ["+12.5", " 12.5 ", "12.50", "1.25e1", "12.5\t"])
def test_other_ways_to_write_a_number_are_read(text: str) -> None:
    judged = Judge().judge(
        _texts(
            thing=["a"], observed_property=["air_temperature"], time=["2026-03-01T09:00:00Z"],
            result=[text],
        ),
        NOW,
    )  # fmt: skip
    assert judged.results.tolist() == [12.5]


def _at(*times: str, zone: str) -> JudgedRows:
    return Judge(zone=ZoneInfo(zone)).judge(
        _texts(
            thing=["a"] * len(times),
            observed_property=["air_temperature"] * len(times),
            time=list(times),
            result=["1"] * len(times),
        ),
        NOW,
    )


def test_local_times_are_read_in_the_zone_that_is_named() -> None:
    judged = _at(
        "2026-03-01 09:00:00", "2026/3/1 9:00", "2026-03-01T09:00", "2026-03-01T00:00:00Z",
        zone="Asia/Tokyo",
    )  # fmt: skip
    assert {row[3] for row in _believed(judged)} == {datetime(2026, 3, 1, tzinfo=UTC)}


def test_times_that_a_clock_shows_twice_or_never_are_refused_and_the_others_read() -> None:
    judged = _at(
        "2025-10-05 01:30:00", "2025-10-05 02:30:00", "2025-04-06 02:30:00", "2025-04-06 03:00:00",
        zone="Australia/Melbourne",
    )  # fmt: skip
    assert [row[3] for row in _believed(judged)] == [
        datetime(2025, 10, 4, 15, 30, tzinfo=UTC),
        datetime(2025, 4, 5, 17, 0, tzinfo=UTC),
    ]
    assert [(one.line, one.reason) for one in judged.refused] == [(2, "bad_time"), (3, "bad_time")]
    assert "skipped" in judged.refused[0].detail
    assert "ambiguous" in judged.refused[1].detail


def test_a_local_time_without_a_zone_is_refused_with_what_to_do() -> None:
    judged = Judge().judge(
        _texts(
            thing=["a"], observed_property=["air_temperature"], time=["2026-03-01 09:00:00"],
            result=["1"],
        ),
        NOW,
    )  # fmt: skip
    assert "--time-zone" in judged.refused[0].detail


def test_names_and_units_of_others_become_ours() -> None:
    names = Names.model_validate(
        {
            "things": {"西新宿001": "pole-001"},
            "series": {
                "c8y_Temperature.T": "air_temperature",
                "c8y_Pressure.P": {"observed_property": "air_pressure"},
                "count.in": {"observed_property": "pedestrians_in", "period_s": 300},
            },
            "ignore": ["battery.V"],
        }
    )
    series = ["c8y_Temperature.T", "c8y_Temperature.T", "c8y_Pressure.P", "count.in", "battery.V"]
    judged = Judge(names).judge(
        _texts(
            thing=["西新宿001"] * 5,
            observed_property=series,
            unit=["℃", "K", "Pa", "人", "V"],
            time=[f"2026-03-01T09:0{n}:00Z" for n in range(5)],
            result=["12.5", "285.65", "101325", "3", "3.7"],
        ),
        NOW,
    )
    assert not judged.refused
    assert [(row[1], row[2], round(row[4], 6), row[5]) for row in _believed(judged)] == [
        ("pole-001", "air_temperature", 12.5, None),
        ("pole-001", "air_temperature", 12.5, None),
        ("pole-001", "air_pressure", 1013.25, None),
        ("pole-001", "pedestrians_in", 3.0, 300),
    ]


def test_a_unit_that_is_none_of_the_property_is_refused() -> None:
    judged = Judge().judge(
        _texts(
            thing=["a"], observed_property=["air_temperature"], unit=["hPa"],
            time=["2026-03-01T09:00:00Z"], result=["12.5"],
        ),
        NOW,
    )  # fmt: skip
    assert (judged.refused[0].reason, len(judged.codes)) == ("wrong_shape", 0)
    assert "'hPa'" in judged.refused[0].detail


@given(_ROWS)
@settings(deadline=None)
def test_json_lines_are_judged_as_messages_are(
    rows: list[tuple[str, str, str, float, int | None]],
) -> None:
    documents = [
        {"thing": "pole-001", "observed_property": name, "time": time, "result": result}
        | ({} if period_s is None else {"period_s": period_s})
        for _, name, time, result, period_s in rows
    ]
    file = io.BytesIO(b"\n".join(map(orjson.dumps, documents)))
    (raw,) = json_lines(Lines(Source("test.jsonl", None, file, file)), Place())
    judged = Judge().judge(raw, NOW)
    good = {
        line
        for line, one in enumerate(documents, 1)
        if decode_observations(
            "pole-001",
            orjson.dumps(
                {"time": one["time"], "results": {one["observed_property"]: one["result"]}}
                | ({"period_s": one["period_s"]} if "period_s" in one else {})
            ),
            NOW,
        ).observations
    }
    assert set(judged.lines.tolist()) == good


def test_parquet_is_read_whatever_types_it_has(tmp_path: Path) -> None:
    moment = datetime(2026, 3, 1, 9, tzinfo=UTC)
    times = [moment, None, moment + timedelta(microseconds=1)]
    expected = [(1, "a", "air_temperature", moment, 1.0, None),
                (3, "a", "air_temperature", times[2], 3.0, None)]  # fmt: skip
    for number, (kind, result) in enumerate(
        [
            (pa.timestamp("us", "UTC"), pa.array([1.0, 2.0, 3.0])),
            (pa.timestamp("ns", "Asia/Tokyo"), pa.array([1, 2, 3], pa.int8())),
            (pa.timestamp("us", "UTC"), pa.array([1.0, 2.0, 3.0], pa.float32())),
            (pa.timestamp("us", "UTC"), pa.array(["1", "2", "3.0"])),
        ]
    ):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(
            pa.table(
                {
                    "thing": pa.array(["a"] * 3).dictionary_encode(),
                    "observed_property": pa.array(["air_temperature"] * 3, pa.large_string()),
                    "time": pa.array(times, kind),
                    "result": result,
                    "period_s": pa.array([None, float("nan"), 300.0]),
                }
            ),
            path,
        )
        (raw,) = ParquetRows(path).rows(Place())
        judged = Judge().judge(raw, NOW)
        assert _believed(judged) == expected
        assert [(one.line, one.reason) for one in judged.refused] == [(2, "bad_time")]
        assert '"time":null' in judged.refused[0].row


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"time": pa.array([2**62, 0], pa.timestamp("ms", "UTC"))}, "bad_time"),
        ({"time": pa.array([250_000_000_000, 0], pa.timestamp("s", "UTC"))}, "future_time"),
        ({"time": pa.array([400_000_000_000, 0], pa.timestamp("s", "UTC"))}, "bad_time"),
        ({"time": pa.array([1_700_000_000, None], pa.int64())}, "bad_time"),
        ({"time": pa.array([0, 1], pa.timestamp("us"))}, "bad_time"),
        ({"time": pa.array([0, 1], pa.date32())}, "bad_time"),
        ({"result": pa.array([Decimal("99.5"), Decimal(1)])}, "implausible_value"),
        ({"result": pa.array([float("nan"), 1.0])}, "implausible_value"),
        ({"result": pa.array([True, False])}, "not_a_number"),
        ({"thing": pa.array([b"\xff\xfe", b"a"])}, "bad_thing"),
        ({"thing": pa.array([None, "a"])}, "bad_thing"),
        ({"period_s": pa.array([2**63, 1], pa.uint64())}, "wrong_shape"),
        ({"period_s": pa.array([0.5, 1.0])}, "wrong_shape"),
    ],
)
def test_parquet_of_strange_types_is_refused_row_by_row(
    tmp_path: Path, changed: dict[str, pa.Array], reason: str
) -> None:
    good = {
        "thing": pa.array(["a", "a"]),
        "observed_property": pa.array(["air_temperature"] * 2),
        "time": pa.array(["2026-03-01T09:00:00Z"] * 2),
        "result": pa.array([1.0, 2.0]),
    }
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(good | changed), path)
    (raw,) = ParquetRows(path).rows(Place())
    judged = Judge().judge(raw, NOW)
    assert judged.refused[0].line == 1
    assert judged.refused[0].reason == reason
    assert len(judged.refused) + len(judged.codes) == 2
