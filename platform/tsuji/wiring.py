"""What the commands share: where the database and the broker are, and how a log line looks."""

import logging
import os
import time
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


def _running(name: str, setting: str) -> str:
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


def database_url() -> str:
    """Address of the database: the setting, or that of the hub that runs for this folder."""
    return DatabaseSettings().database_url or _running("database", "TSUJI_DATABASE_URL")


def answering_database_url() -> str:
    """The same, of one that answers now: a pool would wait, and not name the cause.

    Raises:
        DatabaseAwayError: with the cause.
    """
    from tsuji_platform.store.database import connect

    url = database_url()
    connect(url).close()
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
    return BrokerAddress.parse(
        BrokerSettings().broker_url or _running("broker", "TSUJI_BROKER_URL")
    )


def set_up_logging() -> None:
    """Log to standard error, one line a message, times in UTC."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=RuntimeSettings().log_level.upper(),
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        force=True,
    )
    for noisy in ("httpx", "httpcore", "psycopg.pool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
