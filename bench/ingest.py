"""From messages waiting in the broker to committed rows, beside the database's own ceiling."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import psutil
import psycopg

from tsuji_platform.contract import Observation, Thing
from tsuji_platform.runtime.private import (
    PrivateServer,
    private_broker,
    private_database,
    private_folder,
)
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import migrate
from tsuji_simulators.publish import Publisher

_PROPERTIES = (
    "air_temperature",
    "relative_humidity",
    "sound_level",
    "wind_speed",
    "wind_from_direction",
    "solar_irradiance",
    "pm2_5",
    "illuminance",
)
_THINGS = 100
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> None:
    """Print the table of this part."""
    print(f"{'':34}{'messages/s':>12}{'rows/s':>12}{'of ceiling':>12}{'CPU s/100k':>12}{'MiB':>8}")
    with private_database() as database:
        ceiling = _ceiling(database, 400_000)
        print(f"{'ceiling: binary COPY':34}{'':12}{ceiling:12,.0f}{1:12.0%}")
    for results, messages, again in ((8, 40_000, 0), (8, 40_000, 5), (1, 100_000, 0)):
        with private_database() as database, private_broker() as broker:
            took, cpu, memory = _drain(database, broker, results, messages, again)
        sent = messages + (messages * again) // 100
        rows = sent * results
        label = f"Tsuji, {results} results" + (f", {again} % twice" if again else "")
        print(
            f"{label:34}{sent / took:12,.0f}{rows / took:12,.0f}{rows / took / ceiling:12.0%}"
            f"{cpu / rows * 100_000:12.2f}{memory:8.0f}"
        )


def _ceiling(database: PrivateServer, rows: int) -> float:
    """Rows per second of COPY in batches of 10,000 into the very table of Tsuji."""
    migrate(database.url)
    with psycopg.connect(database.url) as connection:
        begun = time.perf_counter()
        for start in range(0, rows, 10_000):
            with connection.cursor().copy(
                "COPY observation (datastream_id, phenomenon_time, result) FROM STDIN (FORMAT binary)"
            ) as copy:
                copy.set_types(["int4", "timestamptz", "float8"])
                for n in range(start, start + 10_000):
                    copy.write_row((n % 800, _BEGIN + timedelta(seconds=n // 800), 1.5))
            connection.commit()
        return rows / (time.perf_counter() - begun)


def _drain(
    database: PrivateServer, broker: PrivateServer, results: int, messages: int, again: int
) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak MiB of an ingest that finds all messages waiting."""
    migrate(database.url)
    with private_folder() as home:
        environment = {
            **os.environ,
            "TSUJI_DATABASE_URL": database.url,
            "TSUJI_BROKER_URL": broker.url,
            "TSUJI_HOME": str(home),
            "TSUJI_LOG_LEVEL": "warning",
        }
        properties = _PROPERTIES[:results]
        things = [
            Thing(thing_id=f"t{n}", name="", longitude=139.7, latitude=35.7, datastreams=properties)
            for n in range(_THINGS)
        ]
        with Publisher(BrokerAddress.parse(broker.url)) as publisher:
            publisher.publish_things(things)
            publisher.flush()
            process = _start(environment)
            _wait(database, "SELECT count(*) FROM thing", _THINGS, process)
            process.send_signal(signal.SIGINT)
            process.wait()
            for number in [*range(messages), *range((messages * again) // 100)]:
                thing = things[number % _THINGS]
                publisher.publish_observations(
                    thing.thing_id,
                    [
                        Observation(
                            thing_id=thing.thing_id,
                            observed_property=name,
                            phenomenon_time=_BEGIN + timedelta(seconds=number // _THINGS),
                            result=1.5,
                        )
                        for name in properties
                    ],
                )
            publisher.flush()
        process = _start(environment)
        watched = psutil.Process(process.pid)
        first = "SELECT count(*) FROM latest"
        _wait(database, first, 1, process, every_s=0.002)
        begun, cpu_begun = time.perf_counter(), sum(watched.cpu_times()[:2])
        peak = 0.0
        done = "SELECT coalesce(sum(received), 0)::bigint FROM ingest_counter"
        with psycopg.connect(database.url, autocommit=True) as connection:
            (before,) = connection.execute(done).fetchone() or (0,)
            total = (messages + (messages * again) // 100) * results
            while (connection.execute(done).fetchone() or (0,))[0] < total:
                peak = max(peak, watched.memory_info().rss / 2**20)
                time.sleep(0.02)
        took = time.perf_counter() - begun
        cpu = sum(watched.cpu_times()[:2]) - cpu_begun
        process.send_signal(signal.SIGINT)
        process.wait()
    share = total / (total - before)  # what the first batch brought was not timed
    return took * share, cpu * share, peak


def _start(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tsuji", "ingest"], env=environment)


def _wait(
    database: PrivateServer,
    query: str,
    wanted: int,
    process: "subprocess.Popen[bytes]",
    every_s: float = 0.05,
) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        while (connection.execute(query).fetchone() or (0,))[0] < wanted:
            if process.poll() is not None:
                raise RuntimeError(f"ingest ended with {process.returncode}")
            time.sleep(every_s)
