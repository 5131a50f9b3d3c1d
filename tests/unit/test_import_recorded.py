"""Recordings that are imported are held to the clock as messages are."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tsuji.recorded_rows import RecordedRows
from tsuji_platform.imports.rows import Place


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("2099-01-01", "future_time"),
        ("1969-12-30", "bad_time"),
        ("9999-12-31", "year_is_not_2_to_9998"),
    ],
)
def test_a_count_of_another_age_is_kept_apart(tmp_path: Path, day: str, reason: str) -> None:
    places, counts = tmp_path / "places.csv", tmp_path / "counts.csv"
    places.write_text("location_id,sensor_description,latitude,longitude\n4,a,-37.8,144.9\n")
    counts.write_text(
        "location_id,sensing_date,hourday,sensor_name,pedestriancount\n"
        f"4,{day},23,a,5\n4,2024-01-01,1,a,7\n"
    )
    (judged,) = RecordedRows(counts, "melbourne", places).rows(Place())
    assert judged.results.tolist() == [7]
    ((line, found),) = [(one.line, one.reason) for one in judged.refused]
    assert (line, found) == (2, reason)
    assert day in judged.refused[0].row
    assert judged.original(0).count("2024-01-01") == 1


def test_a_map_of_the_future_is_kept_apart(tmp_path: Path) -> None:
    places = tmp_path / "stations.json"
    station = {"kjName": "x", "enName": "x", "lon": [139, 45], "lat": [35, 41]}
    places.write_bytes(orjson.dumps({"44132": station}))
    year = datetime.now(UTC).year + 2
    path = tmp_path / f"{year}0101000000.json"
    path.write_bytes(orjson.dumps({"44132": {"temp": [20.0, 0], "humidity": [50, 0]}}))
    (judged,) = RecordedRows(path, "amedas", places).rows(Place())
    assert (judged.results.tolist(), judged.names) == ([], [])
    assert {one.reason for one in judged.refused} == {"future_time"}
