"""`tsuji export` killed, altered beneath, left by its reader, or made to wait: never half a file."""

import io
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import psutil
import psycopg
import pyarrow.dataset as ds
import pytest

from export_city import Run, on_timescaledb
from rollup_check import refresh_to_rest
from samples import T0, message
from tsuji_platform.store import Refresher, export
from tsuji_platform.store.backup import back_up
from tsuji_platform.store.cover import HOUR
from tsuji_platform.store.export_choice import ExportError
from tsuji_platform.store.writer import Writer


def test_an_export_sees_one_moment(
    city: None, environment: dict[str, str], tsuji: Run, connection: psycopg.Connection
) -> None:
    """It waits for its reader, while days that it has not read yet are altered."""
    expected = tsuji("export", "-").stdout
    command = [sys.executable, "-m", "tsuji", "export", "-"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as run:
        begun = run.stdout.read(10)
        connection.execute("UPDATE observation SET result = result + 1")
        assert begun + run.stdout.read() == expected
    assert run.returncode == 0
    assert tsuji("export", "-").stdout != expected


@on_timescaledb
def test_who_reads_no_further_gets_no_complaint(city: None, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tsuji", "export", "-"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        run.stdout.read(10)
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode not in (0, 1)


@on_timescaledb
@pytest.mark.parametrize("target", ["out", "out.csv"])
def test_a_killed_export_leaves_nothing_that_looks_whole(
    city: None, environment: dict[str, str], tsuji: Run, connection: psycopg.Connection,
    tmp_path: Path, target: str,
) -> None:  # fmt: skip
    many(connection, 100_000)
    assert tsuji("export", target, "--thing", "pole-1").returncode == 0
    earlier = contents(tmp_path / target)
    run = stopped_in_the_middle(environment, tmp_path, target)
    refused = tsuji("export", target, "--force")
    assert refused.returncode == 1
    assert b"another export writes" in refused.stderr
    run.kill()
    run.wait()
    assert contents(tmp_path / target) == earlier
    assert {path.name for path in tmp_path.iterdir()} == {target, f"{target}.partial"}
    run = stopped_in_the_middle(environment, tmp_path, target)
    run.send_signal(signal.SIGCONT)
    assert run.wait(timeout=400) == 0
    assert {path.name for path in tmp_path.iterdir()} == {target}
    found = contents(tmp_path / target)
    assert sum(map(len, found.values())) > sum(map(len, earlier.values()))
    if target == "out.csv":
        assert found[str(tmp_path / target)] == tsuji("export", "-").stdout
    else:
        (count,) = connection.execute("SELECT count(*) FROM observation").fetchone()
        assert ds.dataset(tmp_path / target, partitioning="hive").count_rows() == count


@on_timescaledb
@pytest.mark.parametrize("kind", ["export", "backup"])
def test_who_is_interrupted_when_much_begins_to_come_says_nothing_of_a_rollback(
    city: None,
    store_url: str,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The driver has asked the server to stop by then, but takes its beginning for the end of it."""
    wait = psycopg.Connection.wait

    def interrupted(self: psycopg.Connection, gen: Generator, *more: object, **named: object):
        found = wait(self, gen, *more, **named)
        if gen.__name__ == "_start_copy_gen":
            raise KeyboardInterrupt
        return found

    def read() -> None:
        if kind == "backup":
            back_up(store_url, io.BytesIO(), lambda _table, _size: None)
        else:
            with export.exporting(store_url, export.Choice()) as found:
                list(found.rows(found.days[0]))

    monkeypatch.setattr(psycopg.Connection, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read()
    assert caplog.messages == []


@on_timescaledb
def test_an_export_that_is_interrupted_goes_without_a_trace(
    city: None, environment: dict[str, str], connection: psycopg.Connection, tmp_path: Path
) -> None:
    many(connection)
    run = stopped_in_the_middle(
        environment, tmp_path, "out.csv", stderr=subprocess.PIPE, reads=True
    )
    run.send_signal(signal.SIGINT)
    run.send_signal(signal.SIGCONT)
    _, said = run.communicate(timeout=400)
    assert run.returncode == 130
    assert said.decode().strip() in ("", "Aborted!", "Aborted.")
    assert list(tmp_path.iterdir()) == []


def many(connection: psycopg.Connection, seconds: int = 300_000) -> None:
    """A count every second, for a day or some."""
    connection.execute(
        "INSERT INTO observation (datastream_id, period_s, phenomenon_time, result)"
        " SELECT 1, 1, time, 1 FROM generate_series(timestamptz '2025-01-01',"
        f" timestamptz '2025-01-01' + interval '1 s' * {seconds}, interval '1 s') AS time"
    )


def contents(target: Path) -> dict[str, bytes]:
    files = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}


def stopped_in_the_middle(
    environment: dict[str, str],
    folder: Path,
    target: str,
    stderr: int | None = None,
    *,
    reads: bool = False,
) -> subprocess.Popen[bytes]:
    """An export that writes its draft, and stands still; with more to read if that matters."""
    draft = folder / f"{target}.partial"
    for _ in range(30):
        run = subprocess.Popen(
            [sys.executable, "-m", "tsuji", "export", target, "--force"],
            env=environment,
            cwd=folder,
            stderr=stderr,
            # who runs the tests in the background lets them ignore it, which is inherited
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 240
        while run.poll() is None and not is_locked(draft):
            assert time.monotonic() < deadline
            time.sleep(0.002)
        run.send_signal(signal.SIGSTOP)
        while run.poll() is None and psutil.Process(run.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.002)
        if is_locked(draft) and (not reads or is_read_for(environment)):
            return run
        run.send_signal(signal.SIGCONT)  # it was too quick
        run.wait()
        made = folder / target
        if made.is_dir():
            shutil.rmtree(made)
        made.unlink(missing_ok=True)
    pytest.fail("the export is always over before it can be stopped")


def is_read_for(environment: dict[str, str]) -> bool:
    """Whether the database has more for an export, and waits for it to take that."""
    with psycopg.connect(environment["TSUJI_DATABASE_URL"]) as connection:
        reading = (
            "SELECT FROM pg_stat_activity WHERE application_name = 'tsuji export'"
            " AND state = 'active' AND datname = current_database()"
        )
        return bool(connection.execute(reading).fetchall())


def is_locked(path: Path) -> bool:
    try:
        number = path.stat().st_ino
    except FileNotFoundError:
        return False
    return any(f":{number} " in line for line in Path("/proc/locks").read_text().splitlines())


@on_timescaledb
def test_many_times_the_rows_need_no_more_memory(
    city: None, environment: dict[str, str], connection: psycopg.Connection, tmp_path: Path
) -> None:
    many(connection, 2_000_000)
    code = (
        "import resource, sys; from tsuji.cli import app; sys.argv = ['tsuji', *sys.argv[1:]]\n"
        "try: app()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    peaks, lines = {}, {}
    for name, more in (("few.csv", ["--to", "2025-01-02T12:00:00Z"]), ("many.csv", [])):
        done = subprocess.run(
            [sys.executable, "-c", code, "export", name, *more],
            env=environment, cwd=tmp_path, capture_output=True, check=False, timeout=400,
        )  # fmt: skip
        peaks[name] = int(done.stderr.split()[-1])
        lines[name] = (tmp_path / name).read_bytes().count(b"\n")
    assert lines["many.csv"] > 12 * lines["few.csv"]
    assert peaks["many.csv"] < peaks["few.csv"] + 50 * 1024  # KiB; 22 of it with any number


@on_timescaledb
def test_rollups_are_waited_for_only_so_long_and_only_those_asked_for(
    city: None, store_url: str, connection: psycopg.Connection
) -> None:
    refresher = Refresher(store_url)
    refresh_to_rest(refresher)
    refresher.close()
    writer = Writer(store_url, "more")
    writer.save([message("gate", T0, 300, pedestrians=77)])
    writer.close()
    told: list[str] = []

    def days(thing: str, patience_s: float = 1.0) -> int:
        choice = export.Choice(width=HOUR, things=[thing])
        with export.exporting(store_url, choice, told.append, patience_s=patience_s) as found:
            return len(found.days)

    with psycopg.connect(store_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('tsuji rollups'))")
        assert days("pole-1") > 0
        assert told == []
        with pytest.raises(ExportError, match=r"not complete after 1 s.*--step raw"):
            days("gate")
        assert told == ["brings rollups up to date first, 1 s at the most"]
    assert days("gate", patience_s=120) > 0


@on_timescaledb
def test_output_without_room_is_said_in_a_sentence(city: None, environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tsuji", "export", "-"],
            env=environment, stdout=full, stderr=subprocess.PIPE, check=False, timeout=400,
        )  # fmt: skip
    assert done.returncode == 1
    said = done.stderr.decode().splitlines()
    assert said == ["tsuji: standard output can't be written: No space left on device"]
