"""A reader of the live stream that can be cut anywhere, and what it has learned."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import uvicorn
from fastapi import FastAPI

from own_ports import own_port
from tsuji_platform.api.cors import OpenProtocol

AWAY = (OSError, http.client.HTTPException)
"""What reading from a server that is cut or killed may raise."""
Key = tuple[str, str]
Value = tuple[str, float]


@dataclass
class Folded:
    """What a reader knows after all events that it has received whole.

    Attributes:
        last_id: of the last of them.
        newest: time and result by thing and observed property.
        told: the same in the order in which changes came.
        reasons: why it had to begin anew, each time.
        alerts: ids of the messages about alerts.
        areas: figures by area code.
        things: states by id.
        heartbeat: the last one.
    """

    last_id: str = ""
    newest: dict[Key, Value] = field(default_factory=dict)
    told: dict[Key, list[Value]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    areas: dict[str, Any] = field(default_factory=dict)
    things: dict[str, Any] = field(default_factory=dict)
    heartbeat: dict[str, Any] = field(default_factory=dict)

    def take(self, raw: bytes) -> str:
        """Fold one event in; returns its name."""
        fields = dict(line.split(": ", 1) for line in raw.decode().split("\n"))
        name, body = fields["event"], json.loads(fields["data"])
        if name == "snapshot":
            self.reasons.append(body["reason"])
            self.newest, self.areas, self.things = {}, {}, {}
        if name == "alert":
            self.alerts.append(body["id"])
        if name in ("snapshot", "change"):
            self._fold(body)
        if name == "heartbeat":
            self.heartbeat = body
        self.last_id = fields["id"]
        return name

    def _fold(self, body: dict[str, Any]) -> None:
        for it in body.get("observations", ()):
            key, value = (it["thing"], it["observed_property"]), (it["time"], it["result"])
            self.newest[key] = value
            self.told.setdefault(key, []).append(value)
        for it in body.get("gone", ()):
            self.newest.pop((it["thing"], it["observed_property"]), None)
        for it in body.get("areas", ()):
            self.areas[it["code"]] = it["figures"]
            if not it["figures"]:
                del self.areas[it["code"]]
        self.things |= {it["id"]: it for it in body.get("things", ())}


def follow(
    url: str,
    folded: Folded,
    until: Callable[[str], bool],
    *,
    at_most: int | None = None,
    headers: Mapping[str, str] | None = None,
    **asked: object,
) -> None:
    """Go on from the last id and fold in whole events, then cut the connection.

    Args:
        url: of the API.
        folded: what is known; it is added to.
        until: given an event's name, whether to stop behind it.
        at_most: bytes after which the connection is cut, in the middle of an event or not.
        headers: a key, say.
        asked: parameters.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=90)
    last = {"Last-Event-ID": folded.last_id} if folded.last_id else {}
    try:
        connection.request(
            "GET",
            f"/v1/live?{urlencode(asked, doseq=True)}",
            headers={**last, **(headers or {})},
        )
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        for raw in _events(answer, at_most):
            if until(folded.take(raw)):
                return
    finally:
        connection.close()


def _events(answer: http.client.HTTPResponse, at_most: int | None) -> Iterator[bytes]:
    held, left = b"", at_most
    while left is None or left > 0:
        part = answer.read1(65_536 if left is None else min(left, 65_536))
        if not part:
            return
        left = None if left is None else left - len(part)
        *whole, held = (held + part).split(b"\n\n")
        yield from whole


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The app on a port of its own; ends all streams when left."""
    port = own_port()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=port,
            log_level="warning",
            timeout_graceful_shutdown=1,
            http=OpenProtocol,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=90)
