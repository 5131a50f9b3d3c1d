"""The live stream as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse

from tsuji_platform.api.hub import HubDep
from tsuji_platform.api.live import LiveFeed, Subscriber

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
    subscriber = Subscriber(area_set, asyncio.get_running_loop())
    await run_in_threadpool(feed.attach, subscriber)
    return EventSourceResponse(
        _events(feed, subscriber), ping=10, headers={"Cache-Control": "no-store"}
    )


async def _events(feed: LiveFeed, subscriber: Subscriber) -> AsyncIterator[bytes]:
    try:
        while (message := await subscriber.queue.get()) is not None:
            yield message
    finally:
        await run_in_threadpool(feed.detach, subscriber)
