"""What the commands share: where the database and the broker are, and how they log."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from tsuji_platform.runtime.home import Instance
from tsuji_platform.settings import (
    BrokerAddress,
    BrokerSettings,
    DatabaseSettings,
    RuntimeSettings,
)

if TYPE_CHECKING:
    from tsuji_platform.store import Database


class NotRunningError(Exception):
    """Neither a setting nor a running hub says where the database or the broker is."""


def instance() -> Instance:
    """The data of this project folder."""
    return Instance.locate(RuntimeSettings().home)


CUT_OFF = "does not run, and was not stopped: killed, or its machine went down"
"""What is known of a hub that has left its addresses behind."""


def _addresses_file(home: Path) -> Path:
    return home / "addresses.json"


def publish_addresses(home: Path, addresses: dict[str, str]) -> None:
    """Let other commands in this folder find what `tsuji up` runs; readable for its owner only."""
    path = _addresses_file(home)
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps(addresses))
    draft.replace(path)


def withdraw_addresses(home: Path) -> None:
    """The hub of this folder has stopped."""
    _addresses_file(home).unlink(missing_ok=True)


def running_address(name: str, setting: str) -> str:
    """Where the hub that runs for this folder has one of its services.

    Args:
        name: of it: `database`, `broker`, `ingest`, `api`, `dashboard`.
        setting: that would name another.

    Raises:
        NotRunningError: none runs.
    """
    home = instance().home
    try:
        return str(orjson.loads(_addresses_file(home).read_bytes())[name])
    except (OSError, ValueError, KeyError):
        named = "TSUJI_HOME" if RuntimeSettings().home else f"the folder {Path.cwd()}"
        raise NotRunningError(
            f"no hub runs for {named} (its data is in {home}), and {setting} is not set. Start one with "
            "`tsuji up` there; or give this command in the folder in which one runs, or with that one's "
            f"TSUJI_HOME (`tsuji doctor` shows it); or set {setting}"
        ) from None


def was_cut_off() -> bool:
    """Whether the hub of this folder has left its addresses behind, and none runs now.

    Who is stopped withdraws them; by what else it ended nobody can tell afterwards.
    """
    here = instance()
    return _addresses_file(here.home).exists() and here.holder() is None


def database_url() -> str:
    """Address of the database: the setting, or that of the hub that runs for this folder."""
    return DatabaseSettings().database_url or running_address("database", "TSUJI_DATABASE_URL")


def answering_database_url() -> str:
    """The same, of one that answers now: a pool would wait, and not name the cause.

    Raises:
        DatabaseAwayError: with the cause.
        NotRunningError: it is that of a hub that was cut off.
    """
    from tsuji_platform.store import DatabaseAwayError
    from tsuji_platform.store.database import connect

    url = database_url()
    try:
        connect(url).close()
    except DatabaseAwayError:
        if DatabaseSettings().database_url or not was_cut_off():
            raise
        raise NotRunningError(
            f"the hub whose data is in {instance().home} {CUT_OFF}: start it again with `tsuji up`; its "
            "data is kept"
        ) from None
    return url


@contextmanager
def database(size: int = 1) -> "Iterator[Database]":
    """The database for one command; where it can't be reached, says at once why.

    Raises:
        DatabaseAwayError: with the cause, which a pool that waits would not name.
    """
    from tsuji_platform.store import Database

    with Database(answering_database_url(), size=size) as opened:
        yield opened


def broker_address() -> BrokerAddress:
    """Address of the broker: the setting, or that of the hub that runs for this folder."""
    settings = BrokerSettings()
    return settings.address(settings.broker_url or running_address("broker", "TSUJI_BROKER_URL"))


def set_up_logging(service: str) -> None:
    """Log to standard error as the settings say, in the name of this service."""
    from tsuji_platform.insight import logs

    logs.set_up(service)
