"""The live stream over real connections: a snapshot, then what changes, to all who listen."""

import asyncio
import contextlib
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from httpx_sse import ServerSentEvent, connect_sse

from hub_processes import HubProcesses
from own_ports import own_port
from samples import T0, after, message, registration
from tsuji_platform.api import live
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.live_filter import Filter, Part
from tsuji_platform.api.live_groups import Subscriber
from tsuji_platform.api.live_ids import EventId
from tsuji_platform.api.routers import live as live_router
from tsuji_platform.store import Database, changes
from tsuji_platform.store.live import Snapshot
from tsuji_platform.store.writer import Writer

KNOWN = EventId(
    database="0" * 8, snapshot=Snapshot(1, 1, frozenset()), alert=0, time=T0, filter="0" * 12
)


class Listener:
    """One open stream, read in a thread of its own."""

    def __init__(
        self, base_url: str, area_set: str | None = None, last: str | None = None, **asked: object
    ) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=httpx.Timeout(30, read=60))
        self._events: queue.SimpleQueue[ServerSentEvent | None] = queue.SimpleQueue()
        self._asked = asked if area_set is None else {"area_set": area_set, **asked}
        self._headers = {} if last is None else {"Last-Event-ID": last}
        self._response: httpx.Response | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with connect_sse(
                self._client, "GET", "/v1/live", params=self._asked, headers=self._headers
            ) as source:
                self._response = source.response
                for event in source.iter_sse():
                    self._events.put(event)
        except (httpx.HTTPError, OSError):
            pass
        self._events.put(None)

    def next(self, name: str) -> dict:
        """The next event, which must be of this name; heartbeats are passed over."""
        while True:
            event = self._events.get(timeout=90)
            assert event is not None, "the stream has ended"
            if event.event != "heartbeat" or name == "heartbeat":
                break
        assert event.event == name, event.data
        return event.json()

    def ended(self) -> bool:
        """Wait for the end of the stream, passing over what still comes."""
        while self._events.get(timeout=90) is not None:
            pass
        return True

    def close(self) -> None:
        """Go away without a word, as browsers do."""
        if self._thread.is_alive() and self._response is not None:
            stream = self._response.extensions["network_stream"]
            with contextlib.suppress(OSError):  # the server may just have ended it
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=90)
        self._client.close()


@pytest.fixture
def app(city: Database, clock) -> FastAPI:
    return create_app(Hub(city, clock))


@pytest.fixture
def server(app: FastAPI, eventually: Callable) -> Iterator[str]:
    port = own_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=90)
    assert not thread.is_alive()


@pytest.fixture
def listen(server: str) -> Iterator[Callable[[str], Listener]]:
    opened: list[Listener] = []

    def open_(area_set: str | None = "squares", **asked: object) -> Listener:
        opened.append(Listener(server, area_set, **asked))
        return opened[-1]

    yield open_
    for listener in opened:
        listener.close()


def figures(event: dict) -> dict[str, dict[str, float]]:
    return {
        area["code"]: {name: it["value"] for name, it in area["figures"].items()}
        for area in event["areas"]
    }


def heard(listener: Listener) -> tuple[dict[str, dict[str, float]], dict[str, dict]]:
    """Figures by area and states by thing, once there are both.

    A look at the database that a commit cuts in two has new figures, and their things with the next look.
    """
    told: dict[str, dict[str, float]] = {}
    things: dict[str, dict] = {}
    while not (told and things):
        event = listener.next("change")
        told |= figures(event)
        things |= {it["id"]: it for it in event["things"]}
    return told, things


def test_a_stream_begins_with_the_whole_snapshot(listen: Callable, server: str) -> None:
    event = listen().next("snapshot")
    snapshot = httpx.get(f"{server}/v1/area-sets/squares/snapshot", timeout=90).json()
    del snapshot["links"]
    assert {key: event[key] for key in snapshot} == snapshot
    things = {it["id"]: it for it in event["things"]}
    assert set(things) == {"gate-1", "gate-2", "pole-1", "pole-2", "pole-3"}
    assert things["pole-1"]["state"] == "live"
    assert things["pole-1"]["latest"]["air_temperature"] == {
        "result": 12.0,
        "time": "2026-04-01T02:58:00Z",
    }
    assert things["pole-3"] == {
        "id": "pole-3",
        "state": "waiting",
        "last_observed_at": None,
        "latest": {},
    }


