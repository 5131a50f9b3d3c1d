"""A hub whose services have logins and secrets of their own: it does all its work, and tells no secret."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from database_logins import with_roles
from hub_processes import HubProcesses
from samples import area_set, observations, square, thing
from tsuji.area_sets import by_kind
from tsuji_platform.contract import observations_topic
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.keys import Keys
from tsuji_platform.store.roles import Purpose
from tsuji_simulators.publish import Publisher

_SERVICES = ("ingest", "api", "dashboard")
_RULES = """
[[rule]]
id = "hot"
label = { ja = "試験", en = "Test" }
observed_property = "air_temperature"
things = {}
at_least = 35
clears_below = 33
"""
_SUBSCRIBED = "SELECT count(*) > 0 FROM ingest_session WHERE subscribed_at IS NOT NULL"
_DONE = {
    "stored": "SELECT count(*) = 2 FROM observation",
    "newest": "SELECT count(*) > 0 FROM latest",
    "summed up": "SELECT count(*) > 0 FROM rollup_day",
    "assigned to its area": "SELECT count(*) > 0 FROM area_thing",
    "weighed for the area beside": "SELECT count(*) > 0 FROM area_neighbour",
    "measured": "SELECT bool_and(area_m2 > 0) FROM area",
    "rejected": "SELECT count(*) > 0 FROM rejected_message WHERE reason = 'broken_json'",
    "taken in later": "SELECT count(*) = 0 FROM rejected_message WHERE reason = 'unregistered_thing'",
    "on alert": "SELECT count(*) > 0 FROM alert WHERE ended_at IS NULL",
    "told": "SELECT count(*) > 0 FROM alert_delivery WHERE delivered_at IS NOT NULL",
    "published": "SELECT count(*) > 0 FROM live_publisher WHERE published IS NOT NULL",
}


@pytest.fixture
def logins(hub: HubProcesses, hub_url: str, tmp_path: Path) -> dict[Purpose, str]:
    """Addresses of the database by purpose; the hub gets every secret as a file, and none else."""
    logins = with_roles(hub_url)
    secrets = {
        "INGEST_DATABASE": logins[Purpose.INGEST],
        "API_DATABASE": logins[Purpose.API],
        "TSUJI_BROKER_URL": hub.broker_url.replace("://", "://tsuji:hunter2-of-the-broker@"),
        "TSUJI_DASHBOARD_KEY": "hunter2-of-the-dashboard",
        "TSUJI_WEBHOOK_SECRET": "hunter2-of-the-webhooks-in-full",
        "TSUJI_WEBHOOK_URLS": "http://127.0.0.1:9/hunter2-of-a-webhook",
    }
    (tmp_path / "secrets").mkdir()
    for name, secret in secrets.items():
        (tmp_path / "secrets" / name).write_text(f"{secret}\n")
        if name.startswith("TSUJI_"):
            hub.environment.pop(name, None)
            hub.environment[f"{name}_FILE"] = str(tmp_path / "secrets" / name)
    del hub.environment["TSUJI_DATABASE_URL"]
    (tmp_path / "rules.toml").write_text(_RULES, encoding="utf-8")
    hub.environment |= {
        "TSUJI_ALERTS": str(tmp_path / "rules.toml"),
        "TSUJI_LIVE_TOPICS": "1",
        "TSUJI_INGEST_WAIT_MS": "10",
        "TSUJI_LOG_LEVEL": "debug",
    }
    for name in ("ingest", "api"):
        file = tmp_path / "secrets" / f"{name.upper()}_DATABASE"
        hub.start(name, TSUJI_DATABASE_URL_FILE=str(file))
    hub.start("dashboard")
    hub.environment["TSUJI_DATABASE_URL_FILE"] = str(tmp_path / "secrets" / "API_DATABASE")
    return logins


def test_the_hub_works_with_logins_of_its_own_and_tells_no_secret(
    hub: HubProcesses,
    logins: dict[Purpose, str],
    hub_url: str,
    broker: PrivateServer,
    eventually: Callable[..., None],
) -> None:
    with Database(logins[Purpose.ADMIN]) as database:
        squares = [square("W", 139.69, 35.69), square("E", 139.71, 35.69)]
        Areas(database).put(area_set("squares", *squares), by_kind)
        key = Keys(database).create("of a test", list(Scope))
    with psycopg.connect(hub_url, autocommit=True) as owner:
        eventually(lambda: owner.execute(_SUBSCRIBED).fetchone() == (True,))
        _publish(broker)
        _see_that_all_is_done(owner, hub, eventually)
        shown = {"X-API-Key": key}
        assert (
            httpx.get(f"{hub.api_url}/v1/rejected/messages", headers=shown, timeout=90).status_code
            == 200
        )
        said = _break(owner, hub, broker, key, eventually)
    said += "".join(hub.log(name).read_text() for name in _SERVICES)
    assert "hunter2" not in said
    assert key.rpartition("_")[2] not in said


def _publish(broker: PrivateServer) -> None:
    now = datetime.now(UTC)
    with Publisher(BrokerAddress.parse(broker.url)) as publisher:
        early = observations("pole", now - timedelta(minutes=2), air_temperature=30)
        publisher.publish_observations("pole", early)
        for number in range(4):
            publisher.publish(observations_topic("pole"), b"{broken" + b"%d" % number)
        pole = thing("pole", "air_temperature", longitude=139.695, latitude=35.695)
        publisher.publish_things([pole])
        publisher.publish_observations("pole", observations("pole", now, air_temperature=36))


def _see_that_all_is_done(
    owner: psycopg.Connection, hub: HubProcesses, eventually: Callable[..., None]
) -> None:
    waiting = dict(_DONE)

    def is_done() -> bool:
        for what, query in list(waiting.items()):
            if owner.execute(query).fetchone() == (True,):
                del waiting[what]
        return not waiting

    try:
        eventually(is_done, within=120)
    finally:
        assert not waiting, (list(waiting), hub.log("ingest").read_text()[-3000:])
    for name in _SERVICES:
        assert "permission denied" not in hub.log(name).read_text()


def _break(
    owner: psycopg.Connection,
    hub: HubProcesses,
    broker: PrivateServer,
    key: str,
    eventually: Callable[..., None],
) -> str:
    """Let all go wrong that can; returns what was said that is in no log."""
    said = ""
    for name in _SERVICES:
        process = psutil.Process(hub.pid(name))
        for one in (process, *process.children(recursive=True)):
            said += f"{one.cmdline()} {one.name()} {one.environ()}"
    guess = {"X-API-Key": f"{key[:-8]}hunter2x"}
    said += httpx.get(f"{hub.api_url}/v1/things", headers=guess, timeout=90).text
    for purpose in ("ingest", "api"):
        owner.execute(f"ALTER ROLE tsuji_{purpose} NOLOGIN")
    try:
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'tsuji_%'"
        )
        eventually(
            lambda: httpx.get(f"{hub.api_url}/v1/things?limit=7", timeout=90).status_code == 503
        )
        for url in (f"{hub.api_url}/v1/things", f"{hub.dashboard_url}/hub/area-sets"):
            said += httpx.get(url, timeout=90).text
        eventually(lambda: "not permitted to log in" in hub.log("ingest").read_text())
        before = len(hub.log("ingest").read_text())
        broker.kill()
        eventually(lambda: "the broker" in hub.log("ingest").read_text()[before:])
        for command in ("doctor", "migrate", "keys"):
            done = hub.run(command, *(("list",) if command == "keys" else ()))
            said += done.stdout + done.stderr
    finally:
        for purpose in ("ingest", "api"):
            owner.execute(f"ALTER ROLE tsuji_{purpose} LOGIN")
    return said
