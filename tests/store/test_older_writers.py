"""Whoever writes without the log of changes is kept out, and what was written without it can be mended."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module

import psycopg
import pytest
from typer.testing import CliRunner

from rollup_check import assert_exact, refresh_to_rest
from samples import T0, message, registration
from tsuji.cli import app
from tsuji_platform.store import DatabaseAwayError, Refresher, database, migrate
from tsuji_platform.store.migrate import available
from tsuji_platform.store.writer import Writer

_OLD_OPTIONS = "-c timezone=UTC"


def roll_up(url: str) -> None:
    refresher = Refresher(url)
    refresh_to_rest(refresher)
    refresher.close()


def test_a_writer_of_an_older_version_waits_as_if_the_database_were_away(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Writer(store_url, "ingest")
    new.save([registration("gate", "pedestrians"), message("gate", T0, 300, pedestrians=1)])
    new.close()
    old = Writer(store_url, "ingest")
    minute = timedelta(minutes=1)
    fast = [message("gate", T0 + minute, 300, pedestrians=2)]
    correction = [message("gate", T0, 300, pedestrians=3)]
    with monkeypatch.context() as patch:
        patch.setitem(database._EVERY_CONNECTION, "options", _OLD_OPTIONS)
        for batch in (fast, correction):
            with pytest.raises(DatabaseAwayError, match="tsuji ingest is of an older version"):
                old.save(batch)
    old.close()
    with psycopg.connect(store_url) as connection:
        assert connection.execute("SELECT result FROM observation").fetchall() == [(1,)]
    for batch in (fast, correction):  # replaced by this version
        new.save(batch)
    new.close()
    roll_up(store_url)
    with psycopg.connect(store_url, options=_OLD_OPTIONS) as connection:
        assert_exact(connection)


def test_what_an_older_writer_has_under_way_is_rolled_up(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = [one for one in available() if one[0] < "0004"]
    with monkeypatch.context() as patch:
        patch.setattr(import_module(available.__module__), "available", lambda: older)
        migrate(empty_url)
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(empty_url, autocommit=True, options=_OLD_OPTIONS) as watching,
        psycopg.connect(empty_url, application_name="tsuji ingest") as old,
    ):
        old.execute(
            "INSERT INTO thing (thing_id, name, name_en, kind, longitude, latitude, owner)"
            " VALUES ('gate', '', '', 'footfall_counter', 0, 0, '')"
        )
        old.execute(
            "INSERT INTO datastream (thing_id, observed_property) VALUES ('gate', 'pedestrians')"
        )
        old.execute(
            "INSERT INTO observation SELECT datastream_id, 300, %s, 5 FROM datastream", (T0,)
        )
        migrated = pool.submit(migrate, empty_url)
        waiting = "SELECT FROM pg_locks WHERE relation = 'observation'::regclass AND NOT granted"
        while not watching.execute(waiting).fetchall():
            assert not migrated.done(), migrated.result()
        old.commit()
        migrated.result(timeout=400)
        roll_up(empty_url)
        assert watching.execute("SELECT n, total FROM rollup_day").fetchall() == [(1, 5)]


def test_what_was_written_without_the_log_is_rolled_up_again_on_demand(
    store_url: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.save([registration("gate", "pedestrians"), message("gate", T0, 300, pedestrians=1)])
    roll_up(store_url)
    with psycopg.connect(store_url, autocommit=True, options=_OLD_OPTIONS) as connection:
        connection.execute("UPDATE observation SET result = 7")
        roll_up(store_url)
        with pytest.raises(AssertionError):
            assert_exact(connection)
        monkeypatch.setenv("TSUJI_DATABASE_URL", store_url)
        told = CliRunner().invoke(app, ["migrate", "--roll-up-again"])
        assert (told.exit_code, told.output.split()[0]) == (0, "1"), told.output
        roll_up(store_url)
        assert_exact(connection)
