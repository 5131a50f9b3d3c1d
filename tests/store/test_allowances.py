"""Allowances: however many take at once, no more is handed out than there is, and little stays behind."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tsuji_platform.store import Database, queries
from tsuji_platform.store.keys import WINDOW, Allowances


@pytest.mark.parametrize("quota", [1, 7, 600])
def test_what_all_take_together_is_the_quota(hub_database: Database, quota: int) -> None:
    allowances = Allowances(hub_database)

    def take_all(_: int) -> int:
        taken = 0
        while (share := allowances.take("key a", quota, 12)).granted:
            taken += share.granted
        return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take_all, range(4))) == quota


def test_the_last_parts_are_small_and_subjects_are_apart(hub_database: Database) -> None:
    allowances = Allowances(hub_database)
    parts = []
    while (share := allowances.take("a", 600, 100)).granted:
        parts.append(share.granted)
        assert share.remaining == 600 - sum(parts)
        assert 0 < share.resets_in_s <= 60
    assert parts[0] == 75
    assert parts[-5:] == [1] * 5
    assert allowances.take("b", 600, 100).granted == 75


def test_a_new_minute_begins_anew_and_old_ones_are_forgotten(
    hub_database: Database, hub_url: str
) -> None:
    allowances = Allowances(hub_database)
    while allowances.take("a", 3, 3).granted:
        pass
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute("UPDATE allowance SET began_at = began_at - interval '1 minute'")
        assert allowances.take("a", 3, 1).remaining == 2
        connection.execute("UPDATE allowance SET began_at = began_at - interval '3 minutes'")
        allowances.forget_old()
        assert connection.execute("SELECT count(*) FROM allowance").fetchone() == (0,)


def test_a_smaller_quota_than_was_used_hands_out_nothing(hub_database: Database) -> None:
    allowances = Allowances(hub_database)
    while allowances.take("a", 50, 50).granted:
        pass
    share = allowances.take("a", 10, 5)
    assert (share.granted, share.remaining) == (0, 0)


def test_however_many_have_asked_all_of_it_is_forgotten(
    hub_database: Database, hub_url: str
) -> None:
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO allowance (subject, began_at, used, granted)
               SELECT 'address ' || n, now() - interval '1 hour', 1, 1
               FROM generate_series(1, 25000) AS n"""
        )
        Allowances(hub_database).forget_old()
        assert connection.execute("SELECT count(*) FROM allowance").fetchone() == (0,)


def test_a_minute_that_begins_while_old_ones_are_forgotten_counts(
    hub_database: Database, hub_url: str, eventually: Callable[..., None]
) -> None:
    allowances = Allowances(hub_database)
    allowances.take("a", 10, 1)
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute("UPDATE allowance SET began_at = began_at - interval '1 hour'")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(hub_url) as renewing:
        renewing.execute(
            queries.load("keys")["take"],
            {"subject": "a", "quota": 10, "wanted": 1, "window": WINDOW},
        )
        forgetting = pool.submit(allowances.forget_old)
        with psycopg.connect(hub_url, autocommit=True) as looking:
            eventually(
                lambda: forgetting.done() or _someone_waits(looking), what="it has met the row"
            )
        renewing.commit()
        forgetting.result()
    assert allowances.take("a", 10, 1).remaining == 8


def _someone_waits(connection: psycopg.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())
