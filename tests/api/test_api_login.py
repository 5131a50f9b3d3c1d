"""The data API does all that it does with a login that may only read, but for the counts of requests."""

import logging
import re
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from database_logins import with_roles
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.rates import Doors
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Database, Refresher
from tsuji_platform.store.keys import Keys
from tsuji_platform.store.listen import changes
from tsuji_platform.store.roles import Purpose

_OWN = {"thing_id": "pole-1", "area_set": "squares", "code": "W", "id": "1"}
_QUERIES = {"/v1/observations": "interval=PT1H", "/v1/aggregates": "interval=P1D&step=1h"}
_NOT_ALONE = {"end", "start", "after", "interval", "at", "limit"}


def _asked(path: str, operation: dict[str, Any]) -> list[str]:
    """The path as it is, and with each of its parameters as the document shows it."""
    filled = re.sub(r"{(\w+)}", lambda it: _OWN.get(it[1], "x"), path)
    always = _QUERIES.get(path, "")
    found = [f"{filled}?{always}"]
    for one in operation.get("parameters", ()):
        shown = one.get("examples") or one.get("schema", {}).get("examples") or [one.get("example")]
        shown = list(shown.values()) if isinstance(shown, dict) else shown
        if one["in"] == "query" and shown[0] is not None and one["name"] not in _NOT_ALONE:
            value = shown[0]["value"] if isinstance(shown[0], dict) else shown[0]
            found.append(f"{filled}?{always}&{one['name']}={value}")
    return found


def test_every_resource_answers_a_login_that_may_only_read(
    city: Database, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    Refresher(city.url).refresh()
    key = Keys(city).create("all", list(Scope))
    login = with_roles(city.url)[Purpose.API]
    with Database(login, size=4, timeout_s=60) as database:
        doors = Doors.of(database, ApiSettings(), SharedSecretSettings())
        with (
            caplog.at_level(logging.WARNING),
            TestClient(
                create_app(Hub(database, clock), doors), raise_server_exceptions=False
            ) as api,
        ):
            paths = api.get("/openapi.json").json()["paths"]
            answers = {
                asked: api.get(asked, headers={"X-API-Key": key})
                for path, operations in paths.items()
                if path != "/v1/live"
                for asked in _asked(path, operations["get"])
            }
    failed = {asked: it.text for asked, it in answers.items() if it.status_code >= 500}
    assert failed == {}
    good = [asked for asked, it in answers.items() if it.status_code == 200]
    assert len(good) > 0.6 * len(answers)
    assert {asked.split("?")[0] for asked in good} >= {
        "/v1/health", "/v1/latest", "/v1/observations", "/v1/rejected/messages", "/v1/quality",
        "/v1/area-sets/squares/areas/W/series", "/v1/area-sets/squares/areas/W/profile", "/metrics",
    }  # fmt: skip
    assert [it.message for it in caplog.records if "permission" in it.message] == []
    with psycopg.connect(city.url) as connection:  # counted over all workers, not by this one alone
        assert connection.execute("SELECT count(*) FROM allowance").fetchone() != (0,)
    assert next(changes(login, 0.1)) is True


def test_what_would_change_something_is_refused_to_it(city: Database) -> None:
    login = with_roles(city.url)[Purpose.API]
    with Database(login, size=1) as database, pytest.raises(Exception, match="permission denied"):
        Keys(database).create("of an intruder", list(Scope))
    with Database(login, size=1) as database, pytest.raises(Exception, match="permission denied"):
        Keys(database).revoke("x" * 10)
