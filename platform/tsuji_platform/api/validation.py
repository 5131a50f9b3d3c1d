"""What caches need to know: whether an answer has changed, how long it may be kept, and for whom it is.

Validators are weak: the same answer has the same one whether it is compressed or not (RFC 9110, 8.8.1).
An answer to somebody with a key is never kept for others: it may say more than theirs.
"""

import hashlib
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ETAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"|(\*)')
_NOT_IN_304 = frozenset({b"content-type", b"content-length", b"content-disposition"})
_UNLESS_SAID = "no-cache"


class Validation:
    """ASGI middleware: ETag and Cache-Control of answers that are made whole, and 304.

    An answer whose `scope["state"]["validated"]` is set is validated by that instead of its body.

    Args:
        app: what it stands before.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        asked = ",".join(Headers(scope=scope).getlist("if-none-match"))
        state = scope.setdefault("state", {})

        async def validated(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                _say_for_whom(message, getattr(state.get("caller"), "policy", "anonymous"))
                if _said(message) == "no-store":
                    await send(message)
                else:
                    start = message
                return
            if start is None:
                await send(message)
                return
            held, start = start, None
            is_whole = not message.get("more_body", False)
            headers = MutableHeaders(scope=held)
            if held["status"] == 200 and is_whole:
                body = state.get("validated", message.get("body", b""))
                tag = hashlib.sha256(headers.get("content-type", "").encode() + body)
                headers["ETag"] = f'W/"{tag.hexdigest()[:32]}"'
                if _matches(asked, headers["ETag"]):
                    held = {
                        "type": "http.response.start",
                        "status": 304,
                        "headers": [one for one in held["headers"] if one[0] not in _NOT_IN_304],
                    }
                    message = {"type": "http.response.body", "body": b""}
            await send(held)
            await send(message)

        await self._app(scope, receive, validated)


def _said(message: Message) -> str:
    return Headers(raw=message["headers"]).get("cache-control", _UNLESS_SAID)


def _say_for_whom(message: Message, policy: str) -> None:
    said = _said(message)
    headers = MutableHeaders(scope=message)
    if message["status"] >= 400:
        headers["Cache-Control"] = "no-store"
    elif said != "no-store":
        whose = "public" if policy == "anonymous" else "private"
        rest = [one for one in said.split(", ") if one not in ("public", "private")]
        headers["Cache-Control"] = ", ".join([whose, *rest])


def _matches(asked: str, etag: str) -> bool:
    """Whether a header `If-None-Match` names this one, as weak comparison has it."""
    mine = etag.removeprefix("W/").strip('"')
    return any(one.group(2) or one.group(1) == mine for one in _ETAG.finditer(asked))
