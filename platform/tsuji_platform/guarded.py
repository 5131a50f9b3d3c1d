"""Web applications of which every answer, errors included, tells browsers what they must not do with it.

Middleware that is added to an application stands before its routes, but behind what answers for a defect:
only what stands around all of it sees every answer.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tsuji_platform.raw_headers import is_given, put_missing, raw

DEVICES = ", ".join(
    f"{one}=()"
    for one in (
        "accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
        "microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking",
    )
)  # fmt: skip
"""`Permissions-Policy`: no page of the hub asks for any of these, and nothing in one may."""
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""`Content-Security-Policy` of data: if a browser took it for a page, nothing in it would run or be asked."""
ALWAYS = {
    "Content-Security-Policy": NOTHING,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": DEVICES,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The strictest; applications loosen what they must."""

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class GuardedApp(FastAPI):
    """An application with headers on every answer that does not bring its own of that name.

    Args:
        guard: the headers.
        https_s: seconds for which browsers are to insist on HTTPS, said over HTTPS only; 0 says nothing.
        most_bytes: of a request's body; more is refused with 413.
        before: middleware that has to see every answer as well, the outermost first.
        others: for FastAPI.
    """

    def __init__(
        self,
        *,
        guard: Mapping[str, str],
        https_s: int = 0,
        most_bytes: int = 65_536,
        before: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
        **others: Any,
    ) -> None:
        self.guard = guard
        self.https_s = https_s
        self.most_bytes = most_bytes
        self.before = before
        super().__init__(**others)

    def build_middleware_stack(self) -> ASGIApp:
        """All middleware, within ours."""
        app: ASGIApp = LimitedBodies(super().build_middleware_stack(), self.most_bytes)
        for one in reversed(self.before):
            app = one(app)
        return Guard(app, self.guard, self.https_s)


class Guard:
    """ASGI middleware: puts headers on answers that have none of that name.

    Args:
        app: what answers.
        headers: by name.
        https_s: for `Strict-Transport-Security`; 0 for none.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str], https_s: int = 0) -> None:
        self._app = app
        self._headers = raw(headers)
        policy = {"Strict-Transport-Security": f"max-age={https_s}; includeSubDomains"}
        self._over_https = (*self._headers, *raw(policy if https_s else {}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        headers = self._over_https if scope.get("scheme") == "https" else self._headers

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                put_missing(message, headers)
            await send(message)

        await self._app(scope, receive, guarded)


class LimitedBodies:
    """ASGI middleware: refuses requests whose body is too long, before anybody keeps all of it.

    Args:
        app: what answers.
        most: bytes of a body.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or _has_no_body(scope):
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if said.isdigit() and int(said[:20]) > self._most:
            await self._refuse(send)
            return
        taken, begun = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            # to whoever reads it, the caller has gone
            return message if taken <= self._most else {"type": "http.disconnect"}

        async def noted(message: Message) -> None:
            nonlocal begun
            if taken <= self._most or begun:
                begun = True
                await send(message)

        try:
            await self._app(scope, counted, noted)
        except Exception:
            if taken <= self._most:
                raise
        if taken > self._most and not begun:
            await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        body = (
            '{"type":"about:blank","title":"Content Too Large","status":413,'
            f'"detail":"the body of a request may have {self._most} bytes here"}}'
        ).encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _has_no_body(scope: Scope) -> bool:
    """Whether nothing can come after the headers of a request, which HTTP/1 tells by them (RFC 9112, 6)."""
    is_told = scope.get("http_version", "").startswith("1")
    return is_told and not is_given(scope, b"content-length", b"transfer-encoding")


def page_policy(
    html: str, *, scripts: Iterable[str] = (), images: str = "data:", more: Iterable[str] = ()
) -> str:
    """`Content-Security-Policy` of a page: its own scripts and styles, by their hashes, and this host's.

    Args:
        html: the page, in which inline scripts and styles have no attributes.
        scripts: further hashes.
        images: where pictures may be from beside this host.
        more: further directives.
    """
    found: dict[str, list[str]] = {"script": list(scripts), "style": []}
    for kind, text in _INLINE.findall(html):
        found[kind].append(f"'sha256-{_digest(text)}'")
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self'", *found["script"])),
            " ".join(("style-src 'self'", *found["style"])),
            f"img-src 'self' {images}".rstrip(),
            "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            *more,
        )
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
