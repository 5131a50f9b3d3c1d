"""`tsuji export` as people type it: what it writes is what is there, whole, and goes in again."""

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from export_city import DAY, MIDNIGHT, Run, on_timescaledb
from rollup_check import kept
from samples import T0, message
from tsuji_platform.store.changed import note_changed
from tsuji_platform.store.cover import RAW
from tsuji_platform.store.history_retention import HistoryRetention
from tsuji_platform.store.writer import Writer

STEPS = {"5min": "rollup_5min", "1h": "rollup_hour", "1day": "rollup_day"}


def rows(connection: psycopg.Connection, condition: str = "true") -> list[tuple]:
    """What an export of observations should hold, in its order within a day."""
    return connection.execute(
        "SELECT thing_id, observed_property, phenomenon_time, result, period_s"
        f" FROM observation JOIN datastream USING (datastream_id) WHERE {condition}"
        " ORDER BY phenomenon_time, 1, 2"
    ).fetchall()


def read_csv(text: bytes) -> list[tuple]:
    return sorted(
        (
            (
                row["thing"],
                row["observed_property"],
                datetime.fromisoformat(row["time"]),
                float(row["result"]),
                int(row["period_s"]) if row["period_s"] else None,
            )
            for row in csv.DictReader(io.StringIO(text.decode()))
        ),
        key=lambda row: (row[2], row[0], row[1]),
    )


def read_parquet(folder: Path) -> list[dict]:
    return ds.dataset(folder, format="parquet", partitioning="hive").to_table().to_pylist()


def test_observations_as_csv(
    city: None, tsuji: Run, connection: psycopg.Connection, tmp_path
) -> None:
    done = tsuji("export", "all.csv")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "all.csv").read_bytes()
    assert text.startswith(b"thing,observed_property,time,result,unit,period_s\n")
    assert read_csv(text) == rows(connection)
    assert done.stdout == b"2,408 rows of 4 datastreams in all.csv\n"
    assert b"2026-04-01T14:59:59.999999Z" in text
    assert b"2026-04-01T15:00:00Z" in text
    units = {
        (row["observed_property"], row["unit"])
        for row in csv.DictReader(io.StringIO(text.decode()))
    }
    assert ("pedestrians", "{person}") in units
    assert tsuji("export", "-").stdout == text
    assert tsuji("export", "-", "--bom").stdout == b"\xef\xbb\xbf" + text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.csv"]


