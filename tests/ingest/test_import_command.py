"""`tsuji import` as a stranger runs it: killed at any moment, on hostile files, beside the live way in."""

import contextlib
import csv
import gzip
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import warm_tsuji
from held_imports import held, nobody_else_is_connected
from hub_processes import HubProcesses
from import_runs import Run, command, contents, empty, environment, runner

_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_PROPERTIES = ("air_temperature", "relative_humidity", "pedestrians_in", "wind_speed")


@pytest.fixture
def run(hub_url: str, tmp_path: Path) -> Run:
    """Run `tsuji import` in an empty folder."""
    return runner(hub_url, tmp_path)


@pytest.fixture
def things(tmp_path: Path) -> str:
    path = tmp_path / "things.json"
    path.write_text(
        json.dumps(
            [
                {
                    "thing_id": f"t{number}",
                    "location": {"type": "Point", "coordinates": [139.7, 35.7]},
                    "datastreams": list(_PROPERTIES),
                }
                for number in range(10)
            ]
        )
    )
    return str(path)


def _rows(count: int) -> list[dict[str, object]]:
    """Mostly good, some refused, some twice, some corrections."""
    rows: list[dict[str, object]] = []
    for number in range(count):
        name = _PROPERTIES[number % 4]
        moment = _BEGIN + timedelta(seconds=number // 40 * 10)
        row: dict[str, object] = {
            "thing": f"t{number // 4 % 10}",
            "observed_property": name,
            "time": moment.isoformat(),
            "result": number % 50,
        }
        if name == "pedestrians_in":
            row["period_s"] = 10
        if number % 997 == 0:
            row["result"] = -300
        if number % 1_009 == 0:
            row["thing"] = "nobody"
        rows.append(row)
        if number % 1_013 == 0:
            rows.append(row | {"result": 1})
    return rows


def _write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["thing", "observed_property", "time", "result", "period_s"])
        writer.writeheader()
        writer.writerows(rows)


def _counters(url: str) -> tuple[int, ...] | None:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT received, stored, duplicate, corrected, rejected FROM ingest_counter"
            " WHERE ingest_id = 'import'"
        ).fetchone()


