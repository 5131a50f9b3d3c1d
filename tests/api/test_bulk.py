"""Downloads of observations and aggregates in every format: the same rows in each."""

import asyncio
import csv
import io
import json
import threading
from collections.abc import Callable, Generator
from datetime import datetime, timedelta

import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from psycopg.pq import TransactionStatus

from samples import T0, after, message, registration
from tsuji_platform.api import downloads
from tsuji_platform.api.errors import TooManyError
from tsuji_platform.api.room import Room
from tsuji_platform.store import DatabaseAwayError, Refresher
from tsuji_platform.store.export import exporting
from tsuji_platform.store.writer import Writer

_SPAN = {"start": after(minutes=-5).isoformat(), "end": after(hours=2).isoformat()}
_MINUTES = 60


@pytest.fixture
def measured(api: TestClient, writer: Writer) -> TestClient:
    """Two more things with an hour of minutes each."""
    writer.save(
        [registration("temp-1", "air_temperature"), registration("gate-9", "pedestrians_in")]
    )
    writer.save(
        [
            message("temp-1", after(minutes=minute), air_temperature=20 + minute / 8)
            for minute in range(_MINUTES)
        ]
        + [
            message("gate-9", after(minutes=minute), 60, pedestrians_in=minute)
            for minute in range(_MINUTES)
        ]
    )
    return api


def _things(*names: str) -> list[tuple[str, str]]:
    return [("thing", name) for name in names] + list(_SPAN.items())


def _of_json(text: str) -> list[dict[str, object]]:
    return json.loads(text)["items"]


@pytest.mark.parametrize(
    ("start", "end"),
    [(after(minutes=10), after(minutes=50)), (after(days=9), after(days=10))],
)
def test_what_lies_within_no_whole_step_is_said_to_end_where_it_begins(
    measured: TestClient, hub_url: str, start: datetime, end: datetime
) -> None:
    refresher = Refresher(hub_url)
    refresher.refresh()
    refresher.close()
    asked = {"start": start.isoformat(), "end": end.isoformat(), "step": "1h", "format": "parquet"}
    answer = measured.get("/v1/aggregates", params=asked)
    table = pq.read_table(io.BytesIO(answer.raise_for_status().content))
    told = json.loads(table.schema.metadata[b"tsuji"])
    assert (table.num_rows, told["after"] <= told["until"]) == (0, True)


