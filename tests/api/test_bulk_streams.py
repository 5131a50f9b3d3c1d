"""Long downloads from the real server: flat memory, and nothing left behind by those who go away."""

from collections.abc import Callable

import httpx
import psutil
import psycopg
import pyarrow.parquet as pq
import pytest

from hub_processes import HubProcesses
from samples import registration
from tsuji_platform.store.writer import Writer

_ROWS = 600_000
_ASKED = "/v1/observations?thing=long&interval=2026-01-01T00:00:00Z/P30D&format="


@pytest.fixture
def serving(hub: HubProcesses, hub_url: str) -> HubProcesses:
    """An API over one thing with many observations."""
    writer = Writer(hub_url, "test")
    writer.save([registration("long", "air_temperature")])
    writer.close()
    with psycopg.connect(hub_url, options="-c tsuji.logs_changes=on") as connection:
        connection.execute(
            """INSERT INTO observation (datastream_id, phenomenon_time, result)
               SELECT datastream_id, timestamptz '2026-01-01T00:00:00Z' + n * interval '3 seconds', n
               FROM datastream, generate_series(1, %s) AS n""",
            [_ROWS],
        )
    hub.start("api")
    return hub


def _exports(hub_url: str) -> int:
    with psycopg.connect(hub_url) as connection:
        ((count,),) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tsuji export'"
        ).fetchall()
    return int(count)


def test_memory_does_not_grow_with_the_length_of_a_download(
    serving: HubProcesses, hub_url: str, tmp_path, eventually: Callable[..., None]
) -> None:
    process = psutil.Process(serving.pid("api"))

    def download(kind: str) -> tuple[int, bytes]:
        most, body = 0, []
        headers = {"Accept-Encoding": "identity"}
        with httpx.stream(
            "GET", serving.api_url + _ASKED + kind, headers=headers, timeout=90
        ) as answer:
            for part in answer.iter_bytes():
                body.append(part)
                most = max(most, process.memory_info().rss)
        return most, b"".join(body)

    download("csv")  # what libraries load once
    before = process.memory_info().rss
    most, body = download("csv")
    assert body.count(b"\n") == _ROWS + 1
    assert most - before < len(body) / 2
    (tmp_path / "all.parquet").write_bytes(download("parquet")[1])
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.column("result").to_pylist() == list(map(float, range(1, _ROWS + 1)))
    eventually(lambda: _exports(hub_url) == 0)  # the server takes its time


def test_who_goes_away_leaves_nothing_behind(
    serving: HubProcesses, hub_url: str, eventually: Callable[..., None]
) -> None:
    for _ in range(6):  # more than are served at once
        with httpx.stream("GET", serving.api_url + _ASKED + "csv", timeout=90) as answer:
            assert answer.status_code == 200
            next(answer.iter_bytes())
        eventually(lambda: _exports(hub_url) == 0, what="all connections given back")
    assert httpx.get(f"{serving.api_url}/v1/figures", timeout=90).status_code == 200
