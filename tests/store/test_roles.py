"""Each role of the database may do what its work needs, and nothing else: tried out, table by table."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from typer.testing import CliRunner

from database_logins import with_roles
from retention_steps import MONTH, NOW, drop, raw
from samples import broken
from tsuji.cli import app
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store import StoreError, migrate
from tsuji_platform.store.cover import RAW
from tsuji_platform.store.history_retention import HistoryRetention
from tsuji_platform.store.migrate import available
from tsuji_platform.store.retention import Limits, Retention
from tsuji_platform.store.roles import Purpose, lines, names_with, put_roles, rights, roles, script
from tsuji_platform.store.writer import Writer

_TABLE_OF_VIEWS = "SELECT viewname FROM pg_views WHERE schemaname = current_schema()"
_TABLES = (
    "SELECT relname, ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = pg_class.oid"
    " AND attnum > 0 AND attidentity = '' AND NOT attisdropped)"
    " FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    " ORDER BY relname"
)
_TRIED = {
    "SELECT": "SELECT FROM {table}",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "DELETE": "DELETE FROM {table} WHERE false",
    "TRUNCATE": "TRUNCATE {table}",
    "ALTER": "ALTER TABLE {table} ADD COLUMN intruder int",
    "DROP": "DROP TABLE {table}",
    "TRIGGER": "CREATE TRIGGER intruder BEFORE INSERT ON {table}"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
}

_REJECTED = Rejection(reason=Reason.BROKEN_JSON, detail="as the test says")
_UPDATE = sql.SQL("UPDATE {table} SET {column} = DEFAULT WHERE false")


def may(connection: psycopg.Connection, statement: sql.Composed | str) -> bool:
    """Whether the statement fails for nothing but rights, or not at all; nothing of it stays."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    except (
        psycopg.IntegrityError
    ):  # a row of nothing but defaults: it was looked at after the rights
        return True
    return True


