"""Who calls: nobody in particular, somebody with a key, or the hub's own dashboard."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from anyio import to_thread
from fastapi import Request, Security, params
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import Scope as AsgiScope

from tsuji_platform.api.errors import ForbiddenError, UnauthorizedError
from tsuji_platform.api.strangers import Strangers
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.raw_headers import is_given
from tsuji_platform.store import StoreError
from tsuji_platform.store.keys import ApiKey, Keys, split
from tsuji_platform.visitors import address_of

_TRUSTED_S = 5.0
"""So long a key is believed without another look: it is how long a revoked one may still open doors."""
_HELD = 10_000
_EXAMPLE = "Authorization: Bearer tsuji_…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request.

    Attributes:
        subject: under which its requests are counted.
        policy: the name of its limit.
        rate_per_minute: its limit; None for none.
        scopes: what is open to it beyond public reading.
    """

    subject: str
    policy: str
    rate_per_minute: int | None
    scopes: frozenset[str] = frozenset()


class Callers:
    """Tells callers from each other.

    Args:
        keys: of the database.
        anonymous_rate: requests per minute of an address without a key; 0 for no limit.
        dashboard_key: what the hub's own dashboard shows; None where it has none.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        keys: Keys,
        anonymous_rate: int,
        dashboard_key: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._anonymous_rate = anonymous_rate or None
        self._dashboard_key = None if dashboard_key is None else dashboard_key.encode()
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()
        self._strangers = Strangers(keys, clock)

    def anonymous(self, scope: AsgiScope) -> Caller:
        """A caller without a key: one address, or one network of an IPv6 subscriber."""
        return Caller(
            subject=f"address {address_of(scope)}",
            policy="anonymous",
            rate_per_minute=self._anonymous_rate,
        )

    async def identify(self, scope: AsgiScope) -> Caller:
        """Who makes this request.

        Raises:
            UnauthorizedError: it shows a key that opens nothing.
        """
        is_shown = is_given(scope, b"authorization", b"x-api-key")
        token = _token(Headers(scope=scope)) if is_shown else None
        if token is None:
            return self.anonymous(scope)
        if self._dashboard_key is not None and hmac.compare_digest(
            token.encode(), self._dashboard_key
        ):
            return Caller(subject="dashboard", policy="dashboard", rate_per_minute=None)
        parts = split(token)
        key = await self._key(parts[0]) if parts is not None else None
        if parts is None or key is None or not key.opens(parts[1], datetime.now(UTC)):
            raise UnauthorizedError(
                "this key is unknown, revoked or expired; without any key, public data can be read, "
                f"and the hub's operators make keys with `tsuji keys create` ({_EXAMPLE})"
            )
        return Caller(
            subject=f"key {key.key_id}",
            policy="key",
            rate_per_minute=key.rate_per_minute,
            scopes=frozenset(key.scopes),
        )

    async def still_opens(self, scope: AsgiScope, caller: Caller) -> bool:
        """Whether a request that goes on for long would be answered alike if it were made now."""
        if caller.policy != "key":
            return True
        try:
            return await self.identify(scope) == caller
        except UnauthorizedError:
            return False
        except StoreError:  # no news come of it either
            return True

    async def _key(self, key_id: str) -> ApiKey | None:
        now = self._clock()
        known = self._known.get(key_id)
        if known is not None and known[0] > now:
            return known[1]
        if not await to_thread.run_sync(self._strangers.may_be, key_id):
            return None
        key = await to_thread.run_sync(self._keys.get, key_id)
        if key is None:
            return None
        self._known[key_id] = now + _TRUSTED_S, key
        self._known.move_to_end(key_id)
        while len(self._known) > _HELD:
            self._known.popitem(last=False)
        return key


def _token(headers: Headers) -> str | None:
    """The key that is shown; both headers may show it, but not two.

    Raises:
        UnauthorizedError: they differ.
    """
    shown = {one.strip() for one in headers.getlist("x-api-key")}
    for one in headers.getlist("authorization"):
        scheme, _, token = one.partition(" ")
        if scheme.lower() == "bearer":
            shown.add(token.strip())
    if len(shown) > 1:
        raise UnauthorizedError(f"two different keys are shown: send one ({_EXAMPLE})")
    return shown.pop() if shown else None


def needs(scope: Scope) -> params.Security:
    """A dependency: the caller's key must have this scope."""

    def check(
        request: Request,
        _bearer: Annotated[object, Security(_BEARER)],
        _header: Annotated[object, Security(_HEADER)],
    ) -> None:
        caller: Caller | None = getattr(request.state, "caller", None)
        if caller is None or caller.policy == "anonymous":
            raise UnauthorizedError(f"this needs a key with the scope {scope.value!r} ({_EXAMPLE})")
        if scope.value not in caller.scopes:
            raise ForbiddenError(
                f"this key has not the scope {scope.value!r}; "
                f"it has: {', '.join(sorted(caller.scopes)) or 'none'}"
            )

    return params.Security(check)


_BEARER = HTTPBearer(
    auto_error=False, description="a key made by `tsuji keys create`; public reading needs none"
)
_HEADER = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    description="the same key, for clients that can't send it else",
)
