"""Links lead from the front page to every resource, and none is dead."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi.testclient import TestClient

from alarmed import HOT, Alarmed
from opendata_files import POPULATION, SHELTERS, put
from samples import broken
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.rates import Doors
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Database, Refresher
from tsuji_platform.store.keys import Keys

_ENDLESS = "/v1/live"
"""It is asked for what it can't do."""


def _links(node: Any) -> list[str]:
    """All addresses that an answer leads to."""
    if isinstance(node, dict):
        found = [link for name, it in node.items() if name != "links" for link in _links(it)]
        found += list(node.get("links", {}).values())
        return found + ([node["next"]] if isinstance(node.get("next"), str) else [])
    return [link for it in node for link in _links(it)] if isinstance(node, list) else []


def _template(paths: list[str], path: str) -> str:
    """The resource that an address is of, the most literal one."""
    fitting = [it for it in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", it), path)]
    return min(fitting, key=lambda it: it.count("{"))


def test_every_resource_is_reached_from_the_front_page(
    hub_url: str, hub_database: Database, tmp_path: Path
) -> None:
    city = Alarmed(hub_url, HOT.replace('for = "2m"\n', ""))
    city.say("pole-1", 0, air_temperature=36)
    city.say("gate-1", 1, pedestrians=60)
    city.turn()
    topic, why = (
        "tsuji/v1/things/pole-1/observations",
        Rejection(reason=Reason.BROKEN_JSON, detail=""),
    )
    city.writer.save([broken(topic, b"{", why)])
    put(hub_database, tmp_path / "131041_evacuation_space.csv", SHELTERS)
    put(hub_database, tmp_path / "131041_population.csv", POPULATION)
    Refresher(hub_url).refresh()
    key = Keys(hub_database).create("test", [Scope.METRICS, Scope.REJECTED])
    doors = Doors.of(hub_database, ApiSettings(anonymous_rate=0), SharedSecretSettings())
    app = create_app(Hub(hub_database, lambda: city.now), doors)
    with TestClient(app, raise_server_exceptions=False, headers={"X-API-Key": key}) as api:
        paths = list(api.get("/openapi.json").json()["paths"])
        waiting = list(api.get("/v1").json().values())
        reached, asked = {"/v1"}, set()
        while waiting:
            address = waiting.pop().removeprefix("http://testserver")
            path = urlsplit(address).path
            if address in asked or path in ("/docs", "/openapi.json"):
                continue
            asked.add(address)
            reached.add(_template(paths, path))
            if path == _ENDLESS:
                assert api.get(f"{address}&bbox=nowhere").status_code == 422
                continue
            answer = api.get(address)
            assert answer.status_code == 200, (address, answer.text)
            if "json" in answer.headers["content-type"] and "@context" not in answer.text:
                body = answer.json()
                waiting += _links(body)
                if body.get("next"):
                    assert f'<{body["next"]}>; rel="next"' in answer.headers["link"]
    city.close()
    assert set(paths) - reached == set()
