"""Lets no caller take all that a worker can do at once: who asks much at a time waits for turns."""

import asyncio
from dataclasses import dataclass

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tsuji_platform.api.callers import Caller
from tsuji_platform.api.errors import problem

AT_ONCE = 4
"""Requests of one caller that are worked on: half of the connections that a worker has to the database."""
_WAITING = 5_000
_PATIENCE_S = 60.0


@dataclass(slots=True)
class _Line:
    """Those of one caller.

    Attributes:
        turns: that are free.
        members: requests that wait or are worked on.
    """

    turns: asyncio.Semaphore
    members: int = 0


class Turns:
    """ASGI middleware behind what tells callers apart.

    A turn lasts until the answer begins: what is asked of the database for it is known by then. Streams and
    downloads, which go on after that, have limits of their own. The hub's dashboard speaks for many people,
    and has no line.

    Args:
        app: what it stands before.
        at_once: requests of one caller that are worked on at a time.
        waiting: requests of one caller that wait or are worked on, at the most.
        patience_s: how long one waits for its turn at the most.
    """

    def __init__(
        self,
        app: ASGIApp,
        at_once: int = AT_ONCE,
        waiting: int = _WAITING,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._app = app
        self._at_once = at_once
        self._waiting = waiting
        self._patience_s = patience_s
        self._lines: dict[str, _Line] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request when its turn comes."""
        caller: Caller | None = scope.get("state", {}).get("caller")
        if scope["type"] != "http" or caller is None or caller.policy == "dashboard":
            await self._app(scope, receive, send)
            return
        line = self._lines.get(caller.subject)
        if line is None:
            line = self._lines[caller.subject] = _Line(asyncio.Semaphore(self._at_once))
        line.members += 1
        if not await self._comes(caller, line):
            await self._too_many()(scope, receive, send)
            return
        is_over = False

        def end() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                line.turns.release()
                self._leave(caller, line)

        async def ending(message: Message) -> None:
            end()
            await send(message)

        try:
            await self._app(scope, receive, ending)
        finally:
            end()

    async def _comes(self, caller: Caller, line: _Line) -> bool:
        """Wait for a turn; whether there is one in time."""
        has_come = False
        try:
            if not line.turns.locked():
                has_come = await line.turns.acquire()
            elif line.members <= self._waiting:
                async with asyncio.timeout(self._patience_s):
                    has_come = await line.turns.acquire()
        except TimeoutError:
            pass
        finally:
            if not has_come:
                self._leave(caller, line)
        return has_come

    def _leave(self, caller: Caller, line: _Line) -> None:
        line.members -= 1
        if not line.members:
            self._lines.pop(caller.subject, None)

    def _too_many(self) -> Response:
        return problem(
            429,
            f"{self._at_once} requests of yours are worked on at a time here, and too many wait: ask for "
            "less at once, or come again",
            {"Retry-After": "5"},
        )
