"""`tsuji retention` as people type it, on both kinds of database."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

import warm_tsuji
from rollup_check import LEVELS, kept, refresh_to_rest
from samples import T0, message, registration
from tsuji_platform.store.rollups import Refresher
from tsuji_platform.store.writer import Writer

Run = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "tsuji", "retention"]
DAY = timedelta(days=1)


@pytest.fixture
def environment(store_url: str, tmp_path: Path) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TSUJI_")}
    return {**inherited, "TSUJI_DATABASE_URL": store_url, "TSUJI_HOME": str(tmp_path)}


@pytest.fixture
def retention(environment: dict[str, str]) -> Run:
    def run(*arguments: str, **settings: str) -> Run:
        return warm_tsuji.run_text("retention", *arguments, env={**environment, **settings})

    return run


@pytest.fixture
def connection(store_url: str):
    with psycopg.connect(store_url, autocommit=True, options="-c timezone=UTC") as connection:
        yield connection


@pytest.fixture
def sixty_days(writer: Writer) -> None:
    writer.save([registration("gate", "pedestrians")])
    writer.save(
        [message("gate", T0 - timedelta(hours=h), 300, pedestrians=h % 9) for h in range(60 * 24)]
    )


def make_sums(url: str) -> None:
    refresher = Refresher(url)
    refresh_to_rest(refresher)
    while refresher.profile():
        pass
    refresher.close()


def state(connection: psycopg.Connection) -> tuple:
    rows = connection.execute("SELECT count(*), min(phenomenon_time) FROM observation").fetchone()
    return rows, connection.execute("SELECT since, drops FROM horizon").fetchall()


def test_show_apply_and_show_again(
    sixty_days: None, retention: Run, store_url: str, connection: psycopg.Connection
) -> None:
    make_sums(store_url)
    sums = {level: kept(connection, level) for level in LEVELS}
    before = state(connection)
    shown = retention("show").stdout
    assert (
        "observations: kept for ever\n  there are all, the oldest of 2026-01-31T01:00:00Z" in shown
    )
    assert "rollups of a Tokyo day: kept for ever" in shown
    assert retention("apply").stdout == "nothing is old enough to be dropped\n"
    dry = retention("apply", "--dry-run", TSUJI_RAW_DAYS="30")
    assert dry.stdout.startswith("observations: would drop ")
    assert dry.returncode == 0
    assert state(connection) == before
    done = retention("apply", TSUJI_RAW_DAYS="30")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("observations: dropped ")
    ((_, oldest), ((since, _),)) = state(connection)
    assert since < oldest <= since + timedelta(hours=1)
    assert T0 - 38 * DAY < since <= T0 - 30 * DAY
    shown = retention("show", TSUJI_RAW_DAYS="30").stdout
    assert "observations: kept for 30 days" in shown
    assert f"there are those after {since:%Y-%m-%dT%H:%M:%SZ}" in shown
    assert {level: kept(connection, level) for level in LEVELS} == sums


def test_what_waits_is_said_with_the_cause(
    sixty_days: None, retention: Run, connection: psycopg.Connection
) -> None:
    before = state(connection)
    done = retention("apply", TSUJI_RAW_DAYS="30")
    assert done.returncode == 1
    assert "not all of it is rolled up yet" in done.stderr
    assert "waits: not all of it is rolled up" in retention("show", TSUJI_RAW_DAYS="30").stdout
    assert state(connection) == before


@pytest.mark.parametrize("store_url", ["timescaledb"], indirect=True)  # it is not even reached
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"TSUJI_RAW_DAYS": "0"}, "TSUJI_RAW_DAYS: .*got '0'"),
        ({"TSUJI_RAW_DAYS": "soon"}, "TSUJI_RAW_DAYS: .*got 'soon'"),
        ({"TSUJI_HOUR_DAYS": "90"}, "TSUJI_HOUR_DAYS: .*set TSUJI_FIVE_MINUTE_DAYS"),
        (
            {"TSUJI_RAW_DAYS": "90", "TSUJI_FIVE_MINUTE_DAYS": "30"},
            r"TSUJI_FIVE_MINUTE_DAYS: .*TSUJI_RAW_DAYS \(90\).*got '30'",
        ),
    ],
)
def test_settings_that_would_lose_sums_are_refused(
    retention: Run, settings: dict[str, str], named: str
) -> None:
    import re

    refused = retention("apply", **settings)
    assert refused.returncode == 2
    assert re.search(named, refused.stderr), refused.stderr


@pytest.mark.parametrize("asked", [(), ("--after", "30d"), ("--off",)])
def test_without_a_columnstore_its_command_says_so_and_changes_nothing(
    asked: tuple[str, ...], sixty_days: None, retention: Run, connection: psycopg.Connection
) -> None:
    before = state(connection)
    refused = retention("columnstore", *asked)
    assert refused.returncode == 1
    assert re.search(r"(Apache|PostgreSQL).*has no columnstore", refused.stderr), refused.stderr
    assert state(connection) == before


def test_a_run_that_is_killed_has_done_whole_steps_only(
    sixty_days: None,
    retention: Run,
    environment: dict[str, str],
    store_url: str,
    connection: psycopg.Connection,
) -> None:
    make_sums(store_url)
    sums = {level: kept(connection, level) for level in LEVELS}
    assert retention("apply", TSUJI_RAW_DAYS="50").returncode == 0
    before = state(connection)
    with psycopg.connect(store_url) as holder:
        holder.execute(
            "SELECT FROM horizon FOR UPDATE"
        )  # the last statement of a step waits for it
        run = subprocess.Popen([*COMMAND, "apply"], env={**environment, "TSUJI_RAW_DAYS": "30"})
        deadline = time.monotonic() + 120
        while not connection.execute(
            "SELECT FROM pg_stat_activity WHERE application_name = 'tsuji history retention'"
            " AND wait_event_type = 'Lock' AND datname = current_database()"
        ).fetchall():
            assert run.poll() is None
            assert time.monotonic() < deadline
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert state(connection) == before
    deadline = time.monotonic() + 120
    while connection.execute(
        "SELECT FROM pg_stat_activity WHERE application_name = 'tsuji history retention'"
        " AND datname = current_database()"
    ).fetchall():
        assert time.monotonic() < deadline
    assert state(connection) == before
    assert retention("apply", TSUJI_RAW_DAYS="30").returncode == 0
    assert state(connection) != before
    assert {level: kept(connection, level) for level in LEVELS} == sums