@on_timescaledb
def test_observations_as_parquet_by_tokyo_day(
    city: None, tsuji: Run, connection: psycopg.Connection, tmp_path: Path
) -> None:
    done = tsuji("export", "out", "--licence", "CC BY 4.0", "--area-set", "town")
    assert done.returncode == 0, done.stderr
    found = read_parquet(tmp_path / "out")
    assert sorted(
        (
            (r["thing"], r["observed_property"], r["time"], r["result"], r["period_s"])
            for r in found
        ),
        key=lambda row: (row[2], row[0], row[1]),
    ) == rows(connection, "thing_id = 'gate'")
    for row in found:
        end = row["time"] + timedelta(hours=9) - timedelta(microseconds=1)
        assert str(row["date"]) == f"{end:%Y-%m-%d}"
    paths = sorted(
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.parquet")
    )
    assert paths == [f"date=2026-0{day}/part-0.parquet" for day in ("3-31", "4-01", "4-02", "4-03")]
    schema = pq.read_schema(tmp_path / "out" / paths[0])
    about = json.loads(schema.metadata[b"tsuji"])
    assert about["units"] == {"pedestrians": "{person}", "wind_from_direction": "deg"}
    assert about["licence"] == "CC BY 4.0"
    assert about["owners_of_the_things"] == ["辻市"]
    assert about["credit_for_the_areas"] == {"source": "test data", "licence": "CC0-1.0"}
    assert "END" in about["columns"]["time"]
    assert "END" in schema.field("time").metadata[b"meaning"].decode()
    assert str(schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert json.loads((tmp_path / "out" / "_tsuji.json").read_text())["rows"] == len(found)


@pytest.mark.parametrize("step", STEPS)
def test_rollups_are_up_to_date_and_say_what_they_are(
    city: None, tsuji: Run, connection: psycopg.Connection, tmp_path: Path, step: str
) -> None:
    done = tsuji("export", "out", "--step", step)
    assert done.returncode == 0, done.stderr
    names = {
        key: (thing, name)
        for key, thing, name in connection.execute(
            "SELECT datastream_id, thing_id, observed_property FROM datastream"
        )
    }
    expected = {(*names[k[0]], k[1]): row for k, row in kept(connection, STEPS[step]).items()}
    found = {
        (r["thing"], r["observed_property"], r["time"]): r for r in read_parquet(tmp_path / "out")
    }
    assert found.keys() == expected.keys()
    assert found
    for key, row in found.items():
        n, total, lowest, highest, sine, cosine = expected[key][:6]
        assert row["n"] == n
        assert row["period_s"] == {"5min": 300, "1h": 3600, "1day": 86400}[step]
        if key[1] == "wind_from_direction":
            assert (row["sum"], row["min"], row["max"]) == (None, None, None)
            import math

            degrees = math.degrees(math.atan2(sine, cosine)) % 360
            assert math.isclose(row["mean"], degrees, abs_tol=1e-9)
            assert row["result"] == row["mean"]
            continue
        assert (row["sum"], row["min"], row["max"]) == (total, lowest, highest)
        assert row["mean"] == total / n
        wanted = {"pedestrians": total, "air_temperature": total / n, "sound_level": highest}
        assert row["result"] == wanted[key[1]]
    assert sum(r["n"] for r in found.values()) == 2408
    text = tsuji("export", "-", "--step", step).stdout.decode()
    header = "thing,observed_property,time,result,unit,period_s,n,sum,mean,min,max"
    assert text.splitlines()[0] == header
    assert len(text.splitlines()) == 1 + len(found)


@on_timescaledb
def test_spans_exclude_their_start_and_include_their_end(
    city: None, tsuji: Run, connection: psycopg.Connection
) -> None:
    done = tsuji("export", "-", "--from", "2026-04-01", "--to", "2026-04-02")
    assert read_csv(done.stdout) == rows(
        connection, f"phenomenon_time > '{MIDNIGHT - DAY}' AND phenomenon_time <= '{MIDNIGHT}'"
    )
    done = tsuji(
        "export", "-", "--to", "2026-04-02T00:00:00.000001+09:00", "--from", "2026-04-01T15:00:00Z"
    )
    assert len(read_csv(done.stdout)) == 4
    done = tsuji(
        "export", "-", "--thing", "gate", "--observed-property", "pedestrians", "--to", "2026-04-02"
    )
    assert read_csv(done.stdout) == rows(
        connection, f"observed_property = 'pedestrians' AND phenomenon_time <= '{MIDNIGHT}'"
    )


@on_timescaledb
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--thing", "gaet"), 1, "there is no thing 'gaet'; did you mean gate"),
        (("--thing", "'; DROP TABLE thing; --"), 1, "there is no thing"),
        (("--observed-property", "air_temprature"), 1, "did you mean air_temperature"),
        (("--area-set", "tonw"), 1, "there is no area set 'tonw'; did you mean town"),
        (("--area-set", "town", "--area", "Z"), 1, "there is no area 'Z'"),
        (("--area", "A"), 1, "area 'A' needs the area set"),
        (("--from", "2026-04-02", "--to", "2026-04-01"), 2, "must be before --to"),
        (
            ("--from", "2026-04-02T00:00:00"),
            2,
            "is neither a time with an offset",
        ),
        (("--from", "2026-02-30"), 2, "'2026-02-30' is neither"),
        (("--to", "2301-01-01"), 2, "outside the years"),
        (("--step", "2h"), 2, "'2h'"),
        (("--to", "2020-01-01"), 3, "nothing to export: 4 datastreams have no observation"),
        (("--area-set", "town", "--area", "B"), 3, "nothing to export: no thing"),
        (
            ("--thing", "gate", "--observed-property", "sound_level"),
            3,
            "no thing that was asked for",
        ),
    ],
)
def test_what_can_not_be_exported_is_said_and_leaves_nothing(
    city: None, tsuji: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    strange = tsuji("export", "t.xlsx")
    assert strange.returncode == 2
    assert "files of .xlsx can't be written" in " ".join(strange.stderr.decode().split())
    # who has begun to look for rows has a draft, of one kind or the other
    for target in ("out", "out.csv")[: 2 if code == 3 else 1]:
        done = tsuji("export", target, *arguments)
        assert done.returncode == code, done.stderr
        assert said in " ".join(done.stderr.decode().split())
    assert list(tmp_path.iterdir()) == []


@on_timescaledb
def test_nothing_is_overwritten_unasked_and_nothing_strange_ever(
    city: None, tsuji: Run, tmp_path: Path
) -> None:
    for target in ("out", "out.csv"):
        assert tsuji("export", target, "--thing", "gate").returncode == 0
        again = tsuji("export", target)
        assert again.returncode == 1
        assert b"is there already: --force replaces it" in again.stderr
        assert tsuji("export", target, "--force").returncode == 0
    assert len((tmp_path / "out.csv").read_bytes().splitlines()) == 1 + 2408
    assert len(read_parquet(tmp_path / "out")) == 2408
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years")
    refused = tsuji("export", "precious", "--force")
    assert refused.returncode == 1
    assert b"is no export of Tsuji" in refused.stderr
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "years"
    assert b"is a folder" in tsuji("export", "precious", "--format", "csv", "--force").stderr
    assert b"make it first" in tsuji("export", "missing/out.csv").stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.csv", "precious"]


@on_timescaledb
def test_what_was_exported_goes_in_again(
    city: None, tsuji: Run, connection: psycopg.Connection, tmp_path: Path
) -> None:
    before = rows(connection)
    assert tsuji("export", "all.csv", "--bom").returncode == 0
    assert tsuji("export", "out").returncode == 0
    (tmp_path / "out" / "all.csv.rejected.csv").write_text("thing\n")
    for files in (["all.csv"], sorted((tmp_path / "out").rglob("*.parquet")), ["out", "--again"]):
        with connection.transaction(), connection.cursor() as cursor:
            gone = cursor.execute(
                "DELETE FROM observation RETURNING datastream_id, phenomenon_time"
            ).fetchall()
            note_changed(cursor, [key for key, _ in gone], [time for _, time in gone])
        assert rows(connection) == []
        done = tsuji("import", *files)
        assert done.returncode == 0, done.stderr
        assert rows(connection) == before
    assert tsuji("export", "hours", "--step", "1h").returncode == 0
    (tmp_path / "empty").mkdir()
    done = tsuji("import", "hours", "empty", "all.csv")
    assert done.returncode == 1
    assert b"hours holds sums by 1h, which are no observations" in done.stderr
    assert b"empty holds no file to import: their names end with .csv" in done.stderr
    assert b"all.csv is in already" in done.stdout
    assert tsuji("export", "-").stdout == (tmp_path / "all.csv").read_bytes()[3:]


def test_what_is_no_longer_kept_is_said(
    city: None, writer: Writer, store_url: str, tsuji: Run, connection: psycopg.Connection
) -> None:
    old = T0 - 100 * DAY
    writer.save([message("gate", old, 60, pedestrians=5)])
    assert len(read_csv(tsuji("export", "-", "--step", "1h", "--to", "2026-01-01").stdout)) == 1
    from tsuji_platform.store.rollups import Refresher

    refresher = Refresher(store_url)
    while refresher.refresh() or refresher.profile():
        pass
    refresher.close()
    retention = HistoryRetention(store_url, {RAW: 30 * DAY})
    assert [one.until for one in retention.drop_some(T0 + 10 * DAY)] != []
    retention.close()
    done = tsuji("export", "-", "--to", "2026-01-01")
    assert done.returncode == 3
    assert b"is no longer kept; longer steps (--step) may still be there" in done.stderr
    done = tsuji("export", "-", "--step", "1h", "--to", "2026-01-01")
    assert len(read_csv(done.stdout)) == 1
    assert done.stderr == b""