def test_all_formats_hold_the_same_rows(measured: TestClient) -> None:
    asked = _things("temp-1", "gate-9")
    answers = {
        kind: measured.get("/v1/observations", params=[*asked, ("format", kind)])
        for kind in ("json", "jsonl", "csv", "parquet")
    }
    rows = _of_json(answers["json"].text)
    assert len(rows) == 2 * _MINUTES
    assert next(row for row in rows if row["thing"] == "temp-1") == {
        "thing": "temp-1",
        "observed_property": "air_temperature",
        "time": f"{T0:%Y-%m-%dT%H:%M:%SZ}",
        "result": 20.0,
        "unit": "Cel",
        "period_s": None,
    }
    assert [json.loads(line) for line in answers["jsonl"].text.splitlines()] == rows
    table = pq.read_table(io.BytesIO(answers["parquet"].content))
    assert table.column("result").to_pylist() == [row["result"] for row in rows]
    assert table.column("time").to_pylist()[:2] == [T0, after(minutes=1)]
    assert table.schema.field("time").metadata[b"meaning"].startswith(b"the END")
    about = json.loads(table.schema.metadata[b"tsuji"])
    assert about["units"] == {"air_temperature": "Cel", "pedestrians_in": "{person}"}
    told = list(csv.DictReader(io.StringIO(answers["csv"].text)))
    assert [float(row["result"]) for row in told] == [row["result"] for row in rows]
    assert [row["period_s"] for row in told] == [
        "" if row["period_s"] is None else str(row["period_s"]) for row in rows
    ]
    for kind, answer in answers.items():
        assert f"observations.{kind}" in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv;q=0.1, application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("application/x-ndjson", "application/jsonl"),
        ("application/json;q=0, */*", "application/jsonl"),
        ("*/*;q=0.1, application/*;q=0, text/csv;q=0.2", "text/csv"),
    ],
)
def test_the_header_accept_chooses(measured: TestClient, accept: str | None, media: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = measured.get("/v1/observations", params=_things("temp-1"), headers=headers)
    assert answer.headers["content-type"].split(";")[0] == media
    assert "Accept" in answer.headers["vary"].split(", ")


def test_what_can_not_be_sent_is_refused(measured: TestClient) -> None:
    answer = measured.get("/v1/observations", headers={"Accept": "image/png"})
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["detail"]


def test_a_spreadsheet_gets_its_mark(measured: TestClient) -> None:
    asked = [*_things("temp-1"), ("format", "csv"), ("bom", "true")]
    assert measured.get("/v1/observations", params=asked).content.startswith(b"\xef\xbb\xbfthing,")


def test_aggregates_equal_what_numpy_makes_of_the_observations(
    measured: TestClient, hub_url: str
) -> None:
    Refresher(hub_url).refresh()
    asked = [*_things("temp-1", "gate-9"), ("step", "5min")]
    rows = _of_json(measured.get("/v1/aggregates", params=asked).text)
    for thing, first, scale in (("temp-1", 20.0, 1 / 8), ("gate-9", 0.0, 1.0)):
        results = first + np.arange(_MINUTES) * scale
        # a bucket ends with its last moment: the first holds minute 0 alone
        expected = [results[:1], *(results[n : n + 5] for n in range(1, _MINUTES, 5))]
        mine = [row for row in rows if row["thing"] == thing]
        assert [row["n"] for row in mine] == [len(part) for part in expected]
        assert [row["sum"] for row in mine] == pytest.approx([part.sum() for part in expected])
        assert [row["min"] for row in mine] == [part.min() for part in expected]
        assert [row["max"] for row in mine] == [part.max() for part in expected]
        result = np.sum if thing == "gate-9" else np.mean
        assert [row["result"] for row in mine] == pytest.approx([result(part) for part in expected])


def test_filters_compose(measured: TestClient) -> None:
    def things(**asked: str) -> set[object]:
        answer = measured.get("/v1/observations", params={**_SPAN, **asked})
        assert answer.status_code == 200, answer.text
        return {row["thing"] for row in _of_json(answer.text)}

    everything = things()
    assert {"temp-1", "gate-9"} <= everything
    assert things(observed_property="air_temperature") < everything
    assert things(kind="thing") <= everything
    assert things(thing="temp-1", observed_property="pedestrians_in") == set()
    assert things(bbox="-180,-90,180,90") == everything
    assert things(bbox="0,0,1,1") == set()  # as elsewhere: a map may be moved to where nothing is
    assert things(bbox="0,0,1,1", thing="temp-1") == set()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"thing": "nobody"}, "nobody"),
        ({"thing": "rollups"}, "rollups"),
        ({"observed_property": "mood"}, "mood"),
        ({"area_set": "nowhere"}, "nowhere"),
        ({"area": "13104"}, "area_set"),
        ({"bbox": "1,2,3"}, "west,south,east,north"),
        ({"bbox": "10,0,5,1"}, "west,south,east,north"),
        ({"bbox": "nan,0,5,1"}, "west,south,east,north"),
        ({"interval": "P1M"}, "interval"),
        ({"interval": "P1D", "end": "2026-04-01T00:00:00Z"}, "leave out"),
        ({"start": "2026-04-02T00:00:00Z", "end": "2026-04-01T00:00:00Z"}, "before"),
        ({"kind": "submarine"}, "kind"),
        ({"format": "xlsx"}, "format"),
        ({"thing": "a\x00b"}, ""),
    ],
)
def test_wrong_filters_are_named(measured: TestClient, asked: dict[str, str], says: str) -> None:
    answer = measured.get("/v1/observations", params=asked)
    assert answer.status_code == 422
    problem = answer.json()
    assert says in problem["detail"]
    (wrong,) = problem["errors"]
    assert wrong["parameter"] in asked
    assert wrong["example"]