def test_what_is_stored_comes_as_a_change_of_that_area_alone(
    listen: Callable, writer: Writer
) -> None:
    listener = listen()
    listener.next("snapshot")
    writer.save([message("gate-1", after(hours=3), pedestrians_in=5)])
    told, things = heard(listener)
    assert set(told) == {"W"}
    assert told["W"]["footfall"] == 45.0
    assert told["W"]["air_temperature"] == 14.0  # all figures of the area
    assert set(things) == {"gate-1"}
    assert things["gate-1"]["last_observed_at"] == "2026-04-01T03:00:00Z"

    writer.save([message("gate-1", after(hours=3), pedestrians_in=6)])  # a correction
    assert heard(listener)[0]["W"]["footfall"] == 46.0


def test_a_duplicate_is_no_change(listen: Callable, writer: Writer) -> None:
    listener = listen()
    listener.next("snapshot")
    writer.save([message("gate-2", after(hours=3), 3600, pedestrians=100)])  # a duplicate
    writer.save([message("pole-1", after(minutes=1), air_temperature=-9)])  # too old to show
    writer.save([message("gate-2", after(hours=3), 3600, pedestrians=101)])
    assert figures(listener.next("change")) == {"E": {"footfall": 101.0}}


def test_a_figure_that_has_become_too_old_goes_blank(
    listen: Callable, writer: Writer, clock
) -> None:
    listener = listen()
    listener.next("snapshot")
    clock.now += timedelta(minutes=56)
    writer.save([registration("new", longitude=1)])  # anything that makes the hub look
    seen: dict[str, dict[str, float]] = {}
    states: dict[str, str] = {}

    def hear_of(thing: str) -> None:
        """The hub may just have looked, before there was anything else."""
        while thing not in states:
            event = listener.next("change")
            seen.update(figures(event))
            states.update({it["id"]: it["state"] for it in event["things"]})

    hear_of("new")
    assert seen == {"W": {"air_temperature": 12.0, "rainfall": 0.5, "wind_from_direction": 350.0}}
    assert states == {"gate-1": "silent", "new": "waiting", "pole-1": "silent"}
    clock.now += timedelta(minutes=10)
    writer.save([registration("newer", longitude=1)])
    hear_of("newer")
    assert seen == {"W": {}, "E": {}}


def test_two_who_listen_to_different_sets_hear_of_their_own(
    listen: Callable, writer: Writer
) -> None:
    one, other, same = listen("squares"), listen("wards"), listen("squares")
    for listener in (one, other, same):
        listener.next("snapshot")
    writer.save([message("gate-2", after(hours=3), 3600, pedestrians=150)])
    assert figures(one.next("change")) == {"E": {"footfall": 150.0}}
    assert figures(same.next("change")) == {"E": {"footfall": 150.0}}
    event = other.next("change")
    assert event["area_set"] == "wards"
    assert figures(event)["13104"]["footfall"] == 190.0


def test_who_comes_later_begins_with_what_is_then(listen: Callable, writer: Writer) -> None:
    first = listen()
    first.next("snapshot")
    writer.save([message("gate-2", after(hours=3), 3600, pedestrians=150)])
    heard(first)
    later = listen()
    assert figures(later.next("snapshot"))["E"]["footfall"] == 150.0
    writer.save([message("gate-2", after(hours=3), 3600, pedestrians=160)])
    assert heard(later)[0]["E"]["footfall"] == 160.0
    assert heard(first)[0]["E"]["footfall"] == 160.0


def test_who_goes_away_is_forgotten(
    listen: Callable, app: FastAPI, writer: Writer, eventually: Callable
) -> None:
    feed = app.state.live
    stays = listen()
    stays.next("snapshot")
    for _ in range(5):
        leaves = listen()
        leaves.next("snapshot")
        assert feed.listeners == 2
        leaves.close()
        eventually(lambda: feed.listeners == 1, what="the stream is forgotten")
    writer.save([message("gate-2", after(hours=3), 3600, pedestrians=150)])
    stays.next("change")
    stays.close()
    eventually(lambda: feed.listeners == 0)


