"""A small HTTP server beside a service, on a port of its own: what it says of itself is not for all."""

import errno
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from tsuji_platform.listening import ListenError, addresses

_log = logging.getLogger(__name__)
_REQUEST_TIMEOUT_S = 10

Page = Callable[[], Mapping[str, object]]
"""Makes the JSON of one page."""


class Endpoint:
    """Serves in threads of its own until closed, at every address that its host has.

    Args:
        host: address to listen on; `::` is all of this machine, those of IPv4 as well.
        port: port to listen on; 0 takes a free one.
        figures: what `/metrics` holds, for Prometheus.
        settings: names of the settings that say host and port.
        pages: others by their path, as JSON.

    Raises:
        ListenError: where it can't listen there.
    """

    def __init__(
        self,
        host: str,
        port: int,
        figures: CollectorRegistry,
        settings: tuple[str, str],
        pages: Mapping[str, tuple[str, Page]] | None = None,
    ) -> None:
        self._metrics: Callable[..., Iterable[bytes]] = make_wsgi_app(figures)
        self._pages = dict(pages or {})
        try:
            self._servers = _listening(host, port)
        except OSError as error:
            raise ListenError(host, port, settings, error) from error
        self.port = self._servers[0].server_port
        self._threads = [
            threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
            for server in self._servers
        ]
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.set_app(self._answer)
            thread.start()

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join(timeout=5)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            return self._metrics(environ, start_response)
        if path in self._pages:
            status, body = "200 OK", dict(self._pages[path][1]())
        else:
            there = " and ".join(
                [
                    "/metrics (Prometheus)",
                    *(f"{name} ({it[0]})" for name, it in self._pages.items()),
                ]
            )
            status, body = "404 Not Found", {"detail": f"there {_are(self._pages)} {there}"}
        start_response(
            status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        )
        return [json.dumps(body, ensure_ascii=False).encode()]


def _are(others: Mapping[str, object]) -> str:
    return "are" if others else "is"


@contextmanager
def beside(
    host: str, port: int, figures: CollectorRegistry, settings: tuple[str, str]
) -> Iterator[None]:
    """Serve `/metrics` meanwhile; where that can't be, the log says so, and the service goes on without.

    Args:
        host: as of `Endpoint`.
        port: as of `Endpoint`.
        figures: as of `Endpoint`.
        settings: as of `Endpoint`.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(Endpoint(host, port, figures, settings))
        except ListenError as error:
            _log.error("nobody can ask how this fares: %s", error)
        yield


def _listening(host: str, port: int) -> list["_Server"]:
    """A server at each address of a host; one is enough, since a name may have some of another machine.

    Raises:
        OSError: none can listen, or the port is taken at one of them.
    """
    servers: list[_Server] = []
    trouble = OSError(errno.EADDRNOTAVAIL, "no address of this machine")
    for address, family in addresses(host, port).items():
        taken = servers[0].server_port if servers else port
        try:
            servers.append(_Server((address, taken), family))
        except OSError as error:
            trouble = error
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                for server in servers:
                    server.server_close()
                raise
    if not servers:
        raise trouble
    return servers


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], family: int) -> None:
        self.address_family = family
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Take the address for its own family alone, whatever the system's usual is."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - its names
        _log.debug("a request for metrics from %s came to nothing", client_address, exc_info=True)


class _Handler(WSGIRequestHandler):
    timeout = _REQUEST_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        _log.debug(format, *args)
