"""The live stream as server-sent events."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query, Request
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tsuji_platform.api import errors
from tsuji_platform.api.bbox import parse_bbox
from tsuji_platform.api.callers import Caller
from tsuji_platform.api.hub import HubDep, sees_counts
from tsuji_platform.api.live import LiveFeed
from tsuji_platform.api.live_filter import Filter, Part, checked
from tsuji_platform.api.live_groups import Subscriber

_log = logging.getLogger(__name__)
router = APIRouter(tags=["live"])

SEND_TIMEOUT_S = 20.0
"""A reader that takes nothing for this long is sent away."""
HEARTBEAT_S = 10.0
_FULL = "all streams of this hub are taken; try again later"
_COME_AGAIN_MS = 1_000, 4_000


_StillOpens = Callable[[], Awaitable[bool]]


async def _always() -> bool:
    return True


class _Stream(EventSourceResponse):
    """A stream whose reader may stop reading: that is its own affair, and no defect."""

    def __init__(self, feed: LiveFeed, subscriber: Subscriber, still_opens: _StillOpens) -> None:
        super().__init__(
            _events(feed, subscriber, still_opens),
            ping=0,  # it has heartbeats of its own
            send_timeout=SEND_TIMEOUT_S,
            headers={"Cache-Control": "no-store"},
        )
        self._feed = feed
        self._subscriber = subscriber

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("a reader of the live stream took nothing for %g s", self.send_timeout)
        finally:
            self._feed.leave(self._subscriber)


def _filter(
    hub: HubDep,
    area_set: Annotated[
        str | None,
        Query(
            max_length=64,
            examples=["mesh500-central"],
            description="id of an area set, whose figures come; without `areas` among the events only "
            "what stands in it",
        ),
    ] = None,
    area: Annotated[
        list[str] | None,
        Query(
            description="codes; only these areas, and the things in them",
            examples=[["533945373"]],
        ),
    ] = None,
    bbox: Annotated[
        str | None,
        Query(
            description="west,south,east,north in degrees: only things within, and areas that touch it",
            examples=["139.69,35.68,139.71,35.70"],
        ),
    ] = None,
    thing: Annotated[
        list[str] | None, Query(description="only of these things", examples=[["pole-001"]])
    ] = None,
    kind: Annotated[
        list[str] | None,
        Query(description="only of things of these kinds", examples=[["smart_pole"]]),
    ] = None,
    observed_property: Annotated[
        list[str] | None,
        Query(description="only these, and figures made of them", examples=[["air_temperature"]]),
    ] = None,
    events: Annotated[
        list[Part] | None,
        Query(
            description="what comes; with `area_set` areas, things and alerts where left out, otherwise "
            "observations and alerts",
            examples=[["alerts"]],
        ),
    ] = None,
) -> Filter:
    usual = {Part.OBSERVATIONS} if area_set is None else {Part.AREAS, Part.THINGS}
    which = Filter(
        parts=frozenset(events) if events else frozenset(usual | {Part.ALERTS}),
        area_set=area_set,
        areas=frozenset(area or ()),
        bbox=parse_bbox(bbox),
        things=frozenset(thing or ()),
        kinds=frozenset(kind or ()),
        properties=frozenset(observed_property or ()),
    )
    return checked(hub, which)


@router.get(
    "/live",
    summary="Changes as they happen (server-sent events)",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def live(
    request: Request,
    which: Annotated[Filter, Depends(_filter)],
    last_event_id: Annotated[
        str | None,
        Header(description="id of the last event that was received: what was missed comes"),
    ] = None,
    last_event_id_: Annotated[
        str | None,
        Query(
            alias="last_event_id",
            description="the same, for clients that can't set headers",
            examples=["1a2b-17"],
        ),
    ] = None,
) -> Response:
    """First an event `snapshot` with everything, then `change` with what has changed.

    `observations` are the newest values of datastreams, each change once; of several that came
    within a quarter of a second, or while the reader was away, the last. `things` are states of things with
    all their newest values, `areas` the figures of the area set: one in a `change` comes with all
    its figures; one without figures has no data any more. An event `alert` says that an alert has
    begun or ended, in the same document as MQTT and webhooks have it; a stream begins with (the
    newest 32 of) those that are on. `heartbeat` comes after 10 quiet seconds, with the age of the data.

    Who comes again within 7 days with `Last-Event-ID` gets what it missed, from any worker and after any
    restart; otherwise a new `snapshot` says in `reason` why. A stream whose reader takes nothing for 20
    seconds is ended; where all streams are taken the answer is 503 with `Retry-After`.
    """
    state = request.app.state
    feed: LiveFeed = state.whole_live if sees_counts(request) else state.live
    known: Caller | None = getattr(request.state, "caller", None)
    caller = None if known is None or known.policy == "dashboard" else known.subject
    if not feed.enter(caller):
        return errors.problem(503, _FULL, {"Retry-After": "30"})
    subscriber = Subscriber(which, asyncio.get_running_loop(), caller)
    try:
        await to_thread.run_sync(
            feed.attach, subscriber, last_event_id or last_event_id_, limiter=feed.door
        )
    except BaseException:
        feed.leave(subscriber)
        raise
    return _Stream(feed, subscriber, getattr(request.state, "still_opens", _always))


async def _events(
    feed: LiveFeed, subscriber: Subscriber, still_opens: _StillOpens
) -> AsyncIterator[bytes]:
    pause_ms = random.randint(*_COME_AGAIN_MS)  # noqa: S311 - not all at once
    begin = b"retry: %d\n" % pause_ms  # a field of the first event: some readers take it for one
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                message = await subscriber.queue.get()
        except TimeoutError:
            if not subscriber.queue.empty():
                continue
            message = feed.heartbeat(subscriber)
        if message is None or not await still_opens():  # a 401 will say why
            return
        yield begin + message
        begin = b""
