"""What pages of other sites may ask, and what they are told where they may not."""

from fastapi import Response
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tsuji_platform.api.errors import problem
from tsuji_platform.connections import PatientProtocol
from tsuji_platform.guarded import ALWAYS
from tsuji_platform.raw_headers import is_given, put, raw

_METHODS = ("GET", "HEAD")
_TOLD = (
    "Accept-Ranges",
    "Content-Disposition",
    "Deprecation",
    "ETag",
    "Link",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "Tsuji-Kept-Since",
    "X-Request-ID",
)
_DAY_S = 86_400


class OpenProtocol(PatientProtocol):
    """HTTP whose answers to what can't be read, such as too long an address, other sites' pages can read."""

    guard = ALWAYS | {
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }


class OtherSites(CORSMiddleware):
    """ASGI middleware: all pages may read everything; what they may not is said as every other mistake.

    It stands before what answers for defects and refuses bodies, so that pages can read that, too.

    Args:
        app: what it stands before.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            app,
            allow_origins=["*"],
            allow_methods=_METHODS,
            allow_headers=["*"],
            expose_headers=_TOLD,
            max_age=_DAY_S,
        )
        self._told = raw(self.simple_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not is_given(scope, b"origin"):
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and is_given(scope, b"access-control-request-method"):
            await super().__call__(scope, receive, send)
        else:

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    put(message, self._told)
                await send(message)

            await self.app(scope, receive, told)

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a browser that asks before a page may."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name.startswith("access-control-") or name == "vary"
        }
        return problem(
            answer.status_code,
            f"pages of other sites may use {' and '.join(_METHODS)}; asked for was "
            f"{request_headers['access-control-request-method']!r:.80}",
            headers | {"cache-control": "no-store"},
        )
