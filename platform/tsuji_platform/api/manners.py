"""What HTTP clients expect of every resource: HEAD, OPTIONS, Vary, and an id to find a request again by."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tsuji_platform.insight.requests import id_of
from tsuji_platform.raw_headers import Header, put, put_missing

_ALLOW = b"GET, HEAD, OPTIONS"
_VARIES = b"Accept, Accept-Encoding, Authorization, X-API-Key, Origin"
"""What an answer depends on besides its address: who has a key may see more than others."""
_ENCODING = b"accept-encoding"
_LONGEST = 200
"""Who says more of encodings gets none."""
_NOT_AT_ALL = re.compile(r"q\s*=\s*0(?:\.0*)?")


class _HeadersAreEnoughError(Exception):
    """HEAD has its answer; what would make the body is ended."""


class Named:
    """ASGI middleware before all others, so that every answer says what it depends on and how to find it.

    A caller's own `X-Request-ID` is kept where it is short and plain; otherwise one is made. It stands in
    every answer and, as `scope["request_id"]`, for whatever writes a log.

    Args:
        app: what it stands before.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = id_of(scope)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                put(message, ((b"x-request-id", request_id.encode()), (b"vary", _VARIES)))
                if message["status"] >= 400:
                    put_missing(message, ((b"cache-control", b"no-store"),))
            await send(message)

        await self._app(scope, receive, named)


def _here(start: Message) -> list[Header]:
    """Where a redirection leads to, as a path of this host."""
    where = next(value for name, value in start["headers"] if name == b"location").decode("latin-1")
    parts = urlsplit(where)
    path = "/" + parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
    return [(b"location", path.encode("latin-1"))]


def _packed_as(headers: Iterable[Header]) -> list[Header]:
    """Headers of which `Accept-Encoding` says `gzip` or `identity`, all that is understood behind it."""
    said = b",".join(value for name, value in headers if name == _ENCODING)
    if not said:
        return list(headers)
    chosen = b"gzip" if len(said) <= _LONGEST and _takes_gzip(said) else b"identity"
    return [*((name, value) for name, value in headers if name != _ENCODING), (_ENCODING, chosen)]


@lru_cache(1_000)
def _takes_gzip(said: bytes) -> bool:
    """Whether a header `Accept-Encoding` does (RFC 9110, 12.5.3): not for `gzip;q=0`."""
    liked = {}
    for one in said.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        liked[name] = not any(_NOT_AT_ALL.fullmatch(part) for part in parameters)
    return next((liked[name] for name in ("gzip", "x-gzip", "*") if name in liked), False)


class Manners:
    """ASGI middleware that answers HEAD and OPTIONS by what GET is answered, and packs for whom takes that.

    Args:
        app: what it stands before.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        scope = {**scope, "headers": _packed_as(scope["headers"])}
        if is_head:
            scope["method"] = "GET"

        async def mannered(message: Message) -> None:
            if message["type"] == "http.response.start":
                # to our own host, whose name and scheme a proxy may hide
                if message["status"] == 307:
                    put(message, _here(message))
                if message["status"] == 405:
                    put(message, ((b"allow", _ALLOW),))
                await send(message)
                if is_head:
                    await send({"type": "http.response.body", "body": b""})
                    raise _HeadersAreEnoughError
                return
            await send(message)

        if scope["method"] == "OPTIONS":
            await mannered(
                {
                    "type": "http.response.start",
                    "status": 204,
                    "headers": [(b"allow", _ALLOW)],
                }
            )
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            await self._app(scope, receive, mannered)
        except _HeadersAreEnoughError:
            pass
        except BaseExceptionGroup as errors:
            if errors.split(_HeadersAreEnoughError)[1] is not None:
                raise
