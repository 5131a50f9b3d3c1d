"""Limits how often one caller may ask, over all workers, and says so in the headers of every answer.

`RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers. Workers take parts
of a caller's minute from the database, so that most requests cost no statement; a part that a worker
has left when the minute ends is lost, never doubled: the limit is not exceeded.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import ceil

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tsuji_platform.api.callers import Caller, Callers
from tsuji_platform.api.errors import UnauthorizedError, problem
from tsuji_platform.raw_headers import Header, put
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Database, StoreError
from tsuji_platform.store.keys import WINDOW, Allowances, Keys, Share

_log = logging.getLogger(__name__)
_WINDOW_S = WINDOW.total_seconds()
_HELD = 50_000
_PARTS = 50
"""A worker takes a fiftieth of a minute's requests at a time, and less towards its end."""
_LARGEST_PART = 1_000
_FORGET_EVERY_S = 600.0
_UNCOUNTED = frozenset({"/v1/health"})
"""What supervisors ask; a flood elsewhere must not hide that the hub is well."""


@dataclass(slots=True)
class _Account:
    left: int = 0
    remaining: int = 0
    resets_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a request may pass, and what its answer says of the limit."""

    passes: bool
    quota: int
    remaining: int
    resets_in_s: float


class Rates:
    """The allowances of one worker.

    Args:
        allowances: those of all workers.
        clock: monotonic seconds.
    """

    def __init__(self, allowances: Allowances, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowances = allowances
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._forget_at = clock() + _FORGET_EVERY_S

    async def ask(self, subject: str, quota: int) -> Verdict:
        """Whether one more request of a subject passes, which may make `quota` a minute."""
        account = self._account(subject)
        now = self._clock()
        if account.left == 0 or now >= account.resets_at:
            async with account.lock:
                await self._fill(account, subject, quota)
                now = self._clock()
                return _judged(account, quota, now)
        return _judged(account, quota, now)

    async def _fill(self, account: _Account, subject: str, quota: int) -> None:
        now = self._clock()
        if now >= account.resets_at:
            account.left = account.remaining = 0
        if account.left == 0 and (account.remaining > 0 or now >= account.resets_at):
            share = await self._take(subject, quota)
            account.left, account.remaining = share.granted, share.remaining
            # from before the question: after an answer that took its time, what is left of this minute
            # would be let through in the next one
            account.resets_at = now + share.resets_in_s

    def _account(self, subject: str) -> _Account:
        account = self._accounts.get(subject)
        if account is None:
            account = self._accounts[subject] = _Account()
            while len(self._accounts) > _HELD:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(subject)
        return account

    async def _take(self, subject: str, quota: int) -> Share:
        wanted = max(1, min(quota // _PARTS, _LARGEST_PART))
        await self._forget_old()
        try:
            return await to_thread.run_sync(self._allowances.take, subject, quota, wanted)
        except StoreError as error:
            # what can be answered without the database is; each worker counts for itself meanwhile
            _log.warning("requests are counted by this worker alone: %s", error)
            return Share(granted=quota, remaining=0, resets_in_s=_WINDOW_S)

    async def _forget_old(self) -> None:
        if self._clock() < self._forget_at:
            return
        self._forget_at = self._clock() + _FORGET_EVERY_S
        try:
            await to_thread.run_sync(self._allowances.forget_old)
        except StoreError as error:
            _log.warning("allowances of minutes that are over are not forgotten yet: %s", error)


def _judged(account: _Account, quota: int, now: float) -> Verdict:
    """Take one of what is left, if there is one."""
    passes = account.left > 0
    account.left -= passes
    return Verdict(
        passes=passes,
        quota=quota,
        remaining=account.left + account.remaining,
        resets_in_s=max(account.resets_at - now, 0.0),
    )


class RateLimit:
    """ASGI middleware: finds out who calls, and how often that caller may.

    Args:
        app: what it stands before.
        callers: tells callers from each other.
        rates: counts their requests.
    """

    def __init__(self, app: ASGIApp, callers: Callers, rates: Rates) -> None:
        self._app = app
        self._callers = callers
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http" or scope["path"] in _UNCOUNTED or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
            return
        refusal: UnauthorizedError | None = None
        try:
            caller = await self._callers.identify(scope)
        except UnauthorizedError as error:
            refusal, caller = error, self._callers.anonymous(scope)  # guessing is counted, too
        except StoreError as error:
            _log.warning("%s", error)
            answer = problem(503, "keys can't be looked up now; try again", {"Retry-After": "5"})
            await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        scope["state"]["still_opens"] = partial(self._callers.still_opens, scope, caller)
        verdict = await self._ask(caller)
        headers = () if verdict is None else _headers(caller, verdict)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                put(message, headers)
            await send(message)

        if verdict is not None and not verdict.passes:
            scope["state"]["refused"] = caller.policy
            wait_s = max(1, ceil(verdict.resets_in_s))
            answer = problem(
                429,
                f"{verdict.quota} requests a minute are open to {_whom(caller)}; "
                f"again in {wait_s} s. A key with a rate of its own: ask the hub's operators",
                {"Retry-After": str(wait_s)},
            )
            await answer(scope, receive, with_headers)
        elif refusal is not None:
            answer = problem(401, str(refusal), {"WWW-Authenticate": "Bearer"})
            await answer(scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)

    async def _ask(self, caller: Caller) -> Verdict | None:
        if caller.rate_per_minute is None:
            return None
        return await self._rates.ask(caller.subject, caller.rate_per_minute)


def _whom(caller: Caller) -> str:
    return "an address without a key" if caller.policy == "anonymous" else "this key"


def _headers(caller: Caller, verdict: Verdict) -> tuple[Header, ...]:
    policy = f'"{caller.policy}";q={verdict.quota};w={int(_WINDOW_S)}'
    now = f'"{caller.policy}";r={verdict.remaining};t={ceil(verdict.resets_in_s)}'
    return (b"ratelimit-policy", policy.encode()), (b"ratelimit", now.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Who is let in, and how often."""

    callers: Callers
    rates: Rates

    @classmethod
    def of(cls, database: Database, settings: ApiSettings, shared: SharedSecretSettings) -> "Doors":
        """Those that the settings ask for."""
        secret = shared.dashboard_key
        return cls(
            callers=Callers(
                Keys(database),
                settings.anonymous_rate,
                None if secret is None else secret.get_secret_value(),
            ),
            rates=Rates(Allowances(database)),
        )
