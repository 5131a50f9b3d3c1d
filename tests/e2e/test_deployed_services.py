"""Each service of compose.yaml, run by its command in its environment, with a real database and broker.

What containers are to each other by name is here on this machine: only hosts, ports and folders are replaced.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import warm_tsuji
from database_logins import with_roles
from deployment import COMPOSE, OURS, environment
from dropped import drop
from tsuji_platform.runtime.mqtt import is_free, listens
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store import migrate

_PORTS = (
    "TSUJI_API_PORT",
    "TSUJI_API_METRICS_PORT",
    "TSUJI_DASHBOARD_PORT",
    "TSUJI_DASHBOARD_METRICS_PORT",
    "TSUJI_INGEST_PORT",
)
_BARE = {name: value for name, value in os.environ.items() if not name.startswith("TSUJI_")}


class Containers:
    """Stands in for the engine: starts commands, and gives each what compose.yaml says.

    Attributes:
        ports: of what listens, by the setting that says so.
    """

    def __init__(self, folder: Path, database_url: str, broker_url: str) -> None:
        self._folder = folder
        self.ports = dict(zip(_PORTS, _free_ports(), strict=False))
        self._here = {
            "mqtt://broker:1883": broker_url,
            "http://api:8000": f"http://127.0.0.1:{self.ports['TSUJI_API_PORT']}",
            "/run/secrets": str(folder),
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for name, secret in _secrets(database_url).items():
            (folder / name).write_text(f"{secret}\n")

    def environment(self, service: str) -> dict[str, str]:
        """What a service gets."""
        given = {}
        for name, text in environment(service).items():
            value = text
            for there, here in self._here.items():
                value = value.replace(there, here)
            given[name] = value
        home = next((it for it in OURS[service].get("volumes", ())), f"{service}:").split(":")[0]
        if "TSUJI_INGEST_SLOTS" in given:
            given["TSUJI_INGEST_SLOTS"] = str(self._folder / "slots")
        ports = {name: str(port) for name, port in self.ports.items()}
        return {**_BARE, **given, **ports, "TSUJI_HOME": str(self._folder / home)}

    def run(self, service: str) -> subprocess.CompletedProcess[bytes]:
        """Run a service that ends by itself."""
        return warm_tsuji.run(*self._command(service), env=self.environment(service))

    def _command(self, service: str) -> list[str]:
        return [it.replace("/run/secrets", str(self._folder)) for it in OURS[service]["command"]]

    def start(self, service: str, name: str = "", **more: str) -> None:
        """Start one that goes on."""
        name = name or service
        with self.log(name).open("wb") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "tsuji", *self._command(service)],
                env={**self.environment(service), **more},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def log(self, name: str) -> Path:
        """What it printed."""
        return self._folder / f"{name}.log"

    def is_well(self, service: str, *more: str) -> bool:
        """What the service's own check of health says, as the engine would ask."""
        program, *arguments = OURS[service]["healthcheck"]["test"][1:]
        assert program == "tsuji"
        done = warm_tsuji.run(*arguments, *more, env=self.environment(service))
        return done.returncode == 0


def _free_ports() -> Iterator[int]:
    """Below those that the system gives to connections, so that none of these is in the way."""
    ports = random.sample(range(20_000, 32_000), k=12_000)
    return (port for port in ports if is_free(port, "0.0.0.0"))


def _secrets(owner_url: str) -> dict[str, str]:
    """What deploy/secrets.sh makes, for this database."""
    found = {"dashboard_key": "a key of sixteen characters", "owner_url": owner_url}
    for role in ("ingest", "api", "admin", "backup"):
        password = f"made up for {role}"
        found[f"{role}_password"] = password
        found[f"{role}_url"] = make_conninfo(owner_url, user=f"tsuji_{role}", password=password)
    return found


@pytest.fixture
def owner_url(timescaledb_server: PrivateServer) -> Iterator[str]:
    """An empty database, on a server that asks the roles of services for their passwords."""
    with psycopg.connect(timescaledb_server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE deployed")
        url = make_conninfo(timescaledb_server.url, dbname="deployed")
        migrate(url)
        with_roles(url)
        yield url
        drop(connection, "deployed")


@pytest.fixture
def containers(owner_url: str, broker: PrivateServer, tmp_path: Path) -> Iterator[Containers]:
    made = Containers(tmp_path, owner_url, broker.url)
    try:
        yield made
    finally:
        for one in made.running.values():
            one.kill()
            one.wait()


def test_the_services_of_compose_make_a_hub(
    containers: Containers, eventually: Callable[..., None]
) -> None:
    for service in ("migrate", "roles"):
        done = containers.run(service)
        assert done.returncode == 0, done.stderr
    for service in ("simulate", "ingest", "api", "dashboard"):
        assert not containers.is_well(service) if "test" in OURS[service]["healthcheck"] else True
        containers.start(service)
    other = {
        "TSUJI_INGEST_PORT": str(next(_free_ports()))
    }  # each container has all ports for itself
    containers.start("ingest", "ingest again", **other)
    for service in ("ingest", "api", "dashboard"):
        port = containers.ports[f"TSUJI_{service.upper()}_PORT"]
        eventually(lambda port=port: listens(port, "127.0.0.1"), what=f"{service} listens")
        eventually(lambda s=service: containers.is_well(s, "--ready"), what=f"{service} is ready")

    api = f"http://127.0.0.1:{containers.ports['TSUJI_API_PORT']}"
    eventually(lambda: httpx.get(f"{api}/v1/health", timeout=90).json()["ingest"]["stored"] > 0)
    eventually(
        lambda: len(httpx.get(f"{api}/v1/health", timeout=90).json()["ingest"]["processes"]) == 2
    )
    ingests = httpx.get(f"{api}/v1/health", timeout=90).json()["ingest"]["processes"]
    assert {it["id"] for it in ingests} == {"tsuji-ingest-1", "tsuji-ingest-2"}
    backup = containers.run("backup")
    assert backup.returncode == 0, backup.stderr
    assert len(backup.stdout) > 1_000
    dashboard = f"http://127.0.0.1:{containers.ports['TSUJI_DASHBOARD_PORT']}"
    assert httpx.get(f"{dashboard}/hub/health", timeout=90).json()["status"]

    for name, process in containers.running.items():
        process.terminate()
        grace_s = OURS[name.split()[0]]["stop_grace_period"]
        assert process.wait(int(grace_s.removesuffix("s"))) in (0, -15), name
    for service in ("migrate", "roles"):  # as after any restart of the machine
        assert containers.run(service).returncode == 0


def test_all_services_are_run_here_or_elsewhere() -> None:
    """`simulate-past` in tests/e2e/test_past.py; `admin` runs whatever people ask it to."""
    assert set(OURS) == {
        "migrate", "roles", "simulate", "simulate-past", "ingest", "api", "dashboard", "admin", "backup",
    }  # fmt: skip
    assert set(COMPOSE["services"]) - set(OURS) <= {"database", "broker", "prometheus"}
