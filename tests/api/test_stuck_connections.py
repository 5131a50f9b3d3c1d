"""Whoever hangs, goes away or never finishes asking leaves nothing behind; a thousand may listen."""

import contextlib
import http.client
import json
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest
from fastapi import Response

from hub_processes import HubProcesses
from live_reader import serving
from samples import after, message, registration
from tsuji_platform import connections
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.connections import allow_many
from tsuji_platform.store import Database
from tsuji_platform.store.writer import Writer

BULK = "/v1/observations?thing=pole&interval=2026-01-01T00:00:00Z/P30D&format="
ROWS = 100_000
LISTENERS = 1_000
MOST_KIB_EACH = 200
"""Of a listener; about 55 where it was measured."""


POOL = 8
"""Connections to the database for readers, which may still be opened once nobody waits for them."""
ENDING = " HTTP/1.1\r\nConnection: close\r\nX-Rest:"
"""Behind a path: whoever reads it learns where the answer ends."""


class Asking:
    """Raw connections to a server."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._address = address.hostname, address.port
        self._open: list[socket.socket] = []

    def ask(self, path: str, *, half: bool = False, read: int = 0) -> socket.socket:
        """Send a request, or a part of one, and read so many bytes of the answer."""
        asker = socket.socket()
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        asker.settimeout(60)
        asker.connect(self._address)
        request = f"GET {path} HTTP/1.1\r\nHost: hub\r\n".encode()
        asker.sendall(request[:-9] if half else request + b"\r\n")
        while read > 0 and (part := asker.recv(read)):
            read -= len(part)
        self._open.append(asker)
        return asker

    def close(self) -> None:
        """Go away without a word."""
        for asker in self._open:
            asker.close()
        self._open.clear()


def has(asker: socket.socket, wanted: bytes) -> bool:
    """Read on until something comes."""
    held = b""
    while wanted not in held:
        part = asker.recv(65_536)
        if not part:
            return False
        held = held[-len(wanted) :] + part
    return True


def answered(asking: Asking, path: str, wanted: bytes) -> socket.socket:
    """Ask until it is answered: a busy machine may take as long to ask as a server waits here."""
    for _ in range(100):
        with contextlib.suppress(ConnectionError):
            asker = asking.ask(path)
            if has(asker, wanted):
                return asker
    pytest.fail(f"never in time: {path}")


class Left:
    """What a server holds."""

    def __init__(self, pid: int, port: int, database_url: str) -> None:
        self._process = psutil.Process(pid)
        self._port = port
        self._database = psycopg.connect(database_url, autocommit=True)

    def connections(self) -> int:
        """Connections that it has not closed, whatever the others did."""
        found = self._process.net_connections(kind="tcp")
        return sum(it.laddr.port == self._port and bool(it.raddr) for it in found)

    def sessions(self) -> Counter[str]:
        """What it has open in the database, by name; those that are in the middle of something apart."""
        rows = self._database.execute(
            "SELECT application_name || CASE WHEN state = 'idle' THEN '' ELSE ' busy' END"
            " FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND application_name LIKE 'tsuji%'"
        )
        return Counter(name for (name,) in rows)

    def is_busy(self) -> bool:
        """Whether any of these is in the middle of something."""
        return any(name.endswith(" busy") for name in self.sessions())

    def threads(self) -> int:
        """Its threads."""
        return self._process.num_threads()

    def memory(self) -> int:
        """Its memory, bytes."""
        return self._process.memory_info().rss

    def close(self) -> None:
        """Look no more."""
        self._database.close()


def test_what_is_cut_off_is_given_back_and_a_thousand_may_listen(
    hub: HubProcesses, hub_url: str, eventually: Callable
) -> None:
    allow_many()
    writer = Writer(hub_url, "test")
    writer.save([registration("pole", "air_temperature")])
    with psycopg.connect(hub_url, options="-c tsuji.logs_changes=on") as connection:
        connection.execute(
            """INSERT INTO observation (datastream_id, phenomenon_time, result)
               SELECT datastream_id, timestamptz '2026-01-01T00:00:00Z' + n * interval '3 seconds', n
               FROM datastream, generate_series(1, %s) AS n""",
            [ROWS],
        )
    hub.start("api")
    asking = Asking(hub.api_url)
    left = Left(hub.pid("api"), urlsplit(hub.api_url).port, hub_url)
    with contextlib.closing(left), contextlib.closing(asking), contextlib.closing(writer):
        with ThreadPoolExecutor(50) as many:  # as busy as it gets, so that it holds all it may
            answers = many.map(
                lambda _: httpx.get(f"{hub.api_url}/v1/latest", timeout=60), range(200)
            )
            assert {it.status_code for it in answers} == {200}
        eventually(lambda: left.connections() == 0)
        eventually(lambda: not left.is_busy(), what="nothing is under way")
        threads, sessions = left.threads(), left.sessions() | Counter(tsuji=POOL)

        for number in range(50):
            match number % 5:
                case 0:  # cancelled in the middle
                    asking.ask(BULK + f"csv{ENDING}", read=20_000)  # or a refusal, which is short
                    asking.close()
                case 1:  # it takes nothing for a while, then it is gone
                    asking.ask(BULK + "jsonl")
                case 2:
                    asking.ask("/v1/observations", half=True)
                case 3:
                    asking.ask("/v1/live?events=observations", read=100)
                case 4:  # gone before there is an answer
                    asking.ask(BULK + "parquet")
                    asking.close()
        asking.close()
        eventually(lambda: left.connections() == 0, what="no connection is stuck")
        eventually(lambda: left.sessions() <= sessions, what=f"no more than before: {sessions}")
        eventually(lambda: left.threads() <= threads + 1, what=f"{threads} threads as before")
        assert httpx.get(f"{hub.api_url}/v1/observations?format=csv", timeout=60).status_code == 200

        before = left.memory()
        listeners = [asking.ask("/v1/live?events=observations") for _ in range(LISTENERS)]
        assert all(has(one, b"event: heartbeat") for one in listeners)
        assert left.connections() == LISTENERS
        assert left.memory() - before < LISTENERS * MOST_KIB_EACH * 1_024
        writer.save([message("pole", after(hours=1), air_temperature=21.5)])
        assert all(has(one, b'"result":21.5') for one in listeners)
        # every five seconds it may just be looking at the database
        eventually(lambda: left.sessions() <= sessions, what=f"no more than before: {sessions}")
        asking.close()
        eventually(lambda: left.connections() == 0, what="those who have gone are forgotten")


def test_who_never_finishes_asking_is_let_go_and_who_is_answered_is_not(
    hub_database: Database, monkeypatch, eventually: Callable
) -> None:
    monkeypatch.setattr(connections, "ASKING_S", 0.3)
    with serving(create_app(Hub(hub_database))) as url:
        asking = Asking(url)
        listening = answered(asking, "/v1/live?events=alerts", b"event: heartbeat")
        trickling = asking.ask("/v1/health", half=True)
        silent = asking.ask("", half=True)

        def is_gone() -> bool:
            try:
                trickling.sendall(b"x")  # a sign of life is no request
                trickling.settimeout(0.02)
                return trickling.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        silent.settimeout(90)
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(1) == b""
        eventually(is_gone)
        answered(asking, "/v1/figures", b"footfall")
        listening.settimeout(0.01)
        with contextlib.suppress(TimeoutError):
            assert listening.recv(1) != b""
        asking.close()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"\x16\x03\x01 what TLS begins with\r\n\r\n", 400),
        (b"GET /v1 HTTP/1.1\r\n\r\n", 400),
        ("GET /v1/things?kind=東京 HTTP/1.1\r\nHost: hub\r\n\r\n".encode(), 400),
        (b"GET /v1/" + b"x" * 100_000 + b" HTTP/1.1\r\n", 431),
    ],
)
def test_what_is_no_http_is_answered_like_every_other_mistake(
    hub_database: Database, asked: bytes, status: int
) -> None:
    with serving(create_app(Hub(hub_database))) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=60) as asker:
            with contextlib.suppress(ConnectionError):  # it is answered before all of it is read
                asker.sendall(asked)
            answer = http.client.HTTPResponse(asker)
            answer.begin()
            body = json.loads(answer.read())
    assert (answer.status, body["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (
        answer.headers["Access-Control-Allow-Origin"] == "*"
    )  # a page can have too long an address
    assert "Ask like" in body["detail"] or "too long" in body["detail"]


def test_who_never_takes_an_answer_is_let_go_and_who_waits_for_news_is_not(
    hub_database: Database, monkeypatch, eventually: Callable
) -> None:
    monkeypatch.setattr(connections, "TAKING_S", 0.3)
    app = create_app(Hub(hub_database))
    app.add_api_route("/large", lambda: Response(bytes(16 << 20)), methods=["GET"])
    with serving(app) as url:
        asking, port = Asking(url), urlsplit(url).port

        def held() -> int:
            found = psutil.Process().net_connections(kind="tcp")
            return sum(it.laddr.port == port and bool(it.raddr) for it in found)

        listening = asking.ask("/v1/live?events=alerts")
        assert has(listening, b"event: heartbeat")
        for closing in ("keep-alive", "close"):
            asking.ask(f"/large HTTP/1.1\r\nConnection: {closing}\r\nX-Rest:", read=100)
        eventually(lambda: held() == 1, what="only who listens is left")
        listening.settimeout(0.01)
        with contextlib.suppress(TimeoutError):
            assert listening.recv(1) != b""
        asking.close()
