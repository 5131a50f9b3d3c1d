"""What connections may cost: enough of them, and none for those who never finish asking."""

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

ASKING_S = 20.0
"""A request must have arrived whole by then, counted from its first byte or from the connection."""
TAKING_S = 60.0
"""Who takes less than `_LEAST` of an answer in that time is let go."""
_LEAST = 65_536
_MOST = 65_536


class PatientProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, but who asks or reads too slowly is let go.

    Bytes that keep trickling in are no sign of life: only the whole request is. An answer may take as long
    as it wants to be made, but what is not taken of it stays in our memory, and would for ever.
    """

    _giving_up: asyncio.TimerHandle | None = None
    _looking: asyncio.TimerHandle | None = None
    _untaken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
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


def allow_many() -> None:
    """Let this process and its workers open as many connections as the machine lets them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
