"""Says what was found, what would be chosen and why, without fetching or starting anything."""

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tsuji_platform.runtime import broker, database, debian, mosquitto, mqtt, postgres
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.home import Instance, programs_folder
from tsuji_platform.runtime.serving import serves
from tsuji_platform.settings import (
    ApiSettings,
    BrokerAddress,
    BrokerSettings,
    DashboardSettings,
    DatabaseSettings,
    IngestSettings,
    RuntimeSettings,
    check_database_address,
)

OLDEST_PYTHON = (3, 11)
_ROOM_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        chosen: what is or would be used.
        why: the reason.
        ok: whether `tsuji up` would work with it.
        advice: what to do, empty where there is nothing to do.
    """

    what: str
    chosen: str
    why: str
    ok: bool = True
    advice: str = ""


def examine(
    *,
    runtime: RuntimeSettings,
    database_settings: DatabaseSettings,
    broker_settings: BrokerSettings,
    ingest: IngestSettings,
    api: ApiSettings,
    dashboard: DashboardSettings,
) -> list[Finding]:
    """Look at everything that `tsuji up` depends on; nothing is changed."""
    instance = Instance.locate(runtime.home)
    runs = instance.holder() is not None
    services = database_settings.database_url is not None
    return [
        _python(),
        _home(runtime, instance, private=not services or broker_settings.broker_url is None),
        _disk(instance.home),
        _programs(),
        _database(database_settings, instance),
        _broker(broker_settings),
        _broker_port(broker_settings, instance, runs),
        *_ingest_port(ingest, runs, services),
        _port(
            "API port",
            api.api_host,
            api.api_port,
            "TSUJI_API_PORT" if "api_port" in api.model_fields_set else None,
            runs,
            "api" if services else "",
        ),
        _port(
            "dashboard port",
            dashboard.dashboard_host,
            dashboard.dashboard_port,
            "TSUJI_DASHBOARD_PORT" if "dashboard_port" in dashboard.model_fields_set else None,
            runs,
            "dashboard" if services else "",
        ),
    ]


def _python() -> Finding:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    ok = sys.version_info >= OLDEST_PYTHON
    return Finding(
        what="Python",
        chosen=f"{platform.python_version()} at {sys.executable}",
        why=f"{oldest} or newer is needed",
        ok=ok,
        advice="" if ok else f"use Python {oldest} or newer",
    )


def _home(runtime: RuntimeSettings, instance: Instance, *, private: bool) -> Finding:
    """The folder of data; where servers are named, private ones need not reach it."""
    why = "TSUJI_HOME is set" if runtime.home else f"one folder per project folder ({Path.cwd()})"
    if private and instance.account.is_other:
        why += f"; the private servers run as {instance.account.name or instance.account.uid}"
    barrier = instance.account.barrier(instance.home) if private else None
    nearest = _nearest(instance.home)
    holder = instance.holder()
    advice = ""
    if barrier is not None:
        advice = f"the private servers cannot pass through {barrier}: set TSUJI_HOME elsewhere"
    elif not _writable(nearest):
        advice = f"{nearest} cannot be written: set TSUJI_HOME to a folder that you own"
    elif private and not instance.account.name:
        advice = (
            f"user {instance.account.uid} has no name and PostgreSQL needs one: add it to /etc/passwd, "
            "or set TSUJI_DATABASE_URL"
        )
    if holder is not None:
        why += f"; tsuji up runs here now (process {holder})"
    return Finding(what="data", chosen=str(instance.home), why=why, ok=not advice, advice=advice)


def _nearest(path: Path) -> Path:
    return next(part for part in (path, *path.parents) if part.exists())


def _writable(folder: Path) -> bool:
    """Whether a folder can really be made in `folder`: permissions say yes where /proc says no."""
    try:
        with TemporaryDirectory(prefix=".tsuji-doctor-", dir=folder):
            return True
    except OSError:
        return False


def _disk(home: Path) -> Finding:
    free = shutil.disk_usage(_nearest(home)).free
    ok = free >= _ROOM_BYTES
    return Finding(
        what="disk",
        chosen=f"{free / 1e9:.1f} GB free",
        why=f"programs and a first day of data need about {_ROOM_BYTES / 1e9:.0f} GB",
        ok=ok,
        advice="" if ok else "make room, or set TSUJI_HOME to a larger disk",
    )


def _programs() -> Finding:
    there = [
        recipe.label
        for recipe in debian.RECIPES.values()
        if debian.fetched(recipe, programs_folder())
    ]
    reason = debian.obstacle()
    return Finding(
        what="fetched programs",
        chosen=", ".join(there) or "none yet",
        why=f"in {programs_folder()}; "
        + (f"nothing can be fetched here: {reason}" if reason else "apt fetches what is missing"),
    )


def _database(settings: DatabaseSettings, instance: Instance) -> Finding:
    what = "database"
    if settings.database_url:
        problem = _reach_database(settings.database_url)
        return Finding(
            what=what,
            chosen="TSUJI_DATABASE_URL",
            why="it is set",
            ok=problem is None,
            advice=f"it does not answer: {problem}" if problem else "",
        )
    try:
        edition = database.Edition.of(instance.database_folder)
    except SetupError as error:
        return Finding(what=what, chosen="none", why="there is data", ok=False, advice=str(error))
    installed = postgres.installed()
    seen = (
        "; ".join(f"installed: {found.description}" for found in installed) or "none is installed"
    )
    if edition:
        candidates = [*installed, database.fetched(), database.plain(instance.account)]
        fitting = next((found for found in candidates if found and edition.fits(found)), None)
        may_fetch = edition.major == database.FETCHED_MAJOR and debian.obstacle() is None
        return Finding(
            what=what,
            chosen=fitting.description
            if fitting
            else f"{edition}, to be fetched"
            if may_fetch
            else "none",
            why=f"the existing data is of {edition}",
            ok=fitting is not None or may_fetch,
            advice=""
            if fitting or may_fetch
            else f"install {edition}, or move {instance.database_folder} away to begin anew",
        )
    chosen = database.with_timescaledb() or database.fetched()
    if chosen:
        return Finding(what=what, chosen=chosen.description, why=seen)
    if debian.obstacle() is None:
        return Finding(what=what, chosen=f"{debian.POSTGRESQL.label}, to be fetched", why=seen)
    plain = database.plain(instance.account)
    return Finding(
        what=what,
        chosen=plain.description if plain else "none",
        why=f"no TimescaleDB: {debian.obstacle()}; {seen}",
        ok=plain is not None,
        advice="install TimescaleDB for PostgreSQL, or set TSUJI_DATABASE_URL",
    )


def _reach_database(url: str) -> str | None:
    try:
        check_database_address(_taken_apart(url))
        with psycopg.connect(url, connect_timeout=5) as connection:
            connection.execute("SELECT 1")
    except (psycopg.Error, ValueError) as error:
        return " ".join(str(error).split())
    return None


def _taken_apart(url: str) -> dict[str, Any] | None:
    try:
        return conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return None


def _broker(settings: BrokerSettings) -> Finding:
    what = "broker"
    if settings.broker_url:
        address = BrokerAddress.parse(settings.broker_url)
        there = mqtt.listens(address.port, address.host)
        return Finding(
            what=what,
            chosen=f"TSUJI_BROKER_URL ({address.host}:{address.port})",
            why="it is set",
            ok=there,
            advice="" if there else "nothing listens there: start it, or unset TSUJI_BROKER_URL",
        )
    installed = mosquitto.installed()
    seen = f"installed: {installed.description}" if installed else "none is installed"
    chosen = installed if installed and installed.keeps_everything else broker.fetched()
    if chosen:
        return Finding(what=what, chosen=chosen.description, why=seen)
    if debian.obstacle() is None:
        return Finding(what=what, chosen=f"{debian.MOSQUITTO.label}, to be fetched", why=seen)
    second = installed.description if installed else broker.EmbeddedBroker().description
    there = installed is not None or find_spec("iotcore") is not None
    return Finding(
        what=what,
        chosen=second if there else "none",
        why=f"no Mosquitto with SQLite persistence: {debian.obstacle()}; {seen}",
        ok=there,
        advice="install Mosquitto 2.1 or newer, or set TSUJI_BROKER_URL",
    )


def _broker_port(settings: BrokerSettings, instance: Instance, runs: bool) -> Finding:
    what = "broker port"
    if settings.broker_url:
        return Finding(what=what, chosen="none", why="TSUJI_BROKER_URL is set")
    last = broker.last_port(instance.broker_folder)
    if settings.broker_port:
        return _port(what, "127.0.0.1", settings.broker_port, "TSUJI_BROKER_PORT", runs)
    port, why = next(_port_candidates(last, runs))
    return Finding(what=what, chosen=f"127.0.0.1:{port}", why=why)


def _ingest_port(settings: IngestSettings, runs: bool, services: bool) -> list[Finding]:
    """That of /metrics, where it is asked for; otherwise `tsuji up` takes a free one."""
    if settings.ingest_port is None:
        return []
    host, port = settings.ingest_host, settings.ingest_port
    service = "ingest" if services else ""
    return [_port("ingest port", host, port, "TSUJI_INGEST_PORT", runs, service)]


def _port_candidates(last: int | None, runs: bool) -> Iterator[tuple[str, str]]:
    if last and (runs or mqtt.is_free(last)):
        yield str(last), "in use by this instance" if runs else "this instance had it last"
    if mqtt.is_free(broker.STANDARD_PORT):
        yield str(broker.STANDARD_PORT), "MQTT's standard port is free"
    yield "any free one", f"port {broker.STANDARD_PORT} is taken"


def _port(
    what: str, host: str, port: int, setting: str | None, runs: bool, service: str = ""
) -> Finding:
    """Look at a port; one that no setting asks for gives way to the next that is free.

    Where services are run by themselves, one that has its port already is as it should be.
    """
    chosen = f"{host}:{port}"
    if mqtt.is_free(port, host):
        return Finding(what=what, chosen=chosen, why="free")
    if runs:
        return Finding(what=what, chosen=chosen, why="in use by this instance")
    if service and serves(service, host, port):
        return Finding(what=what, chosen=chosen, why=f"`tsuji {service}` serves there")
    if setting is None:
        return Finding(what=what, chosen="the next free one", why=f"{chosen} is taken")
    return Finding(
        what=what,
        chosen=chosen,
        why="taken",
        ok=False,
        advice=f"stop what listens there, or set {setting} to another port",
    )
