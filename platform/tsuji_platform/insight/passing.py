"""Takes the id of a request, and its trace, along to the service that is asked on its behalf."""

import httpx
from opentelemetry import propagate

from tsuji_platform.insight.logs import request_id


async def named(request: httpx.Request) -> None:
    """An event hook of an httpx client: `event_hooks={"request": [named]}`."""
    one = request_id.get()
    if one is not None:
        request.headers["X-Request-ID"] = one
    propagate.inject(request.headers)
