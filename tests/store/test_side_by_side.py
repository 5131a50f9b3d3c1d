"""During a rolling update: services of before on the new schema, and those of now on the one of before."""

import re
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import sql

import whole_hub
from samples import after, message, registration
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.store import Database, SchemaError, migrate, pending
from tsuji_platform.store.migrate import available
from tsuji_platform.store.writer import Writer

BEFORE = "0022_live"
"""The last migration of the version before, whose statements are kept beside this file."""
_STATEMENTS = (Path(__file__).parent / "statements_of_0022.sql").read_text(encoding="utf-8")
_HEADER = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_VALUE = re.compile(r"%\((\w+)\)s")
on_plain = pytest.mark.parametrize("empty_url", ["plain"], indirect=True)
"""Where what is tested is not how the rows are kept."""


@pytest.fixture
def up_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Migrate a database, but no further than to one migration."""
    module, everything = import_module(migrate.__module__), available()

    def to(url: str, last: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(module, "available", lambda: [it for it in everything if it[0] <= last])
            migrate(url)

    return to


def understood(url: str) -> dict[str, str]:
    """What the server says to each statement of the version before: empty where it knows it all."""
    parts = _HEADER.split(_STATEMENTS)
    found = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            names: list[str] = []

            def numbered(value: re.Match[str], names: list[str] = names) -> str:
                if value[1] not in names:
                    names.append(value[1])
                return f"${names.index(value[1]) + 1}"

            statement = _VALUE.sub(numbered, body).replace("%%", "%").strip()
            prepare = sql.SQL("PREPARE it AS {}").format(sql.SQL(statement))
            try:
                connection.execute(prepare)
                connection.execute("DEALLOCATE it")
                found[name] = ""
            except psycopg.Error as error:
                found[name] = error.sqlstate or ""
    return found


def test_services_of_before_are_understood_by_the_schema_of_now(
    empty_url: str, up_to: Callable[[str, str], None]
) -> None:
    up_to(empty_url, BEFORE)
    before = understood(empty_url)
    assert (
        list(before.values()).count("") > 150
    )  # the others are not statements that can be prepared
    assert not {"42P01", "42703"} & {before[it] for it in ("reading__things", "live__look")}
    migrate(empty_url)
    assert understood(empty_url) == before


@on_plain
def test_services_of_now_work_on_the_schema_of_before(
    empty_url: str, up_to: Callable[[str, str], None], tmp_path: Path
) -> None:
    up_to(empty_url, BEFORE)
    hub = whole_hub.build(empty_url, tmp_path)
    before = whole_hub.answers(empty_url, hub)
    assert len(before) > 50
    migrate(empty_url)
    assert whole_hub.answers(empty_url, hub) == before


@on_plain
def test_on_a_schema_that_is_too_old_nothing_is_done_and_all_is_said(
    empty_url: str, up_to: Callable[[str, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    up_to(empty_url, "0019_keys")
    writer = Writer(empty_url, "ingest")
    batch = [registration("gate", "pedestrians"), message("gate", pedestrians=1)]
    with pytest.raises(SchemaError, match=r"run `tsuji migrate`"):
        writer.save(batch)
    with (
        Database(empty_url, size=2, timeout_s=60) as database,
        TestClient(create_app(Hub(database))) as api,
    ):
        answer = api.get("/v1/live?events=observations")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "run `tsuji migrate`" in caplog.text
        assert api.get("/v1/things").status_code == 200
        migrate(empty_url)
        writer.save(batch)  # neither is started anew
        writer.close()
        assert [it["id"] for it in api.get("/v1/things").json()["items"]] == ["gate"]


@on_plain
def test_a_migration_that_has_to_wait_lets_others_go_on(
    empty_url: str, up_to: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    up_to(empty_url, "0019_keys")  # the next one changes tables that all read
    told: list[str] = []
    module = import_module(migrate.__module__)
    again = threading.Event()
    monkeypatch.setattr(module, "_AGAIN_AFTER_S", 0.01)
    monkeypatch.setitem(module._SQL, "limit_waiting", "SET LOCAL lock_timeout = '50ms'")
    with (
        psycopg.connect(empty_url) as reader,
        psycopg.connect(empty_url, autocommit=True) as others,
    ):
        reader.execute("SELECT FROM latest")  # and its transaction goes on, as a download does

        def tell(line: str) -> None:
            told.append(line)
            again.set()

        thread = threading.Thread(target=migrate, args=(empty_url,), kwargs={"waiting": tell})
        thread.start()
        assert again.wait(400)
        for _ in range(5):
            others.execute("SELECT FROM latest")
        assert thread.is_alive()
        reader.rollback()
        thread.join()
    assert told[0].startswith("somebody reads or writes what is to be changed")
    with psycopg.connect(empty_url) as connection:
        connection.execute("SELECT revision FROM latest")


@on_plain
def test_a_migration_waits_for_a_backup_and_says_so_and_only_looking_waits_for_nobody(
    empty_url: str, up_to: Callable[[str, str], None]
) -> None:
    up_to(empty_url, BEFORE)
    lacking = [name for name, _ in available() if name > BEFORE]
    told, applied = [], []
    is_told = threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        is_told.set()

    thread = threading.Thread(target=lambda: applied.extend(migrate(empty_url, waiting=tell)))
    with psycopg.connect(empty_url, autocommit=True) as backup:
        backup.execute("SELECT pg_advisory_lock_shared(hashtext('tsuji migration'))")
        assert pending(empty_url) == lacking
        thread.start()
        assert is_told.wait(400)
        assert pending(empty_url) == lacking
    thread.join()
    assert (applied, len(told)) == (lacking, 1)
    assert "a backup" in told[0]


@on_plain
def test_a_migration_that_meets_a_reader_head_on_steps_aside(
    empty_url: str, up_to: Callable[[str, str], None]
) -> None:
    up_to(empty_url, "0019_keys")  # the next one changes latest, then datastream
    applied: list[str] = []
    thread = threading.Thread(target=lambda: applied.extend(migrate(empty_url)))
    with (
        psycopg.connect(empty_url) as reader,
        psycopg.connect(empty_url, autocommit=True) as watching,
    ):
        reader.execute("SET deadlock_timeout = '1h'")  # the migration is who notices
        reader.execute("SELECT FROM datastream")
        thread.start()
        while not watching.execute(
            "SELECT FROM pg_locks WHERE NOT granted AND relation = 'datastream'::regclass"
        ).fetchall():
            assert thread.is_alive()
        reader.execute("SELECT FROM latest")
        reader.rollback()
        thread.join()
    assert applied == [name for name, _ in available() if name > "0020"]


@on_plain
def test_writers_of_now_go_on_while_migrations_come(
    empty_url: str, up_to: Callable[[str, str], None]
) -> None:
    up_to(empty_url, BEFORE)
    writer = Writer(empty_url, "ingest")
    writer.save([registration("gate", "pedestrians")])
    stop, saved = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            writer.save([message("gate", after(seconds=len(saved)), 60, pedestrians=1)])
            saved.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    migrate(empty_url)
    stop.set()
    thread.join()
    writer.close()
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT count(*) FROM observation").fetchone() == (len(saved),)
