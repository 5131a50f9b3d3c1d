"""A network that can be cut, stalled and slowed: a TCP proxy between two real programs."""

import contextlib
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from own_ports import own_port

_PIECE = 65_536

Target = tuple[str, int] | Path
"""Where a proxy leads: host and port, or a unix socket."""


class _Link:
    """One connection through the proxy: its two ends."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.ends = (near, far)

    def close(self) -> None:
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Listens on a port of its own on loopback and passes on what comes, as the network is told to.

    Args:
        target: where to.

    Attributes:
        connections: how many there have been.
    """

    def __init__(self, target: Target) -> None:
        self.connections = 0
        self._target = target
        self._changed = threading.Condition()
        self._links: set[_Link] = set()
        self._stalled = False
        self._latency_s = 0.0
        self._bytes_per_s = float("inf")
        self._listener: socket.socket | None = None
        self.port = own_port()  # which nothing else takes while the network is cut
        self._listen()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def cut(self) -> None:
        """Close all connections, and refuse new ones until healed."""
        with self._changed:
            listener, self._listener = self._listener, None
            links = list(self._links)
            self._changed.notify_all()
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
            listener.close()
        for link in links:
            link.close()

    def stall(self) -> None:
        """Keep connections, take new ones, and pass nothing on until healed."""
        with self._changed:
            self._stalled = True

    def slow(self, *, latency_s: float = 0.0, bytes_per_s: float = float("inf")) -> None:
        """Let every piece wait, and bound what passes in each direction of a connection."""
        with self._changed:
            self._latency_s, self._bytes_per_s = latency_s, bytes_per_s

    def heal(self) -> None:
        """Be a good network again."""
        with self._changed:
            self._stalled = False
            self._latency_s, self._bytes_per_s = 0.0, float("inf")
            is_cut = self._listener is None
            self._changed.notify_all()
        if is_cut:
            self._listen()

    def close(self) -> None:
        """End for good."""
        self.cut()
        self.slow()
        with self._changed:
            self._stalled = False
            self._changed.notify_all()

    def _listen(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        with self._changed:
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = self._connect()
            except OSError:
                near.close()
                continue
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(near, far)
            with self._changed:
                self.connections += 1
                self._links.add(link)
                is_late = self._listener is not listener
            if is_late:  # cut meanwhile
                link.close()
            left = [2]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(
                    target=self._pass_on, args=(link, source, sink, left), daemon=True
                ).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, Path):
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(os.fspath(self._target))
            except OSError:
                far.close()
                raise
            return far
        far = socket.create_connection(self._target, timeout=5)
        far.settimeout(None)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return far

    def _pass_on(
        self, link: _Link, source: socket.socket, sink: socket.socket, left: list[int]
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                with self._changed:
                    self._changed.wait_for(lambda: not self._stalled or self._listener is None)
                    if self._listener is None:  # cut: what is in hand is lost
                        break
                    pause = self._latency_s + len(piece) / self._bytes_per_s
                if pause:
                    time.sleep(pause)
                sink.sendall(piece)
        link.close()
        with self._changed:
            left[0] -= 1
            if left[0] == 0:
                self._links.discard(link)
                for end in link.ends:
                    end.close()