def _rows_done(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT rows_done FROM import_progress").fetchone()
    return row[0] if row else 0


def test_rows_that_an_import_refuses_are_in_its_file_and_not_purged(
    run: Run, hub_url: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        "thing,observed_property,time,result\nnobody,air_temperature,2026-04-01T00:00:00Z,20\n"
    )
    run("a.csv")
    assert (tmp_path / "a.csv.rejected.csv").exists()
    told = warm_tsuji.run_text("rejected", "list", "--summary", env=environment(hub_url, tmp_path))
    assert told.stdout.endswith(
        "1 values are counted as rejected, 0 of them were forgotten, 0 purged, 1 are in the files of "
        "imports' rejected rows\n"
    )


def test_killed_at_any_moment_it_goes_on_and_all_is_as_if_it_had_not_been(
    run: Run, hub_url: str, things: str, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    path = tmp_path / "a.csv"
    _write_csv(path, _rows(400_000))
    whole = run(str(path), "--register", things)
    assert whole.returncode == 3, whole.stderr
    rejected = tmp_path / "a.csv.rejected.csv"
    expected, counters, apart = contents(hub_url), _counters(hub_url), rejected.read_bytes()
    report = whole.stdout.splitlines()
    empty(hub_url)
    rejected.unlink()

    chance = random.Random(os.environ.get("ROUND", "1"))
    done, interrupted = 0, 0
    for number in range(6):
        # the first two leave something to do for the next, however late they are killed
        enough = "new.rows_done > 300000" if number > 1 else "old.rows_done > 0"
        with held(hub_url, enough) as gate:
            process = subprocess.Popen(
                command(str(path), "--register", things),
                env=environment(hub_url, tmp_path),
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if number:  # the first is killed while it begins
                while _rows_done(hub_url) == done and not gate.waits:
                    assert process.poll() is None
                    time.sleep(0.002)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, 0.1 if number else 1.5))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        eventually(lambda: nobody_else_is_connected(hub_url))
        done = _rows_done(hub_url)
        interrupted += done > 0
    assert interrupted > 1
    finished = run(str(path), "--register", things)
    assert f"going on after row {done:,}" in finished.stdout or "is in already" in finished.stdout
    out = finished.stdout
    assert out.splitlines()[-len(report) :] == report
    assert contents(hub_url) == expected
    assert _counters(hub_url) == counters
    assert rejected.read_bytes() == apart
    assert sorted(tmp_path.glob("a.csv.rejected*")) == [rejected]

    again = run(str(path))
    assert again.returncode == 3
    assert "is in already" in again.stdout
    repeated = run(str(path), "--again")
    assert repeated.returncode == 3
    assert " 0 values stored" in repeated.stdout
    assert contents(hub_url) == expected


def test_all_formats_leave_the_same(run: Run, hub_url: str, things: str, tmp_path: Path) -> None:
    rows = [row for row in _rows(20_000) if row["thing"] != "nobody" and row["result"] != -300]
    plain, lines, table = (tmp_path / name for name in ("a.csv", "a.jsonl", "a.parquet"))
    _write_csv(plain, rows)
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(
        pa.Table.from_pylist(
            [
                {"period_s": None}
                | row
                | {
                    "time": datetime.fromisoformat(str(row["time"])),
                    "result": float(str(row["result"])),
                }
                for row in rows
            ]
        ),
        table,
    )
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    found = []
    for path in (plain, lines, table, packed):
        done = run(str(path), "--register", things)
        assert done.returncode == 0, done.stderr
        found.append((contents(hub_url), _counters(hub_url)))
        empty(hub_url)
    done = run("-", "--register", things, stdin=plain.read_bytes())
    assert done.returncode == 0, done.stderr
    found.append((contents(hub_url), _counters(hub_url)))
    assert all(one == found[0] for one in found)
    assert len(found[0][0]["observation"]) == len(
        {(r["thing"], r["observed_property"], r["time"]) for r in rows}
    )
    with psycopg.connect(hub_url) as connection:  # nothing can go on with standard input
        assert connection.execute("SELECT count(*) FROM import_progress").fetchall() == [(0,)]


def test_a_dry_run_writes_nothing_and_says_what_would_be(
    run: Run, hub_url: str, things: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    _write_csv(path, _rows(5_000))
    before = set(tmp_path.iterdir())
    done = run(str(path), "--register", things, "--dry-run")
    assert done.returncode == 3
    assert "nothing was written" in done.stdout
    assert "10 things would be registered" in done.stdout
    assert "unregistered_thing (first in line 3: thing 'nobody' is not registered" in done.stdout
    assert set(tmp_path.iterdir()) == before
    assert not any(contents(hub_url).values())
    assert _counters(hub_url) is None


def test_things_that_an_import_registers_stand_in_their_areas(
    run: Run, hub: HubProcesses, hub_url: str, things: str, data_folder: Path, tmp_path: Path
) -> None:
    boundaries = data_folder / "areas" / "N03-20210101_13_tokyo.geojson"
    assert hub.run("areas", "import", str(boundaries)).returncode == 0
    path = tmp_path / "a.csv"
    _write_csv(path, [row for row in _rows(100) if row["thing"] == "t3"])
    assert run(str(path), "--register", things).returncode == 0
    with psycopg.connect(hub_url) as connection:
        assert connection.execute("SELECT thing_id FROM area_thing").fetchall() == [("t3",)]


def test_what_a_file_lacks_is_said_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b").write_text("")
    (tmp_path / "two\nlines.csv").write_text("a,b\n1,2\n")
    (tmp_path / "no\udcffutf8.csv").write_text("thing,observed_property,time,result\n")
    (tmp_path / "no.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    os.mkfifo(tmp_path / "pipe.parquet")
    for arguments, said in [
        (["pipe.parquet"], "pipe.parquet is not a file"),
        (["y" * 300 + ".csv"], "can't be read: File name too long"),
        (["two\nlines.csv"], "two lines.csv has no column thing"),
        (
            ["no\udcffutf8.csv"],
            "no\\udcffutf8.csv: the name of the file, or of a folder above it, is no",
        ),
        (["no.parquet"], "no.parquet can't be read as Parquet"),
        (["a.csv"], "has no column thing"),
        (["b"], "--format"),
        (["missing.csv"], "missing.csv is not a file"),
        (["a.csv", "--format", "melbourne"], "--locations"),
        (["a.csv", "--map", "missing.toml"], "missing.toml"),
    ]:
        done = run(*arguments)
        assert done.returncode == 1, done.stdout
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
    assert run("a.csv", "--format", "xml").returncode == 2
    assert run("a.csv", "--time-zone", "Asia/Edo").returncode == 2


def test_a_file_that_can_not_be_read_does_not_keep_the_others_out(
    run: Run, hub_url: str, things: str, tmp_path: Path
) -> None:
    _write_csv(tmp_path / "a.csv", _rows(8)[2:5])
    _write_csv(tmp_path / "c.csv", _rows(8)[5:])
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    for more in (["--dry-run"], []):
        done = run("a.csv", "missing.csv", "b.csv", "c.csv", "--register", things, *more)
        assert done.returncode == 1
        assert "missing.csv is not a file" in done.stderr
        assert "b.csv has no column thing" in done.stderr
        assert "a.csv: 3 rows" in done.stdout
        assert "c.csv: 4 rows" in done.stdout
    assert len(contents(hub_url)["observation"]) == 7


def test_files_with_one_place_for_bad_rows_keep_all_of_them(run: Run, tmp_path: Path) -> None:
    row = {"observed_property": "air_temperature", "time": "2025-01-01T00:00:00Z", "result": 1}
    for name in ("a", "b"):
        _write_csv(tmp_path / f"{name}.csv", [row | {"thing": f"nobody-{name}"}])
    for more in ([], ["--again"]):
        done = run("a.csv", "b.csv", "--rejected", "bad.csv", *more)
        assert done.returncode == 3, done.stderr
        assert f"kept apart in {tmp_path}/bad.csv" in done.stdout
    kept = [path.read_text() for path in tmp_path.glob("bad.csv*")]
    assert [sum(f"nobody-{name}" in text for text in kept) for name in ("a", "b")] == [2, 2]


def test_a_file_that_ends_in_the_middle_is_in_part_and_says_so(
    run: Run, hub_url: str, things: str, tmp_path: Path
) -> None:
    whole, part = tmp_path / "whole.csv", tmp_path / "part.csv.gz"
    _write_csv(whole, _rows(120_000))
    packed = gzip.compress(whole.read_bytes(), 1)
    part.write_bytes(packed[: len(packed) * 2 // 3])
    done = run(str(part), "--register", things)
    assert done.returncode == 1
    assert "is it complete" in done.stderr
    assert "is in part only" in done.stderr
    assert 0 < len(contents(hub_url)["observation"]) < 120_000
    done = run(str(whole))  # what is in changes nothing
    assert done.returncode == 3
    assert "values stored" in done.stdout


def test_a_stop_signal_ends_it_between_batches_and_it_can_go_on(
    run: Run, hub_url: str, things: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    _write_csv(path, _rows(200_000))
    with held(hub_url, "old.rows_done > 0") as gate:
        process = subprocess.Popen(
            command(str(path), "--register", things),
            env=environment(hub_url, tmp_path),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not gate.waits:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.poll() is None
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "the same command goes on there" in errors
    assert run(str(path)).returncode == 3
    assert len(contents(hub_url)["observation"]) > 199_000


def test_too_many_bad_rows_stop_it_at_that_row_and_it_says_what_is_in(
    run: Run, hub_url: str, things: str, tmp_path: Path
) -> None:
    rows = _rows(4_000)
    for number, row in enumerate(rows):
        if number % 2:
            row["result"] = -300
    path = tmp_path / "a.csv"
    _write_csv(path, rows)
    arguments = (str(path), "--register", things, "--max-errors", "500")
    for _ in range(2):
        done = run(*arguments)
        assert done.returncode == 1
        assert ", 500 kept apart" in done.stdout
        assert "stopped: 500 are kept apart (--max-errors)" in done.stderr
        assert "the same command with a larger --max-errors goes on there" in done.stderr
        last = int(re.search(r"row ([\d,]+) is the last", done.stderr)[1].replace(",", ""))
        with (tmp_path / "a.csv.rejected.csv").open(newline="") as file:
            lines = [int(row["line"]) for row in csv.DictReader(file)]
        assert (len(lines), lines[-1]) == (500, last + 1)  # the header has a line, too
        assert len(contents(hub_url)["observation"]) == last - 500
    assert run(*arguments[:3]).returncode == 3


def test_bad_rows_can_be_kept_elsewhere_when_their_place_is_no_good(
    run: Run, things: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    _write_csv(path, _rows(3_000))
    done = run(str(path), "--register", things, "--rejected", "missing/bad.csv")
    assert done.returncode == 1
    assert "missing/bad.csv: No such file or directory; --rejected names another" in done.stderr
    done = run(str(path), "--rejected", "bad.csv")
    assert done.returncode == 3, done.stderr
    assert f"kept apart in {tmp_path}/bad.csv" in done.stdout
    assert (tmp_path / "bad.csv").is_file()
