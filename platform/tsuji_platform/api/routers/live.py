"""The live stream as server-sent events."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tsuji_platform.api import errors
from tsuji_platform.api import live as feeds
from tsuji_platform.api.hub import HubDep
from tsuji_platform.api.live import LiveFeed, Subscriber
from tsuji_platform.store import StoreError

_log = logging.getLogger(__name__)
router = APIRouter(tags=["live"])

SEND_TIMEOUT_S = 20.0
"""A reader that takes nothing for this long is sent away."""
_FULL = "all streams of this hub are taken; try again later"


class _Stream(EventSourceResponse):
    """A stream whose reader may stop reading: that is its own affair, and no defect."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("a reader of the live stream took nothing for %g s", self.send_timeout)


@router.get(
    "/live",
    summary="Changes as they happen (server-sent events)",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def live(
    request: Request,
    hub: HubDep,
    area_set: Annotated[str, Query(examples=["mesh500-central"], description="id of an area set")],
) -> Response:
    """First an event `snapshot` with all areas and things, then `change` with what has changed.

    An event `alert` says that an alert has begun or ended, in the same document as MQTT and webhooks
    have it, for all areas and things; a stream begins with (the newest 32 of) those that are on.

    An area in a `change` comes with all its figures; one without figures has no data any more.
    A comment keeps quiet streams open. A stream that ends can be taken up again at any time: it
    begins with a whole snapshot. One whose reader takes nothing for 20 seconds is ended; where all
    streams are taken the answer is 503 with `Retry-After`.
    """
    await run_in_threadpool(hub.area_set, area_set)
    feed: LiveFeed = request.app.state.live
    if await run_in_threadpool(lambda: feed.listeners) >= feeds.MOST_LISTENERS:
        return errors.problem(503, _FULL, {"Retry-After": "30"})
    return _Stream(
        _events(feed, area_set),
        ping=10,
        send_timeout=SEND_TIMEOUT_S,
        headers={"Cache-Control": "no-store"},
    )


async def _events(feed: LiveFeed, area_set: str) -> AsyncIterator[bytes]:
    subscriber = Subscriber(area_set, asyncio.get_running_loop())
    try:
        attached = await run_in_threadpool(feed.attach, subscriber)
        while attached and (message := await subscriber.queue.get()) is not None:
            yield message
    except StoreError as error:
        _log.warning("a live stream ends: %s", error)
    finally:
        # who goes away is cancelled here, and without a shield the next await would be, too
        with anyio.CancelScope(shield=True):
            await run_in_threadpool(feed.detach, subscriber)