def test_sums_that_are_not_ready_are_said_in_the_words_of_the_api(
    measured: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_ROLLED_UP_WITHIN_S", 0.0)
    answer = measured.get("/v1/aggregates", params=_things("temp-1"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "/v1/observations" in answer.json()["detail"]
    assert "--" not in answer.json()["detail"]


def test_nothing_is_an_empty_answer_in_every_format(measured: TestClient) -> None:
    asked = [("thing", "temp-1"), ("interval", "2020-01-01T00:00:00Z/P1D")]
    answers = {
        kind: measured.get("/v1/observations", params=[*asked, ("format", kind)])
        for kind in ("json", "jsonl", "csv", "parquet")
    }
    assert _of_json(answers["json"].text) == []
    assert answers["jsonl"].content == b""
    assert answers["csv"].text == "thing,observed_property,time,result,unit,period_s\n"
    assert pq.read_table(io.BytesIO(answers["parquet"].content)).num_rows == 0


def _connections(hub_url: str) -> int:
    with psycopg.connect(hub_url) as connection:
        ((count,),) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tsuji export'"
        ).fetchall()
    return int(count)


def test_no_more_than_a_few_at_once_and_none_is_left_behind(
    measured: TestClient, hub_url: str, eventually: Callable[..., None]
) -> None:
    hub = measured.app.state.hub
    choice = downloads.Choice(things=("temp-1",), start=T0 - timedelta(days=1), end=after(hours=2))
    held = [hub.downloads.answer(choice, downloads.Format.CSV, "x") for _ in range(4)]
    refused = measured.get("/v1/observations", params=_things("temp-1"))
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert _connections(hub_url) == 4
    for one in held:
        one._give_back()
    eventually(lambda: _connections(hub_url) == 0)  # the server takes its time
    assert measured.get("/v1/observations", params=_things("temp-1")).status_code == 200
    eventually(lambda: _connections(hub_url) == 0)  # the server takes its time


def test_one_caller_leaves_room_for_others(measured: TestClient) -> None:
    hub = measured.app.state.hub
    choice = downloads.Choice(things=("temp-1",), start=T0 - timedelta(days=1), end=after(hours=2))

    def begun(caller: str) -> downloads._Stream:
        return hub.downloads.answer(choice, downloads.Format.CSV, "x", caller=caller)

    held = [begun("a"), begun("a")]
    with pytest.raises(TooManyError, match="2 downloads of yours"):
        begun("a")
    held.append(begun("b"))
    held.pop(0)._give_back()
    held.append(begun("a"))
    for one in held:
        one._give_back()


_LONGEST_S = 3_600.0


def _pass(seconds: float) -> None:
    """Let time pass for the event loop: a short limit could strike before there is anything to send."""
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds


def test_a_download_that_takes_too_long_is_cut_off(
    measured: TestClient,
    hub_url: str,
    caplog: pytest.LogCaptureFixture,
    eventually: Callable[..., None],
) -> None:
    caplog.set_level("INFO")
    brief = downloads.Downloads(hub_url, room=Room(seconds=_LONGEST_S))
    choice = downloads.Choice(things=("temp-1",), start=T0 - timedelta(days=1), end=after(hours=2))

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    async def send(message: dict[str, object]) -> None:
        if message.get("body"):
            _pass(2 * _LONGEST_S)
            await asyncio.Event().wait()  # it takes its time

    answer = brief.answer(choice, downloads.Format.CSV, "x")
    asyncio.run(answer({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send))
    assert "longer than" in caplog.text
    eventually(lambda: _connections(hub_url) == 0)  # the server takes its time


def test_two_workers_count_the_downloads_of_one_caller_together(
    measured: TestClient, hub_url: str, eventually: Callable[..., None]
) -> None:
    choice = downloads.Choice(things=("temp-1",), start=T0 - timedelta(days=1), end=after(hours=2))
    workers = [downloads.Downloads(hub_url), downloads.Downloads(hub_url)]
    held = [one.answer(choice, downloads.Format.CSV, "x", caller="a") for one in workers]
    for one in workers:
        with pytest.raises(TooManyError, match="2 downloads of yours"):
            one.answer(choice, downloads.Format.CSV, "x", caller="a")
    held.append(workers[0].answer(choice, downloads.Format.CSV, "x", caller="b"))
    held.pop(0)._give_back()

    def begins() -> bool:
        try:
            held.append(workers[1].answer(choice, downloads.Format.CSV, "x", caller="a"))
        except TooManyError:  # the server takes its time to end a transaction
            return False
        return True

    eventually(begins, what="a place is free again")
    for one in held:
        one._give_back()
    eventually(lambda: _connections(hub_url) == 0)  # the server takes its time


@pytest.mark.parametrize("goes_away", [True, False])
def test_what_the_database_is_still_reading_is_broken_off(
    measured: TestClient, hub_url: str, caplog: pytest.LogCaptureFixture, *, goes_away: bool
) -> None:
    """For a caller who goes away, and where it takes longer than a download may."""
    caplog.set_level("INFO")
    choice = downloads.Choice(things=("temp-1",), start=T0 - timedelta(days=1), end=after(hours=2))
    sent: list[bytes] = []
    reads = threading.Event()

    async def receive() -> dict[str, object]:
        await asyncio.to_thread(reads.wait)
        if not goes_away:
            _pass(2 * _LONGEST_S)
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message.get("body", b""))

    with exporting(hub_url, choice) as found:

        def slow() -> Generator[bytes, None, None]:
            yield b"first"
            reads.set()
            found._connection.execute("SELECT pg_sleep(3600)")
            yield b"never"

        parts = downloads._Parts(slow(), found.cancel)
        answer = downloads._Stream(parts, parts.close, "text/csv", {}, _LONGEST_S)
        asyncio.run(answer({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send))
        assert found._connection.info.transaction_status is TransactionStatus.INERROR
    assert sent == [b"", b"first"]
    assert ("longer than" in caplog.text) is not goes_away


@pytest.mark.parametrize("kind", [downloads.Format.PARQUET, downloads.Format.CSV])
def test_a_lost_database_is_an_error_before_the_first_byte_and_a_cut_after_it(
    measured: TestClient, hub_url: str, kind: downloads.Format, caplog: pytest.LogCaptureFixture
) -> None:
    hub = measured.app.state.hub
    choice = downloads.Choice(things=("temp-1",), start=T0 - timedelta(days=1), end=after(hours=2))
    answer = hub.downloads.answer(choice, kind, "x")
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE application_name = 'tsuji export'"
        )
    sent = []

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    whole = answer({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    if kind is downloads.Format.PARQUET:  # nothing can be sent before rows were read
        with pytest.raises(DatabaseAwayError):
            asyncio.run(whole)
        assert sent == []
    else:
        asyncio.run(whole)
        assert [message.get("more_body") for message in sent] == [None, True]
        assert "cut off" in caplog.text
    for _ in range(4):
        hub.downloads.answer(choice, kind, "x")._give_back()


def test_a_caller_that_takes_nothing_is_not_handed_much() -> None:
    body = bytes(range(256)) * 4_000
    parts = downloads._Parts(part for part in (body[:1], b"", body[1:]))
    answer = downloads._Stream(parts, lambda: None, "text/csv", {})
    sent = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message.get("body", b""))

    asyncio.run(answer.stream_response(send))
    assert b"".join(sent) == body
    assert max(map(len, sent)) <= 1 << 18
