"""Files into the database by `tsuji import`, beside the database's own ceiling for the same rows."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from bench.ingest import _ceiling
from tsuji_platform.runtime.private import PrivateServer, private_database, private_folder
from tsuji_platform.store import migrate

_PROPERTIES = (
    "air_temperature",
    "relative_humidity",
    "sound_level",
    "wind_speed",
    "wind_from_direction",
    "solar_irradiance",
    "pm2_5",
    "pedestrians_in",
)
_THINGS = 100
_ROWS = int(os.environ.get("ROWS", "2_000_000"))
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def run() -> None:
    """Print the table of this part."""
    print(f"{_ROWS:,} rows of {_THINGS * len(_PROPERTIES)} datastreams\n")
    print(f"{'':34}{'rows/s':>12}{'of ceiling':>12}{'CPU s/100k':>12}{'MiB':>8}")
    with private_database() as database:
        ceiling = _ceiling(database, packed=False)
        print(f"{'ceiling: binary COPY':34}{ceiling:12,.0f}{1:12.0%}", flush=True)
    with private_folder() as folder:
        table = _table(_ROWS)
        things = folder / "things.json"
        things.write_text(json.dumps(_things()))
        for name, write in _FILES.items():
            path = folder / name
            write(table, path)
            with private_database() as database:
                migrate(database.url)
                _line(name, ceiling, *_import(database, folder, path, "--register", str(things)))
                if name.endswith(".parquet"):
                    _line(
                        "  again, all there", ceiling, *_import(database, folder, path, "--again")
                    )
                    _line("  dry run", ceiling, *_import(database, folder, path, "--dry-run"))
            path.unlink()


def _line(name: str, ceiling: float, took: float, cpu_s: float, peak: float) -> None:
    rate = _ROWS / took
    print(
        f"{name:34}{rate:12,.0f}{rate / ceiling:12.0%}{cpu_s / _ROWS * 100_000:12.2f}{peak:8.0f}",
        flush=True,
    )


def _table(rows: int) -> pa.Table:
    """Rows as sensors give them: all at one time, then all at the next; counts among them."""
    number = np.arange(rows)
    thing, name = number // len(_PROPERTIES) % _THINGS, number % len(_PROPERTIES)
    minute = number // (len(_PROPERTIES) * _THINGS)
    texts = pa.array(
        [(_BEGIN + timedelta(minutes=one)).isoformat() for one in range(int(minute[-1]) + 1)]
    )
    counts = name == len(_PROPERTIES) - 1
    return pa.table(
        {
            "thing": pa.array([f"t{one}" for one in range(_THINGS)]).take(pa.array(thing)),
            "observed_property": pa.array(_PROPERTIES).take(pa.array(name)),
            "time": texts.take(pa.array(minute)),
            "result": pa.array(np.where(counts, number % 50, number % 997 / 100)),
            "period_s": pa.array(np.full(rows, 60), mask=~counts),
        }
    )


def _things() -> list[dict[str, object]]:
    return [
        {
            "thing_id": f"t{number}",
            "location": {"type": "Point", "coordinates": [139.7, 35.7]},
            "datastreams": list(_PROPERTIES),
        }
        for number in range(_THINGS)
    ]


def _write_parquet(table: pa.Table, path: Path) -> None:
    times = table["time"].cast(pa.timestamp("us", "UTC"))
    pq.write_table(table.set_column(2, "time", times), path)


def _write_json_lines(table: pa.Table, path: Path) -> None:
    with path.open("w") as file:
        for batch in table.to_batches(50_000):
            for row in batch.to_pylist():
                file.write(json.dumps({k: v for k, v in row.items() if v is not None}) + "\n")


_FILES: dict[str, Callable[[pa.Table, Path], None]] = {
    "long.parquet": _write_parquet,
    "long.csv": pacsv.write_csv,  # which puts texts in quotes
    "long.jsonl": _write_json_lines,
}


def _import(
    database: PrivateServer, home: Path, path: Path, *arguments: str
) -> tuple[float, float, float]:
    """Seconds from the first read to the last commit, CPU seconds, and the peak of the memory, MiB."""
    process = psutil.Popen(
        [sys.executable, "-m", "tsuji", "import", str(path), *arguments],
        env={**os.environ, "TSUJI_DATABASE_URL": database.url, "TSUJI_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    begun, peak, cpu_s = time.perf_counter(), 0.0, 0.0
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss / 2**20)
            cpu_s = sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    if process.wait() != 0:
        raise RuntimeError(f"the import ended with {process.returncode}")
    return time.perf_counter() - begun, cpu_s, peak
