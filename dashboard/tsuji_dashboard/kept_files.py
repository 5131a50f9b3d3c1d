"""Keeps scripts and styles as they go over the wire: read and compressed once, not for each visitor.

Their addresses change with their content (Dash puts a fingerprint or the file's time into them), so that
what was sent once may be sent again for as long as the process lives.
"""

from dataclasses import dataclass
from posixpath import normpath
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PLACES = ("/_dash-component-suites/", "/assets/")
_BESIDE = ("if-none-match", "if-modified-since", "range")
"""Whoever asks with one of these may get another answer."""


@dataclass(frozen=True, slots=True)
class _Kept:
    asked: tuple[str, bytes]
    start: Message
    body: bytes


class KeptFiles:
    """Answers for files, the second time out of memory.

    Args:
        app: what answers the first time; it compresses what is to be kept.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[str, _Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not _is_file(scope):
            await self._app(scope, receive, send)
            return
        asked = (scope["path"], scope["query_string"])
        kept = self._kept.get(_name(scope["path"]))
        if kept is None or kept.asked != asked:
            await self._app(scope, receive, _Taking(self, asked, send))
            return
        await send({**kept.start, "headers": list(kept.start["headers"])})
        await send({"type": "http.response.body", "body": kept.body})

    def keep(self, kept: _Kept) -> None:
        """Keep an answer: of each file one, under whichever fingerprint it was last asked for."""
        self._kept[_name(kept.asked[0])] = kept


class _Taking:
    """Passes an answer on, and keeps it where it is whole and good."""

    def __init__(self, files: KeptFiles, asked: tuple[str, bytes], send: Send) -> None:
        self._files = files
        self._asked = asked
        self._send = send
        self._start: dict[str, Any] | None = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            # A copy: those further out put headers of their own into the message.
            self._start = {**message, "headers": list(message["headers"])}
        await self._send(message)
        if message["type"] != "http.response.body" or self._start is None:
            return
        self._parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            self._files.keep(_Kept(self._asked, self._start, b"".join(self._parts)))


def _name(path: str) -> str:
    """The file's path without its fingerprint: there are only so many files."""
    folder, _, name = path.rpartition("/")
    parts = name.split(".")
    return f"{folder}/{parts[0]}.{parts[-1]}"


def _is_file(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    path = scope["path"]
    if not path.startswith(_PLACES) or normpath(path) != path:
        return False  # /assets/./././a.css is the same file under one of endlessly many names
    headers = Headers(scope=scope)
    is_plain = not any(name in headers for name in _BESIDE)
    is_fixed = bool(scope["query_string"]) or ".v" in path
    return is_plain and is_fixed and "gzip" in headers.get("accept-encoding", "")