def test_the_stream_goes_on_after_the_watchers_connection_was_lost(
    listen: Callable, writer: Writer, city: Database, eventually: Callable
) -> None:
    listener = listen()
    listener.next("snapshot")

    def watchers() -> list[int]:
        return [
            row["pid"]
            for row in city.rows(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'tsuji listen'"
                " AND datname = current_database()"
            )
        ]

    eventually(watchers)
    lost = watchers()
    city.rows("SELECT pg_terminate_backend(pid) FROM unnest(%(pids)s::int4[]) pid", {"pids": lost})
    eventually(lambda: not set(lost) & set(watchers()))
    writer.save([message("gate-2", after(hours=3), 3600, pedestrians=150)])
    assert figures(listener.next("change"))["E"]["footfall"] == 150.0


def test_one_who_stops_reading_is_sent_away(
    server: str, app: FastAPI, city: Database, eventually: Callable, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(live_router, "SEND_TIMEOUT_S", 0.3)
    feed = app.state.live
    address = urlsplit(server)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(90)
        reader.connect((address.hostname, address.port))
        reader.sendall(b"GET /v1/live?area_set=squares HTTP/1.1\r\nHost: hub\r\n\r\n")
        assert reader.recv(12) == b"HTTP/1.1 200"
        eventually(lambda: feed.listeners == 1)
        (subscriber,) = next(iter(feed._groups.values())).subscribers
        eventually(lambda: subscriber.known)
        for _ in range(40):  # more than all buffers on the way take
            events = b"data: " + b"x" * 500_000 + b"\n\n"
            subscriber.loop.call_soon_threadsafe(subscriber.put, events, subscriber.known)
        eventually(lambda: feed.listeners == 0, what="the reader is sent away")
    assert not [record for record in caplog.records if record.exc_info]  # it is no defect


def test_a_database_that_is_away_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, eventually: Callable
) -> None:
    tries: list[str] = []

    def counted(url: str, heartbeat_s: float) -> Iterator[bool]:
        tries.append(url)
        return changes(url, heartbeat_s)

    monkeypatch.setattr(live, "changes", counted)
    with Database("postgresql://127.0.0.1:1/nowhere") as away:
        feed = live.LiveFeed(Hub(away))
        feed.start()
        try:
            eventually(lambda: len(tries) >= 3)
        finally:
            feed.stop()
    assert caplog.text.count("the live stream pauses") == 1


def test_there_are_only_so_many_streams(listen: Callable, server: str, monkeypatch) -> None:
    monkeypatch.setattr(live, "MOST_LISTENERS", 2)
    first, second = listen(), listen("wards")
    first.next("snapshot")
    second.next("snapshot")
    answer = httpx.get(f"{server}/v1/live", params={"area_set": "squares"}, timeout=90)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "try again" in answer.json()["detail"]


def test_a_server_with_open_streams_stops_when_asked(hub: HubProcesses) -> None:
    done = hub.run("areas", "mesh", "139.6", "35.6", "139.7", "35.7", "--size", "1000")
    assert done.returncode == 0, done.stderr
    hub.start("api")
    listeners = [Listener(hub.api_url, "mesh1000") for _ in range(3)]
    for listener in listeners:
        listener.next("snapshot")
    hub.end("api", signal.SIGTERM)  # fails where it takes longer than a minute
    assert all(listener.ended() for listener in listeners)
    assert "Traceback" not in hub.log("api").read_text()


def test_one_who_reads_too_slowly_is_sent_away_instead_of_being_told_a_part() -> None:
    async def flood() -> list[bytes | None]:
        subscriber = Subscriber(Filter(parts=frozenset(Part)), asyncio.get_running_loop())
        for number in range(65):  # one more than may wait
            subscriber.put(str(number).encode(), KNOWN)
        return [subscriber.queue.get_nowait() for _ in range(subscriber.queue.qsize())]

    assert asyncio.run(flood()) == [None]
