"""One caller who asks much at once waits for turns, and takes none from others."""

import asyncio
from collections import Counter

import httpx
from fastapi import FastAPI, Response
from starlette.types import Receive, Scope, Send

from tsuji_platform.api.callers import Caller
from tsuji_platform.api.turns import Turns

AT_ONCE = 2


class Work:
    """Requests that last until they are let go."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.most = 0
        self._at_work = 0
        self._may_end = asyncio.Event()
        self._changed = asyncio.Condition()

    async def answer(self, who: str) -> Response:
        """Work for somebody."""
        async with self._changed:
            self.begun[who] += 1
            self._changed.notify_all()
        self._at_work += 1
        self.most = max(self.most, self._at_work)
        await self._may_end.wait()
        self._at_work -= 1
        return Response("done")

    async def has_begun(self, **begun: int) -> None:
        """Wait until so many of each are worked on."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.begun == Counter(begun))

    def let_go(self) -> None:
        """End all of it."""
        self._may_end.set()


class Named:
    """Tells callers by their header, as `RateLimit` does by key or address."""

    def __init__(self, app: Turns) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name = dict(scope["headers"])[b"name"].decode()
        policy = "dashboard" if name == "dashboard" else "anonymous"
        caller = Caller(subject=name, policy=policy, rate_per_minute=None)
        await self._app({**scope, "state": {"caller": caller}}, receive, send)


def serving(work: Work, waiting: int = 100, patience_s: float = 60) -> httpx.AsyncClient:
    """A client of an application that works."""
    app = FastAPI()
    app.add_api_route("/{who}", work.answer)
    stack = Named(Turns(app, AT_ONCE, waiting, patience_s))
    return httpx.AsyncClient(transport=httpx.ASGITransport(stack), base_url="http://hub")


def ask(client: httpx.AsyncClient, who: str, times: int) -> list[asyncio.Task[httpx.Response]]:
    """Ask several times at once."""
    return [asyncio.create_task(client.get(f"/{who}", headers={"name": who})) for _ in range(times)]


def test_who_asks_much_waits_and_others_do_not() -> None:
    async def meet() -> None:
        work = Work()
        client = serving(work)
        asked = ask(client, "greedy", 10)
        await work.has_begun(greedy=AT_ONCE)
        asked += ask(client, "other", 1) + ask(client, "dashboard", 5)
        await work.has_begun(greedy=AT_ONCE, other=1, dashboard=5)
        work.let_go()
        answers = await asyncio.gather(*asked)
        assert {it.status_code for it in answers} == {200}
        assert work.begun == Counter(greedy=10, other=1, dashboard=5)
        assert work.most == AT_ONCE + 1 + 5

    asyncio.run(asyncio.wait_for(meet(), 60))


def test_too_many_and_too_patient_ones_are_told_to_come_again() -> None:
    async def meet(waiting: int, patience_s: float) -> Counter[int]:
        work = Work()
        asked = ask(serving(work, waiting, patience_s), "greedy", 10)
        await work.has_begun(greedy=AT_ONCE)
        (first, *_), _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        told = first.result()
        assert (told.headers["Retry-After"], "worked on" in told.json()["detail"]) == ("5", True)
        work.let_go()
        return Counter(it.status_code for it in await asyncio.gather(*asked))

    assert asyncio.run(asyncio.wait_for(meet(AT_ONCE + 3, 60), 60)) == {200: 5, 429: 5}
    assert asyncio.run(asyncio.wait_for(meet(100, 0.01), 60))[429] > 0
