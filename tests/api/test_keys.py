"""Keys: what they open, what they don't, and what is said where they are wrong."""

import asyncio
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient

from live_reader import Folded, follow, serving
from samples import after, broken, message
from tsuji_platform.analytics.suppression import Gate
from tsuji_platform.api import live as live_feed
from tsuji_platform.api.app import create_app
from tsuji_platform.api.callers import Callers
from tsuji_platform.api.errors import UnauthorizedError
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.rates import Doors, Rates
from tsuji_platform.api.routers import live as live_router
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Database
from tsuji_platform.store.keys import Allowances, ApiKey, Keys
from tsuji_platform.store.writer import Writer

DASHBOARD = "a-secret-of-the-dashboard"
MESSAGES = "/v1/rejected/messages"
TOPIC = "tsuji/v1/things/a/observations"


@pytest.fixture
def keys(hub_database: Database) -> Keys:
    return Keys(hub_database)


@pytest.fixture
def guarded(hub_database: Database) -> Iterator[TestClient]:
    """The data API with its doors."""
    doors = Doors.of(
        hub_database,
        ApiSettings(anonymous_rate=5),
        SharedSecretSettings(dashboard_key=DASHBOARD),
    )
    with TestClient(create_app(Hub(hub_database), doors)) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_rejected_messages_are_for_those_with_the_scope(
    guarded: TestClient, keys: Keys, writer: Writer
) -> None:
    payload = bytes(range(256))
    writer.save([broken(TOPIC, payload, Rejection(reason=Reason.BROKEN_JSON, detail="not JSON"))])
    anonymous = guarded.get(MESSAGES)
    assert (anonymous.status_code, anonymous.headers["WWW-Authenticate"]) == (401, "Bearer")
    without = guarded.get(MESSAGES, headers=bearer(keys.create("reader")))
    assert without.status_code == 403
    assert "rejected" in without.json()["detail"]
    headers = bearer(keys.create("operator", [Scope.REJECTED]))
    (item,) = guarded.get(MESSAGES, headers=headers).json()["items"]
    whole = guarded.get(f"{MESSAGES}/{item['id']}", headers=headers).json()
    assert whole == item
    assert (whole["topic"], whole["reason"]) == (TOPIC, "broken_json")
    assert b64decode(whole["payload"]) == payload
    assert guarded.get(f"{MESSAGES}/{2**62}", headers=headers).status_code == 404


def test_both_headers_carry_a_key(guarded: TestClient, keys: Keys) -> None:
    token = keys.create("operator", [Scope.REJECTED])
    for headers in (bearer(token), {"X-API-Key": token}, {"authorization": f"bearer  {token} "}):
        assert guarded.get(MESSAGES, headers=headers).status_code == 200, headers
    both = {"X-API-Key": token, **bearer(keys.create("other", [Scope.REJECTED]))}
    assert guarded.get(MESSAGES, headers=both).status_code == 401


