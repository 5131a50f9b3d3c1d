"""The limit of one caller, counted over two workers."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import psutil

from hub_processes import HubProcesses

_QUOTA = 400
_CLIENTS = 200
_REQUESTS = 4


def _serving(pid: int, port: int) -> int:
    """How many processes behind this one have callers of this port."""
    return sum(_serves(one, port) for one in psutil.Process(pid).children(recursive=True))


def _serves(process: psutil.Process, port: int) -> bool:
    try:
        found = process.net_connections("tcp")
    except psutil.NoSuchProcess:  # a worker that begins may ask another program for something
        return False
    return any(it.laddr.port == port and it.raddr for it in found)


def _takes_turns(hub: HubProcesses) -> bool:
    """Whether both workers take callers; these ask nothing, which is not counted."""
    address = httpx.URL(hub.api_url)
    with ExitStack() as callers:
        for _ in range(20):
            callers.enter_context(socket.create_connection((address.host, address.port or 0)))
        return _serving(hub.pid("api"), address.port or 0) == 2


def test_two_workers_let_no_more_through_than_one_limit_allows(
    hub: HubProcesses, eventually: Callable[..., None]
) -> None:
    begun = time.monotonic()
    hub.start("api", TSUJI_API_WORKERS="2", TSUJI_ANONYMOUS_RATE=str(_QUOTA), TSUJI_API_HOST="::")
    asked = 1  # to see that it is up
    eventually(lambda: _takes_turns(hub), within=120, what="two workers")

    async def client(http: httpx.AsyncClient) -> list[int]:
        return [(await http.get("/v1/figures")).status_code for _ in range(_REQUESTS)]

    async def all_clients() -> Counter[int]:
        limits = httpx.Limits(max_connections=_CLIENTS)
        async with httpx.AsyncClient(base_url=hub.api_url, limits=limits, timeout=60) as http:
            answers = await asyncio.gather(*(client(http) for _ in range(_CLIENTS)))
        return Counter(status for one in answers for status in one)

    try:
        if socket.has_dualstack_ipv6():  # `::` is all of the machine: callers by IPv4 count as such
            port = httpx.URL(hub.api_url).port
            assert httpx.get(f"http://[::1]:{port}/v1/health", timeout=60).status_code == 200
        statuses = asyncio.run(all_clients())
    finally:
        hub.end("api", kill_after_s=60)  # told to, it takes its workers along
    assert set(statuses) == {200, 429}
    minutes = 1 + int((time.monotonic() - begun) // 60)  # more than one only on a very busy machine
    assert 0.95 * _QUOTA <= statuses[200] + asked <= minutes * _QUOTA
