"""Frames of a live stream, written and compressed once for all who watch, and the response that sends them.

Whoever watches gets the same bytes, so that a viewer costs a wake-up and a write, and nothing is encoded
for it alone. Each frame is compressed without regard to those before it and ends at a whole byte: a viewer
may come in before any of them, and what it has got is one sound gzip stream that has no end yet.
"""

import asyncio
import logging
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)

WAITING_EVENTS = 64
"""Events that may wait for one viewer before it is let go."""
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""The head of a gzip stream, without name and time."""
_LEVEL = 5
_END = {"type": "http.response.body", "body": b"", "more_body": False}


class Packet:
    """Bytes for all viewers.

    Args:
        plain: one or several server-sent events.
    """

    __slots__ = ("_packed", "plain")

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self._packed: bytes | None = None

    @property
    def packed(self) -> bytes:
        """The same as a part of a gzip stream; made when somebody first needs it."""
        if self._packed is None:
            press = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            self._packed = press.compress(self.plain) + press.flush(zlib.Z_FULL_FLUSH)
        return self._packed


class Viewer:
    """One browser's queue of packets."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Packet | None] = asyncio.Queue(WAITING_EVENTS + 1)
        self.gone = False
        self.on_gone: Callable[[], object] = lambda: None
        """Called when it is let go since it takes nothing."""

    def give(self, packet: Packet) -> None:
        """Queue a packet; a viewer that is too far behind is let go instead."""
        if self.gone:
            return
        if self._waiting.qsize() < WAITING_EVENTS:
            self._waiting.put_nowait(packet)
        else:
            self.gone = True
            self._waiting.put_nowait(None)
            self.on_gone()

    def dismiss(self) -> None:
        """Let the viewer go once it has what waits for it."""
        if not (self.gone or self._waiting.full()):
            self._waiting.put_nowait(None)

    async def packets(self) -> AsyncGenerator[Packet, None]:
        """What there is to send, until the viewer is let go."""
        while not self.gone:
            packet = await self._waiting.get()
            if packet is None:
                return
            yield packet


class LiveResponse(Response):
    """Sends a viewer what it is given, until either of the two goes.

    Args:
        viewer: who watches.
        packets: what to send; closed in the end.
        packed: whether it goes out compressed.
        on_end: called once it is over, however it ended.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        viewer: Viewer,
        packets: AsyncGenerator[Packet, None],
        *,
        packed: bool,
        on_end: Callable[[], object] = lambda: None,
    ) -> None:
        self._viewer = viewer
        self._packets = packets
        self._packed = packed
        self._on_end = on_end
        self.status_code = 200
        self.background = None
        headers = {
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "Vary": "Accept-Encoding",
            **({"Content-Encoding": "gzip"} if packed else {}),
        }
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send until the end."""
        try:
            head = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **head})
            if await self._watched(receive, send):
                log.info("a viewer that took nothing was let go")
                # What it was sent still waits to be taken: this does, too, until the connection is cut off.
                await send(_END)
        finally:
            self._on_end()

    async def _watched(self, receive: Receive, send: Send) -> bool:
        """Send until either goes; whether the viewer was let go in the middle."""
        leaving = asyncio.create_task(self._leave(receive))
        sending = asyncio.create_task(self._send(send))
        self._viewer.on_gone = sending.cancel
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return self._viewer.gone and not leaving.done()
        finally:
            for task in (sending, leaving):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def _leave(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _send(self, send: Send) -> None:
        if self._packed:
            await send({"type": "http.response.body", "body": GZIP_HEAD, "more_body": True})
        async with aclosing(self._packets) as packets:
            async for packet in packets:
                body = packet.packed if self._packed else packet.plain
                await send({"type": "http.response.body", "body": body, "more_body": True})
        if not self._viewer.gone:
            await send(_END)
