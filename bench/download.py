"""Millions of rows downloaded by curl as CSV and Parquet: how fast, and what memory the API takes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import psycopg
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from rich.filesize import decimal

from bench.history_city import PERIOD, City, load
from bench.ingest import _until_ready
from tsuji_platform.runtime.mqtt import free_port
from tsuji_platform.runtime.private import private_database, private_folder
from tsuji_platform.store import migrate
from tsuji_platform.store.imports import ImportWriter

ROWS = 1_000_000
_TENTHS = 10
_TIMES_TEN = 10
"""Results have one decimal: sums of ten times as much are exact."""


def run(rows: int = ROWS) -> None:
    """Print the table of this part.

    Args:
        rows: to load and to download.
    """
    city = City.of(0)
    steps = -(-rows // city.streams)
    start: datetime = city.end - PERIOD * (steps + 1)
    with private_database() as database, private_folder() as folder:
        print(database.description, flush=True)
        migrate(database.url)
        writer = ImportWriter(database.url)
        writer.register(city.things)
        writer.close()
        loaded = load(database.url, "download", city.rows_since(start, steps, timedelta()))
        print(f"{loaded.rows:,} rows copied in, {loaded.rate:,.0f}/s", flush=True)
        expected = _stored(database.url)
        span = f"start={(start - PERIOD):%Y-%m-%dT%H:%M:%SZ}&end={city.end:%Y-%m-%dT%H:%M:%SZ}"
        with _api(database.url, folder) as (address, process):
            _download(f"{address}/v1/figures", folder / "first", process)  # what is loaded once
            print(
                f"\n{'':10}{'rows/s':>10}{'seconds':>9}{'size':>10}{'MiB/s':>8}"
                f"   resident MiB of the API, by tenths of the time{'most':>10}"
            )
            for kind in ("csv", "parquet"):
                file = folder / f"all.{kind}"
                took, sizes = _download(
                    f"{address}/v1/observations?{span}&format={kind}", file, process
                )
                tenths = "".join(
                    f"{sizes[min(len(sizes) - 1, len(sizes) * i // _TENTHS)]:5.0f}"
                    for i in range(_TENTHS)
                )
                length = file.stat().st_size
                print(
                    f"{kind:10}{loaded.rows / took:10,.0f}{took:9.1f}{decimal(length):>10}"
                    f"{length / 2**20 / took:8.1f}   {tenths}{max(sizes):8.0f}",
                    flush=True,
                )
                found = _of_csv(file) if kind == "csv" else _of_parquet(file)
                if found != expected:
                    raise RuntimeError(f"{kind} has {found} rows and sum, the table {expected}")
                file.unlink()
    print(f"\nboth hold the table's {expected[0]:,} rows and their sum, {expected[1] / 10:,.1f}")


def _stored(url: str) -> tuple[int, int]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT count(*), sum(round(result * 10))::bigint FROM observation"
        ).fetchone() or (0, 0)


def _of_csv(file: Path) -> tuple[int, int]:
    options = pacsv.ConvertOptions(include_columns=["result"])
    rows = total = 0
    with pacsv.open_csv(file, convert_options=options) as reader:
        for batch in reader:
            rows, total = rows + len(batch), total + _sum(batch.column(0))
    return rows, total


def _of_parquet(file: Path) -> tuple[int, int]:
    rows = total = 0
    with pq.ParquetFile(file) as reader:
        for batch in reader.iter_batches(columns=["result"]):
            rows, total = rows + len(batch), total + _sum(batch.column(0))
    return rows, total


def _sum(results: object) -> int:
    return int(pc.sum(pc.cast(pc.round(pc.multiply(results, float(_TIMES_TEN))), "int64")).as_py())


def _download(address: str, file: Path, process: psutil.Process) -> tuple[float, list[float]]:
    """Seconds, and the resident MiB of a process meanwhile."""
    sizes: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            sizes.append(process.memory_info().rss / 2**20)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    begun = time.perf_counter()
    subprocess.run(["curl", "--silent", "--fail", "--output", str(file), address], check=True)
    took = time.perf_counter() - begun
    over.set()
    watching.join()
    return took, sizes


@contextmanager
def _api(url: str, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tsuji", "api"],
        env={
            **os.environ,
            "TSUJI_DATABASE_URL": url,
            "TSUJI_API_PORT": str(port),
            "TSUJI_HOME": str(folder),
        },
    )
    try:
        _until_ready(port, "/v1/health")
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
