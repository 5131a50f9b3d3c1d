"""The limit of one caller, counted over two workers."""

import asyncio
from collections import Counter

import httpx

from hub_processes import HubProcesses

_QUOTA = 1_000
_CLIENTS = 200
_REQUESTS = 10


def test_two_workers_let_no_more_through_than_one_limit_allows(hub: HubProcesses) -> None:
    hub.start("api", TSUJI_API_WORKERS="2", TSUJI_ANONYMOUS_RATE=str(_QUOTA))
    asked = 1  # to see that it is up

    async def client(http: httpx.AsyncClient) -> list[int]:
        return [(await http.get("/v1/figures")).status_code for _ in range(_REQUESTS)]

    async def all_clients() -> Counter[int]:
        limits = httpx.Limits(max_connections=_CLIENTS)
        async with httpx.AsyncClient(base_url=hub.api_url, limits=limits, timeout=30) as http:
            answers = await asyncio.gather(*(client(http) for _ in range(_CLIENTS)))
        return Counter(status for one in answers for status in one)

    statuses = asyncio.run(all_clients())
    assert set(statuses) == {200, 429}
    assert 0.95 * _QUOTA <= statuses[200] + asked <= _QUOTA
