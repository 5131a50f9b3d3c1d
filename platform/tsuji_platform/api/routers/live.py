"""The live stream as server-sent events."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse

from tsuji_platform.api.hub import HubDep
from tsuji_platform.api.live import LiveFeed, Subscriber
from tsuji_platform.store import StoreError

_log = logging.getLogger(__name__)
router = APIRouter(tags=["live"])


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
) -> EventSourceResponse:
    """First an event `snapshot` with all areas and things, then `change` with what has changed.

    An area in a `change` comes with all its figures; one without figures has no data any more.
    A comment keeps quiet streams open. A stream that ends can be taken up again at any time: it
    begins with a whole snapshot.
    """
    await run_in_threadpool(hub.area_set, area_set)
    feed: LiveFeed = request.app.state.live
    return EventSourceResponse(
        _events(feed, area_set), ping=10, headers={"Cache-Control": "no-store"}
    )


async def _events(feed: LiveFeed, area_set: str) -> AsyncIterator[bytes]:
    subscriber = Subscriber(area_set, asyncio.get_running_loop())
    try:
        await run_in_threadpool(feed.attach, subscriber)
        while (message := await subscriber.queue.get()) is not None:
            yield message
    except StoreError as error:
        _log.warning("a live stream ends: %s", error)
    finally:
        # who goes away is cancelled here, and without a shield the next await would be, too
        with anyio.CancelScope(shield=True):
            await run_in_threadpool(feed.detach, subscriber)
