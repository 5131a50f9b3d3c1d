"""What many ask about now is made once, and handed to all who ask the same within a second."""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import chain

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ABOUT_NOW = re.compile(
    r"/v1/(?:latest|things\.geojson|area-sets/[^/]+/(?:snapshot|profiles\.geojson))"
)
_MOST = 500
_MOST_BYTES = 32 << 20
_LARGEST = 4 << 20
_CHOOSING = frozenset({b"accept", b"accept-encoding", b"host"})
"""Headers on which an answer may depend."""
_LONGEST = 4_096
"""Bytes by which an answer is asked for: keys are kept as well, and are not counted."""
_NOT_IN_304 = frozenset(
    {b"content-type", b"content-length", b"content-disposition", b"content-encoding"}
)

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """A whole answer.

    Attributes:
        made_at: when it was begun, by the clock of `Kept`.
        status: of HTTP.
        headers: as they were sent.
        body: as it was sent.
    """

    made_at: float
    status: int
    headers: Sequence[Header]
    body: bytes

    async def send(self, send: Send, asked: str) -> None:
        """Send it; only that it is the same to a caller who has it already.

        Args:
            send: to the caller.
            asked: its header `If-None-Match`.
        """
        status, headers, body = self.status, list(self.headers), self.body
        if asked and status == 200 and _is_among(dict(headers).get(b"etag"), asked):
            status, body = 304, b""
            headers = [one for one in headers if one[0] not in _NOT_IN_304]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Kept:
    """ASGI middleware behind what tells callers apart, and before what makes and compresses answers.

    Good answers are kept for a short time by address, by what the caller takes and by what its key opens.
    Who asks after that time has one made anew, and is handed the kept one unless it is twice as old by then:
    where many ask, nobody waits. Whoever asks for one that is being made makes none beside it. The hub's
    own dashboard is always told the newest, since it compares it with what the live stream has said.

    Args:
        app: what it stands before.
        seconds: for which an answer is kept; none is handed out that was begun more than twice as long ago,
            but for the time that it took.
        clock: monotonic seconds.
    """

    def __init__(
        self, app: ASGIApp, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._bytes = 0
        self._making: dict[Hashable, asyncio.Task[_Answer]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        caller = scope.get("state", {}).get("caller")
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or not _ABOUT_NOW.fullmatch(scope["path"])
            or getattr(caller, "policy", "") == "dashboard"
        ):
            await self._app(scope, receive, send)
            return
        chosen_by = [one for one in scope["headers"] if one[0] in _CHOOSING]
        asked_by = (scope.get("raw_path", scope["path"]), scope["query_string"])
        if sum(map(len, asked_by)) + sum(map(len, chain(*chosen_by))) > _LONGEST:
            await self._app(scope, receive, send)
            return
        key = (
            *asked_by,
            *chosen_by,
            getattr(caller, "policy", ""),
            getattr(caller, "scopes", None),
        )
        answer = self._kept.get(key)
        age = 0.0 if answer is None else self._clock() - answer.made_at
        if answer is None or age >= 2 * self._seconds:
            # one caller that goes away takes it from no other
            answer = await asyncio.shield(self._made(key, scope, receive))
        elif age >= self._seconds:
            self._made(key, scope, receive)
        asked = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
        await answer.send(send, asked.decode("latin-1"))

    def _made(self, key: Hashable, scope: Scope, receive: Receive) -> asyncio.Task[_Answer]:
        task = self._making.get(key)
        if task is None:
            task = asyncio.create_task(self._make(key, scope, receive))
            self._making[key] = task
            task.add_done_callback(lambda done: self._is_made(key, done))
        return task

    def _is_made(self, key: Hashable, task: asyncio.Task[_Answer]) -> None:
        del self._making[key]
        if not task.cancelled() and task.exception() is not None:
            self._forget(key)  # who waits for it is told, and who asks next

    async def _make(self, key: Hashable, scope: Scope, receive: Receive) -> _Answer:
        made_at, said = self._clock(), list[Message]()

        async def collect(message: Message) -> None:
            said.append(message)

        unconditional = [one for one in scope["headers"] if one[0] != b"if-none-match"]
        await self._app({**scope, "headers": unconditional}, receive, collect)
        start, *parts = said
        answer = _Answer(
            made_at=made_at,
            status=start["status"],
            headers=tuple((bytes(name), bytes(value)) for name, value in start["headers"]),
            body=b"".join(part.get("body", b"") for part in parts),
        )
        self._forget(key)
        if answer.status == 200 and len(answer.body) <= _LARGEST:
            self._kept[key] = answer
            self._bytes += len(answer.body)
        while len(self._kept) > _MOST or self._bytes > _MOST_BYTES:
            self._forget(next(iter(self._kept)))
        return answer

    def _forget(self, key: Hashable) -> None:
        old = self._kept.pop(key, None)
        self._bytes -= 0 if old is None else len(old.body)


def _is_among(etag: bytes | None, asked: str) -> bool:
    """Whether a header `If-None-Match` names this ETag, as weak comparison has it (RFC 9110, 13.1.2)."""
    if etag is None:
        return False
    mine = etag.decode("latin-1").removeprefix("W/")
    named = (one.strip() for one in asked.split(","))
    return any(one == "*" or one.removeprefix("W/") == mine for one in named)
