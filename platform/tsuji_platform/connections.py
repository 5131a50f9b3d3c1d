"""What connections may cost: enough of them, and none for those who never finish asking."""

import asyncio
import errno
import logging
import resource
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any, cast

import h11
import orjson
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tsuji_platform.guarded import ALWAYS

_log = logging.getLogger(__name__)
ASKING_S = 20.0
"""A request must have arrived whole by then, counted from its first byte or from the connection."""
TAKING_S = 60.0
"""Who takes less than `_LEAST` of an answer in that time is let go."""
KEPT_OPEN_S = 75
"""A connection on which nothing is asked. Proxies and balancers keep theirs for 60 s, HTTP clients for 5 to
30 s: who closes before them may do so while the next request is on its way, which nobody then answers."""
_LEAST = 65_536
_MOST = 65_536
_NOT_STARTED = 3
"""The exit code that uvicorn gives then."""
_BROKEN = {
    HTTPStatus.BAD_REQUEST: "Ask like GET /v1/things HTTP/1.1 with a header Host; "
    "what is no ASCII in an address is written as %E6%9D%B1",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "Address and headers together are too long: ask for "
    "fewer things at a time",
}
"""What can't be read at all, by the status that fits."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, but who asks or reads too slowly is let go.

    Bytes that keep trickling in are no sign of life: only the whole request is. An answer may take as long
    as it wants to be made, but what is not taken of it stays in our memory, and would for ever.
    """

    guard: Mapping[str, str] = ALWAYS
    """Headers of answers to what can't be read, which no application sees."""

    _giving_up: asyncio.TimerHandle | None = None
    _looking: asyncio.TimerHandle | None = None
    _untaken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._looking = self.loop.call_later(TAKING_S, self._look)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_watching()
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong with a request that is no HTTP, or too long, as all other mistakes are said."""
        error = sys.exception()
        hint = getattr(error, "error_status_hint", HTTPStatus.BAD_REQUEST)
        status = HTTPStatus(hint if hint in _BROKEN else HTTPStatus.BAD_REQUEST)
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
        body = orjson.dumps(problem | {"detail": f"{msg} {_BROKEN[status]}"})
        headers = [
            ("content-type", "application/problem+json"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("connection", "close"),
            *self.guard.items(),
        ]
        said = (
            h11.Response(status_code=status, headers=headers, reason=status.phrase.encode()),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        try:
            for one in said:
                self.transport.write(self.conn.send(one) or b"")
        except h11.LocalProtocolError:  # in the middle of another answer: that ends here
            pass
        self.transport.close()

    def _watch(self) -> None:
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._stop_watching()
        elif self._giving_up is None:
            self._giving_up = self.loop.call_later(ASKING_S, self._give_up)

    def _stop_watching(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def resume_writing(self) -> None:
        """Enough was taken to go on: what waits from now on is something else."""
        self._untaken = 0
        super().resume_writing()

    def _look(self) -> None:
        """Look at what waits to be taken where nothing is added to it, and compare with the last look."""
        cycle: Any = self.cycle
        is_all = self.flow.write_paused or cycle is None or cycle.response_complete
        waiting = self.transport.get_write_buffer_size() if is_all else 0
        if waiting and self._untaken and waiting > self._untaken - _LEAST:
            self.transport.abort()
            return
        self._untaken = waiting
        self._looking = self.loop.call_later(TAKING_S, self._look)

    def _give_up(self) -> None:
        self._giving_up = None
        self.transport.abort()


def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
    """Serve in this process until SIGTERM or SIGINT.

    Args:
        server: with its application.
        sockets: where it listens.
    """
    with suppress(KeyboardInterrupt), alone(sockets):
        server.run(sockets=sockets)
    if not server.started:
        sys.exit(_NOT_STARTED)


@contextmanager
def alone(sockets: Sequence[socket.socket]) -> Iterator[None]:
    """End with a word where another began to listen first: until then two may have taken an address."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        _log.error(
            "can't listen on %s:%d (%s): another has begun to, at nearly the same moment",
            *(shown, port, error.strerror),
        )
        sys.exit(_NOT_STARTED)


def allow_many() -> None:
    """Let this process and its workers open as many connections as the machine lets them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
