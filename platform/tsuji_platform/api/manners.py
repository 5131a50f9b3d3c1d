"""What HTTP clients expect of every resource: HEAD, OPTIONS, Vary, and an id to find a request again by."""

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_ALLOW = "GET, HEAD, OPTIONS"
_VARIES = "Accept, Accept-Encoding, Authorization, X-API-Key"
"""What an answer depends on besides its address: who has a key may see more than others."""


class _HeadersAreEnoughError(Exception):
    """HEAD has its answer; what would make the body is ended."""


class Manners:
    """ASGI middleware.

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
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else uuid4().hex
        is_head = scope["method"] == "HEAD"
        scope = {**scope, "request_id": request_id}
        if is_head:
            scope["method"] = "GET"

        async def mannered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["Vary"] = _VARIES
                if message["status"] >= 400:
                    headers.setdefault("Cache-Control", "no-store")
                if message["status"] == 405:
                    headers["Allow"] = _ALLOW
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
                    "headers": [(b"allow", _ALLOW.encode())],
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