@pytest.fixture(params=["timescaledb", "plain"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    return request.getfixturevalue(f"_{request.param}_store")


def test_the_rights_are_said_of_every_table_and_of_no_other(url: str) -> None:
    with_roles(url)
    with psycopg.connect(url) as connection:
        there = {row[0] for row in connection.execute(_TABLES)}
        there |= {row[0] for row in connection.execute(_TABLE_OF_VIEWS)}
    assert there == set(rights())


@pytest.mark.parametrize("purpose", Purpose)
def test_a_role_may_do_what_is_said_of_each_table_and_nothing_else(
    url: str, purpose: Purpose
) -> None:
    logins = with_roles(url)
    wrong = []
    with (
        psycopg.connect(url, autocommit=True) as owner,
        psycopg.connect(logins[purpose], autocommit=True) as connection,
    ):
        for table, columns in owner.execute(_TABLES).fetchall():
            said, name = rights()[table][purpose], sql.Identifier(table)
            for kind, statement in _TRIED.items():
                if may(connection, sql.SQL(statement).format(table=name)) != (kind in said):
                    wrong.append(f"{kind} {table}")
            _, _, some = said.partition("UPDATE (")
            for column in columns:
                wanted = column in some if some else "UPDATE" in said
                if (
                    may(connection, _UPDATE.format(table=name, column=sql.Identifier(column)))
                    != wanted
                ):
                    wrong.append(f"UPDATE {table}.{column}")
        for (view,) in owner.execute(_TABLE_OF_VIEWS).fetchall():
            wanted = "SELECT" in rights()[view][purpose]
            if may(connection, sql.SQL("SELECT FROM {}").format(sql.Identifier(view))) != wanted:
                wrong.append(f"SELECT {view}")
    assert wrong == []


@pytest.mark.parametrize("purpose", Purpose)
def test_no_role_makes_anything_of_its_own(url: str, purpose: Purpose) -> None:
    logins = with_roles(url)
    with psycopg.connect(logins[purpose], autocommit=True) as connection:
        for statement in (
            "CREATE TABLE intruder ()",
            "CREATE SCHEMA intruder",
            "CREATE FUNCTION intruder() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE ROLE intruder",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT pg_read_file('/etc/passwd')",
        ):
            assert not may(connection, statement), statement
        stages = purpose in (Purpose.INGEST, Purpose.ADMIN)
        assert may(connection, "CREATE TEMPORARY TABLE stage_of_mine ()") is stages


def test_to_grant_again_changes_nothing_and_takes_back_what_was_granted_by_hand(
    hub_url: str,
) -> None:
    with_roles(hub_url)
    assert lines(roles(hub_url)) == []
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute("GRANT DELETE ON thing TO tsuji_api")
        connection.execute("REVOKE SELECT ON area FROM tsuji_backup")
        connection.execute("GRANT CREATE ON SCHEMA public TO tsuji_admin")
        wrong = lines(roles(hub_url))
        assert [line.split(":")[0] for line in wrong] == ["api", "admin", "backup"]
        assert "DELETE on thing" in wrong[0]
        assert "lacks SELECT on area" in wrong[2]
        connection.execute("GRANT DELETE ON thing TO PUBLIC")
        connection.execute("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO tsuji_api")
        connection.execute("GRANT EXECUTE ON FUNCTION tsuji_drop_chunks TO tsuji_backup")
        wrong = lines(roles(hub_url))
        assert "ingest: it should not have DELETE on thing: `tsuji roles apply`" in wrong
        assert "api: it should not have a right to sequences: `tsuji roles apply`" in wrong
        assert any(one.startswith("backup") and "tsuji_drop_chunks" in one for one in wrong)
    put_roles(hub_url, names_with("tsuji_"))
    assert lines(roles(hub_url)) == []


def test_who_is_mighty_through_another_is_no_good(hub_url: str) -> None:
    with_roles(hub_url)
    for mighty in ("SUPERUSER", "IN ROLE pg_execute_server_program"):
        with psycopg.connect(hub_url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE of_many {mighty}")
            try:
                connection.execute("GRANT of_many TO tsuji_api")
                (line,) = lines(roles(hub_url))
                assert "superuser" in line
                with pytest.raises(StoreError, match="tsuji_api"):
                    put_roles(hub_url, names_with("tsuji_"))
            finally:
                connection.execute("DROP ROLE of_many")


def test_migrations_grant_what_they_make(
    hub_url: str, timescaledb_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(timescaledb_server.url, autocommit=True) as server:
        server.execute("CREATE DATABASE of_roles")
    url = make_conninfo(timescaledb_server.url, dbname="of_roles")
    try:
        migrate(url)
        with pytest.raises(StoreError, match="another name"):
            put_roles(url, {Purpose.API: "tsuji"})
        logins = with_roles(url, "of_another_hub_")
        later = [
            *available(),
            ("9999_later", "CREATE TABLE later (n int GENERATED ALWAYS AS IDENTITY)"),
        ]
        monkeypatch.setattr(import_module(available.__module__), "available", lambda: later)
        assert migrate(url) == ["9999_later"]
        for purpose, expected in ((Purpose.ADMIN, True), (Purpose.API, False)):
            with psycopg.connect(logins[purpose], autocommit=True) as connection:
                assert may(connection, "INSERT INTO later DEFAULT VALUES") is expected
        # the roles of one hub have no rights in the database of another
        with psycopg.connect(make_conninfo(logins[Purpose.BACKUP], dbname="of_roles")) as ours:
            ours.execute("SELECT FROM thing")
        elsewhere = conninfo_to_dict(hub_url)["dbname"]
        with psycopg.connect(
            make_conninfo(logins[Purpose.BACKUP], dbname=elsewhere), autocommit=True
        ) as connection:
            assert not may(connection, "SELECT FROM thing")
    finally:
        with psycopg.connect(timescaledb_server.url, autocommit=True) as server:
            server.execute("DROP DATABASE of_roles WITH (FORCE)")


def test_only_the_owner_of_the_tables_gives_rights(hub_url: str) -> None:
    logins = with_roles(hub_url)
    for purpose in Purpose:
        with pytest.raises(StoreError, match=r"rights|does not own"):
            put_roles(logins[purpose], names_with("tsuji_"))
        with pytest.raises(StoreError, match="rights"):
            migrate(logins[purpose])


def test_what_is_printed_for_people_does_the_same(hub_url: str) -> None:
    names = names_with("by_hand_")
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS database_role")  # as before the first time
        text = "\n".join(script(hub_url, names))
        connection.execute(text)
        assert lines(roles(hub_url)) == []
        held = connection.execute(
            "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee LIKE 'by_hand_%'"
        ).fetchone()
    assert held is not None
    assert held[0] > 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prefix", "Tsuji;"], "Tsuji;"),
        (["--password", "api"], "ROLE=FILE"),
        (["--password", "root=/dev/null"], "ingest, api, admin, backup"),
        (["--password", "api=/nowhere"], "/nowhere"),
        (["--password", "api=/dev/null"], "no ordinary file"),
        (["--password", f"api={__file__}"], "one line"),
    ],
)
def test_what_cannot_be_used_is_told_and_changes_nothing(
    hub_url: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("TSUJI_DATABASE_URL", hub_url)
    done = CliRunner().invoke(app, ["roles", "apply", *arguments])
    assert done.exit_code != 0
    assert said in f"{done.output} {done.exception}"
    assert all(one.name == "" for one in roles(hub_url))


def test_the_commands_make_and_check_roles_and_never_show_a_password(
    hub_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TSUJI_DATABASE_URL", hub_url)
    file = tmp_path / "password"
    file.write_text("hunter2-of-the-api\n")
    runner = CliRunner()
    assert runner.invoke(app, ["roles", "list"]).exit_code == 1
    done = runner.invoke(app, ["roles", "apply", "--password", f"api={file}"])
    assert done.exit_code == 0, done.output
    assert "tsuji_api" in done.output
    listed = runner.invoke(app, ["roles", "list"])
    assert listed.exit_code == 0, listed.output
    printed = runner.invoke(app, ["roles", "sql"]).output
    assert "GRANT SELECT ON TABLE" in printed
    assert "hunter2" not in done.output + listed.output + printed
    login = make_conninfo(hub_url, user="tsuji_api", password="hunter2-of-the-api")
    with psycopg.connect(login) as connection:
        connection.execute("SELECT FROM thing")
    renamed = runner.invoke(app, ["roles", "apply", "--prefix", "renamed_"])
    assert renamed.exit_code == 0, renamed.output
    assert "tsuji_api keeps its rights" in renamed.stderr
    with psycopg.connect(hub_url) as connection:
        kept = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'tsuji_api'")
        assert kept.fetchone()[0].startswith("SCRAM-SHA-256$")


def test_history_is_dropped_by_a_login_that_owns_nothing(
    gate: Writer, rest: Callable[[], None], connection: psycopg.Connection, store_url: str
) -> None:
    rest()
    logins = with_roles(store_url)
    spying, dropping = (HistoryRetention(logins[it], MONTH) for it in (Purpose.API, Purpose.INGEST))
    with pytest.raises(StoreError, match="permission denied"):
        spying.drop_some(NOW)
    before = raw(connection)
    drop(dropping)
    assert max(before) in raw(connection)
    assert min(raw(connection)) > min(before)
    gate.save([broken("a/topic", b"%d" % n, _REJECTED) for n in range(5)])
    forgetting = Retention(
        logins[Purpose.INGEST], "test", Limits(age=MONTH[RAW], messages=2, octets=9_999)
    )
    assert forgetting.forget(NOW).messages == 3
    for retention in (spying, dropping, forgetting):
        retention.close()
    with (
        psycopg.connect(logins[Purpose.INGEST]) as ours,
        pytest.raises(psycopg.errors.InvalidParameterValue, match="no table of which history"),
    ):
        ours.execute("SELECT tsuji_drop_chunks('api_key', now())")
    with psycopg.connect(logins[Purpose.API], autocommit=True) as ours:
        assert not may(ours, "SELECT tsuji_drop_chunks('observation', now())")