@pytest.mark.parametrize(
    "token",
    ["", "x", "tsuji_", "tsuji_0123456789_", "tsuji_0123456789_secret", "tsuji_\xe4_x", "Basic"],
)
def test_a_wrong_key_is_refused_even_where_none_is_needed(guarded: TestClient, token: str) -> None:
    answer = guarded.get("/v1/figures", headers={"X-API-Key": token.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "0123456789" not in answer.text


def test_a_wrong_secret_a_revoked_and_an_expired_key_open_nothing(
    guarded: TestClient, keys: Keys
) -> None:
    token, revoked = keys.create("a"), keys.create("b")
    expired = keys.create("c", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert keys.revoke(revoked.split("_")[1])
    for wrong in (token[:-1] + ("a" if token[-1] != "a" else "b"), revoked, expired):
        assert guarded.get("/v1/figures", headers=bearer(wrong)).status_code == 401
    assert guarded.get("/v1/figures", headers=bearer(token)).status_code == 200
    assert not keys.revoke("0000000000")


def test_a_revoked_key_ends_the_streams_that_it_opened(
    city: Database, writer: Writer, clock, monkeypatch
) -> None:
    monkeypatch.setattr(live_router, "HEARTBEAT_S", 0.05)
    now, keys = [0.0], Keys(city)
    callers = Callers(keys, 0, None, lambda: now[0])
    app = create_app(
        Hub(city, clock, gate=Gate(1_000)), Doors(callers=callers, rates=Rates(Allowances(city)))
    )
    token = keys.create("office", [Scope.COUNTS])

    def revoke_at_the_third_heartbeat(name: str) -> bool:
        if name == "heartbeat":
            heard.append(name)
        if len(heard) == 3:
            keys.revoke(token.split("_")[1])
            now[0] += 5
            writer.save([message("gate-1", after(hours=4), pedestrians_in=7)])
        return False

    heard: list[str] = []
    folded = Folded()
    with serving(app) as url:
        follow(url, folded, revoke_at_the_third_heartbeat, at_most=100_000, headers=bearer(token))
    assert len(heard) >= 3
    told = [result for _, result in folded.told["gate-1", "pedestrians_in"]]
    assert told
    assert 7 not in told


def test_one_caller_leaves_room_for_the_streams_of_others(
    hub_database: Database, keys: Keys, monkeypatch, eventually: Callable
) -> None:
    monkeypatch.setattr(live_feed, "MOST_OF_ONE", 1)
    doors = Doors.of(
        hub_database, ApiSettings(anonymous_rate=0), SharedSecretSettings(dashboard_key=DASHBOARD)
    )
    office = bearer(keys.create("office"))
    with serving(create_app(Hub(hub_database), doors)) as url, ExitStack() as opened:

        def status(headers: dict[str, str]) -> int:
            asked = httpx.stream("GET", f"{url}/v1/live", headers=headers, timeout=60)
            return opened.enter_context(asked).status_code

        assert status({}) == 200
        assert status({}) == 429
        assert [status(office), status(office)] == [200, 429]
        assert [status(bearer(DASHBOARD)), status(bearer(DASHBOARD))] == [200, 200]
        opened.close()
        eventually(lambda: status({}) == 200, what="the place is given back")


def test_secrets_are_not_in_the_database(hub_url: str, keys: Keys) -> None:
    token = keys.create("a")
    with psycopg.connect(hub_url) as connection:
        ((row,),) = connection.execute("SELECT api_key::text FROM api_key").fetchall()
    assert token.split("_", 2)[2] not in row


def test_an_address_may_ask_so_often_and_reads_it_in_every_answer(guarded: TestClient) -> None:
    answers = [guarded.get("/v1/figures") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["RateLimit-Policy"] for answer in answers] == [
        '"anonymous";q=5;w=60'
    ] * 6
    left = [answer.headers["RateLimit"].split(";")[1] for answer in answers]
    assert left == ["r=4", "r=3", "r=2", "r=1", "r=0", "r=0"]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert guarded.get("/v1/figures", headers={"Origin": "https://a.example"}).headers[
        "Access-Control-Allow-Origin"
    ]
    assert guarded.get("/v1/health").status_code == 200  # whoever floods: supervisors are answered
    guessing = guarded.get("/v1/figures", headers=bearer("tsuji_0123456789_guess"))
    assert guessing.status_code == 429


def test_a_key_has_a_rate_of_its_own_and_the_dashboard_none(
    guarded: TestClient, keys: Keys
) -> None:
    token = keys.create("a", rate_per_minute=2)
    statuses = [guarded.get("/v1/figures", headers=bearer(token)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    for headers in (bearer(keys.create("b")), bearer(DASHBOARD)):
        answers = [guarded.get("/v1/figures", headers=headers) for _ in range(10)]
        assert {answer.status_code for answer in answers} == {200}
        assert "RateLimit" not in answers[0].headers


class _Asked(Keys):
    """Keys of the database, and how often it was asked."""

    asked = 0

    def get(self, key_id: str) -> ApiKey | None:
        self.asked += 1
        return super().get(key_id)

    def ids(self) -> list[str]:
        self.asked += 1
        return super().ids()


def test_a_flood_of_made_up_keys_costs_the_database_next_to_nothing(
    hub_database: Database,
) -> None:
    keys, now = _Asked(hub_database), [0.0]
    callers = Callers(keys, 0, None, clock=lambda: now[0])

    async def scopes_of(token: str) -> object:
        scope = {"type": "http", "headers": [(b"x-api-key", token.encode())]}
        try:
            return (await callers.identify(scope)).scopes
        except UnauthorizedError:
            return None

    async def flood() -> None:
        for number in range(2_000):
            assert await scopes_of(f"tsuji_{number:010d}_x") is None

    asyncio.run(flood())
    assert keys.asked <= 21  # some at once, then the ids of those that there are
    real = keys.create("reader", [Scope.COUNTS])
    now[0] += 1
    assert asyncio.run(scopes_of(real)) == {"counts"}
    asyncio.run(flood())
    another = keys.create("reader", [Scope.COUNTS])
    now[0] += 1
    asyncio.run(flood())
    assert asyncio.run(scopes_of(another)) == {"counts"}
    assert keys.asked <= 70
