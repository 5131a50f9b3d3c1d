"""Listeners learn of commits, of all of them that matter and of no other."""

import time
from itertools import takewhile

import psycopg
import pytest

from samples import after, message, registration
from tsuji_platform.store import DatabaseAwayError, changes
from tsuji_platform.store.writer import Writer


def test_every_commit_that_changes_something_wakes(writer: Writer, store_url: str) -> None:
    heard = changes(store_url, heartbeat_s=30)
    assert next(heard) is True  # anything may have happened before
    writer.save([registration("pole")])
    assert next(heard) is True
    writer.save([message("pole", air_temperature=1)])
    assert next(heard) is True
    writer.save([message("pole", air_temperature=2)])  # a correction
    assert next(heard) is True
    heard.close()


def test_quiet_times_are_told_apart(writer: Writer, store_url: str) -> None:
    writer.save([registration("pole"), message("pole", air_temperature=1)])
    heard = changes(store_url, heartbeat_s=0.2)
    assert next(heard) is True
    writer.save([message("pole", air_temperature=1), message("ghost", air_temperature=1)])
    assert next(heard) is False  # a duplicate and a rejected one are no change
    heard.close()


def test_commits_in_between_are_folded_into_one(writer: Writer, store_url: str) -> None:
    heard = changes(store_url, heartbeat_s=1)
    next(heard)
    writer.save([registration("pole")])
    for minute in range(20):
        writer.save([message("pole", after(minutes=minute), air_temperature=1)])
    woken, deadline = 0, time.monotonic() + 120
    while not woken:  # the first may be on its way for longer than a heartbeat
        assert time.monotonic() < deadline, "no commit has woken the listener"
        woken = len(list(takewhile(bool, heard)))
    assert woken < 20  # how many at once is the server's choice
    heard.close()


def test_a_listener_whose_connection_ends_is_told(writer: Writer, store_url: str) -> None:
    heard = changes(store_url, heartbeat_s=30)
    next(heard)
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'tsuji listen' AND datname = current_database()"
        )
    with pytest.raises(DatabaseAwayError):
        next(heard)
