"""A hub with something in every table, and all that its data API answers: what a restore must bring back."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from fastapi.testclient import TestClient

from alarmed import HOT, Alarmed
from opendata_files import POPULATION, SHELTERS, put
from rollup_check import refresh_to_rest
from samples import after, broken, message
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.rates import Doors
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Database, Refresher
from tsuji_platform.store.keys import Keys

_LEFT_OUT = ("/docs", "/openapi.json", "/metrics", "/v1/live")
_OF_THE_PROCESS = "/v1/health"
_MADE_AT = re.compile(rb'"made_at": ?"[^"]+"')
"""When the answer was made, by the clock of the machine."""
_REST = """
INSERT INTO area_neighbour SELECT area_id, thing_id, 120.5, 0.25, '{rainfall}' FROM area, thing
    ON CONFLICT DO NOTHING;
INSERT INTO ingest_session (ingest_id, filters, subscribed_at) VALUES ('test', '{tsuji/#}', '2026-04-01Z');
INSERT INTO horizon (width_s, since, drops) VALUES (0, '2020-01-01Z', 3);
INSERT INTO changed (members, datastream_block, first_bucket, last_bucket, late)
    VALUES (1, 1000, 5, 6, true);
INSERT INTO import_progress (import_id, source, rejected_file) VALUES ('a', E'b\\t\\\\\\n', 'c');
INSERT INTO live_publisher (holder, run, seen_at, broker) VALUES ('test', 'a', '2026-04-01Z', 'b');
INSERT INTO stale_profile SELECT datastream_id, '2026-04-01' FROM datastream ON CONFLICT DO NOTHING;
"""


@dataclass(frozen=True)
class WholeHub:
    """A hub whose clock stands.

    Attributes:
        now: by its clock.
        key: that opens rejected messages.
    """

    now: datetime
    key: str


def build(url: str, folder: Path) -> WholeHub:
    """Put something into every table."""
    city = Alarmed(url, HOT.replace('for = "2m"\n', ""), ("mqtt", "elsewhere"))
    city.say("pole-1", 0, air_temperature=36)
    city.say("gate-1", 1, pedestrians=60)
    city.turn()
    for hours in range(1, 40):
        city.writer.save([message("gate-1", after(hours=-hours), pedestrians=hours)])
    refresher = Refresher(url)
    refresh_to_rest(refresher)
    while refresher.profile():
        pass
    refresher.close()
    why = Rejection(reason=Reason.BROKEN_JSON, detail="Expecting\ta value \\N \x1f 値")
    topic = "tsuji/v1/things/pole-1/observations"
    city.writer.save([broken(topic, bytes(range(256)), why), broken(topic, b"", why)])
    with Database(url, size=2) as database:
        put(database, folder / "131041_evacuation_space.csv", SHELTERS)
        put(database, folder / "131041_population.csv", POPULATION)
        key = Keys(database).create("test", [Scope.REJECTED])
    with psycopg.connect(url) as connection:
        connection.execute(_REST)
    city.close()
    return WholeHub(now=city.now + timedelta(seconds=30), key=key)


def sums(url: str) -> dict[str, tuple[int, str]]:
    """Of every table the number of its rows and what they come to, in whatever order they are.

    Without what says which transaction wrote a row: that is of one cluster.
    """
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            )
        ]
        return {table: _sum(connection, table) for table in tables}


def _sum(connection: psycopg.Connection, table: str) -> tuple[int, str]:
    columns = connection.execute(
        "SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position)"
        " FROM information_schema.columns WHERE table_name = %s AND table_schema = 'public'"
        " AND data_type NOT IN ('xid8', 'pg_snapshot')",
        [table],
    ).fetchone()[0]
    rows = connection.execute(f"SELECT {columns} FROM {table}").fetchall()
    text = "\n".join(sorted(map(repr, rows)))
    return len(rows), hashlib.sha256(text.encode()).hexdigest()


def answers(url: str, hub: WholeHub) -> dict[str, bytes]:
    """All that can be asked, reached by links from the front page."""
    with _api(url, hub) as api:
        found: dict[str, bytes] = {}
        waiting = list(api.get("/v1").json().values())
        while waiting:
            address = waiting.pop().removeprefix("http://testserver")
            path = urlsplit(address).path
            if address in found or path in _LEFT_OUT:
                continue
            answer = api.get(address)
            assert answer.status_code == 200, (address, answer.text)
            found[address] = _MADE_AT.sub(b"", answer.content)
            if "json" in answer.headers["content-type"] and "@context" not in answer.text:
                body = answer.json()
                waiting += _links(body)
                if path == _OF_THE_PROCESS:
                    body["database"] = body["ingest"]["processes"] = None  # editions differ
                    body["alerts"]["state"] = None  # by the database's clock, which goes on
                    found[address] = repr(body).encode()
        return found


@contextmanager
def _api(url: str, hub: WholeHub) -> Iterator[TestClient]:
    with Database(url, size=2) as database:
        doors = Doors.of(database, ApiSettings(anonymous_rate=0), SharedSecretSettings())
        app = create_app(Hub(database, lambda: hub.now), doors)
        with TestClient(
            app, raise_server_exceptions=False, headers={"X-API-Key": hub.key}
        ) as client:
            yield client


def _links(node: Any) -> list[str]:
    if isinstance(node, dict):
        found = [link for name, it in node.items() if name != "links" for link in _links(it)]
        found += list(node.get("links", {}).values())
        return found + ([node["next"]] if isinstance(node.get("next"), str) else [])
    return [link for it in node for link in _links(it)] if isinstance(node, list) else []
