"""kill -9 of refreshers in the middle of their work: rollups end equal to the observations."""

import random
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from rollup_check import assert_exact, refresh_to_rest
from samples import after, message, registration
from tsuji_platform.store.rollups import Refresher
from tsuji_platform.store.writer import Writer

_REFRESH = """
import sys
from tsuji_platform.store.rollups import Refresher

refresher = Refresher(sys.argv[1], buckets_at_once=40)
print("ready", flush=True)
while True:
    refresher.refresh()
"""
ROUNDS = 12


def _in_the_middle(connection: psycopg.Connection) -> bool:
    """Whether a refresher has begun to make rollups anew and has not committed yet."""
    return bool(
        connection.execute(
            "SELECT FROM pg_stat_activity WHERE application_name = 'tsuji rollups'"
            " AND datname = current_database() AND query ~ 'rollup_' AND xact_start IS NOT NULL"
        ).fetchall()
    )


def _save_some(writer: Writer, generator: random.Random) -> None:
    writer.save(
        [
            message(
                "gate",
                after(minutes=generator.randrange(5000)),
                60,
                pedestrians=generator.randrange(9),
                air_temperature=generator.randrange(9),
            )
            for _ in range(40)
        ]
    )


@pytest.mark.parametrize("store_url", ["timescaledb"], indirect=True)
def test_killed_refreshers_leave_nothing_wrong(store_url: str) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    generator = random.Random(seed)
    writer = Writer(store_url, "test")
    writer.save([registration("gate", "pedestrians", "air_temperature")])
    with psycopg.connect(store_url, autocommit=True, options="-c timezone=UTC") as connection:
        middles = 0
        for _ in range(ROUNDS):
            process = subprocess.Popen(
                [sys.executable, "-c", _REFRESH, store_url], stdout=subprocess.PIPE
            )
            try:
                assert process.stdout is not None
                process.stdout.readline()
                for _ in range(20):
                    _save_some(writer, generator)
                deadline = time.monotonic() + 60
                while not (middle := _in_the_middle(connection)) and time.monotonic() < deadline:
                    _save_some(writer, generator)  # so that there is always something to do
                middles += middle
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait(90)
                process.stdout.close()
        assert middles > ROUNDS // 2, "the kills came when nothing was being done"
        kept = connection.execute("SELECT count(*) FROM rollup_5min").fetchone()
        assert kept > (0,), "nothing was done before the kills"
        refresher = Refresher(store_url)
        refresh_to_rest(refresher)
        refresher.close()
        assert_exact(connection, whole_numbers=True)
    writer.close()
