"""A backup brings all of a hub back, on whatever PostgreSQL; a damaged one does no harm."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from unittest.mock import ANY

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import whole_hub
from database_logins import with_roles
from export_city import Run, on_timescaledb
from rollup_check import assert_exact, refresh_to_rest
from samples import RECEIVED, after, message, registration
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store import ConflictError, Database, Reader, Refresher, SchemaError, migrate
from tsuji_platform.store.backup import back_up, note
from tsuji_platform.store.backup_archive import ArchiveError, ArchiveReader
from tsuji_platform.store.backup_restore import NotEmptyError, Restored, restore
from tsuji_platform.store.backup_tables import LEFT_OUT
from tsuji_platform.store.migrate import available, made_by_us
from tsuji_platform.store.roles import Purpose
from tsuji_platform.store.writer import Writer

NO_PART = {"allowance", *LEFT_OUT}
"""Our tables that backups don't hold."""
on_plain = pytest.mark.parametrize("store_url", ["plain"], indirect=True)


def backed_up(url: str) -> bytes:
    file = io.BytesIO()
    back_up(url, file, lambda _table, _size: None)
    return file.getvalue()


def brought_back(url: str, archive: bytes, **more: bool) -> Restored:
    return restore(url, ArchiveReader(io.BytesIO(archive), "it"), lambda _table: None, **more)


def content(url: str) -> dict[str, tuple[int, str]]:
    held = set(made_by_us()) - NO_PART
    return {name: it for name, it in whole_hub.sums(url).items() if name in held}


def kind_of(url: str) -> str:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT FROM pg_available_extensions WHERE name = 'timescaledb'"
        ).fetchall()
    return "timescaledb" if found else "plain"


@pytest.fixture
def empty(
    timescaledb_server: PrivateServer, plain_server: PrivateServer
) -> Iterator[Callable[[str], str]]:
    """Makes databases with nothing in them, not even a schema."""
    servers = {"timescaledb": timescaledb_server, "plain": plain_server}
    made = []

    def make(kind: str) -> str:
        name = f"restored_{len(made)}"
        with psycopg.connect(servers[kind].url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        made.append((servers[kind].url, name))
        return make_conninfo(servers[kind].url, dbname=name)

    yield make
    for url, name in made:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@on_timescaledb
def test_everything_comes_back_on_either_kind_and_answers_are_the_same(
    store_url: str, empty: Callable[[str], str], tmp_path: Path
) -> None:
    hub = whole_hub.build(store_url, tmp_path)
    before, answers = content(store_url), whole_hub.answers(store_url, hub)
    assert {name for name, (rows, _) in before.items() if not rows} == set()
    assert set(before) == set(made_by_us()) - NO_PART
    plain, timescaledb = empty("plain"), empty("timescaledb")
    for source, target in ((store_url, plain), (plain, timescaledb)):
        archive = backed_up(source)
        done = brought_back(target, archive)
        assert content(target) == before
        assert done.rows == {name: rows for name, (rows, _) in before.items()}
        assert done.migrated == []
        assert whole_hub.answers(target, hub) == answers
    migrate(timescaledb)  # has nothing left to do
    writer = Writer(timescaledb, "test")  # numbers go on behind those that there are
    writer.save([registration("new", "air_temperature"), message("new", air_temperature=1)])
    writer.close()
    with psycopg.connect(timescaledb) as connection:
        hypertables = "SELECT count(*) FROM timescaledb_information.hypertables"
        assert connection.execute(hypertables).fetchone() == (3,)
        ids = connection.execute("SELECT datastream_id FROM datastream").fetchall()
        assert len(set(ids)) == before["datastream"][0] + 1


def test_a_backup_that_is_made_while_ingest_writes_is_as_of_one_moment(
    store_url: str, empty: Callable[[str], str]
) -> None:
    writer = Writer(store_url, "test")
    writer.save([registration(f"gate-{n}", "pedestrians") for n in range(20)])
    stop, login = threading.Event(), with_roles(store_url)[Purpose.BACKUP]
    number = iter(range(10**6))

    def write() -> None:
        while not stop.is_set():
            minute = next(number)
            writer.save(
                [message(f"gate-{n}", after(minutes=minute % 5_000), pedestrians=minute % 7)
                 for n in range(20)]
            )  # fmt: skip

    thread = threading.Thread(target=write)
    thread.start()
    try:
        archives = [backed_up(login) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
        writer.close()
    note(login, RECEIVED, len(archives[0]), "here")
    url = empty(kind_of(store_url))
    for archive in archives:
        brought_back(url, archive, replace=True)
        with psycopg.connect(url, autocommit=True) as connection, Database(url, size=1) as database:
            (rows,) = connection.execute("SELECT count(*) FROM observation").fetchone()
            tally = Reader(database).counters().tally
            assert tally.balanced()
            assert (tally.stored, tally.messages % 20) == (rows, 0)
            newest = "SELECT count(DISTINCT phenomenon_time) FROM latest"
            assert connection.execute(newest).fetchone()[0] <= 1
            refresher = Refresher(url)
            refresh_to_rest(refresher)
            refresher.close()
            assert_exact(connection)


@on_plain
def test_what_is_damaged_cut_or_altered_is_refused_and_nothing_changes(
    store_url: str, empty: Callable[[str], str], tmp_path: Path
) -> None:
    whole_hub.build(store_url, tmp_path)
    archive, before = backed_up(store_url), whole_hub.sums(store_url)
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        members = list(opened)
    places = [it.offset_data + it.size // 2 for it in members if it.size]
    places += [it.offset + 5 for it in members[:: len(members) // 4]]  # and names
    damaged = [
        archive[:place] + bytes([archive[place] ^ 0x55]) + archive[place + 1 :] for place in places
    ]
    cut = [archive[: len(archive) * n // 7] for n in range(7)] + [archive[: members[-1].offset]]
    swapped = altered(archive, lambda parts: [*parts[:2], *reversed(parts[2:-1]), parts[-1]])
    without = altered(archive, lambda parts: [*parts[:3], *parts[4:]])
    stranger = b"PK\x03\x04" + bytes(2_000)
    odd = [
        altered(archive, with_header({key: "x"})) for key in ("GNU.sparse.map", "GNU.sparse.size")
    ]
    for one in (*damaged, *cut, swapped, without, stranger, *odd):
        with pytest.raises(ArchiveError, match=r"^it "):
            ArchiveReader(io.BytesIO(one), "it").verify()
    for one in (damaged[0], damaged[len(members) // 2], damaged[-1], cut[5], cut[-1], swapped):
        with pytest.raises(ArchiveError):
            brought_back(store_url, one, replace=True)
        assert whole_hub.sums(store_url) == before
    ArchiveReader(io.BytesIO(archive), "it").verify()
    fresh = empty("plain")
    with pytest.raises(ArchiveError):
        brought_back(fresh, cut[-1])
    assert whole_hub.sums(fresh) == {}  # not even the schema


def within(archive: bytes, name: str) -> int:
    """A place in the middle of a member."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        member = opened.getmember(name)
        return member.offset_data + member.size // 2


def altered(archive: bytes, change: Callable[[list], list]) -> bytes:
    """The archive with other members, in other places."""
    file = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as old,
        tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as new,
    ):
        for member, data in change([(it, old.extractfile(it).read()) for it in old]):
            new.addfile(member, io.BytesIO(data))
    return file.getvalue()


def with_header(header: dict[str, str]) -> Callable[[list], list]:
    """Of a change that gives the first member a header of its own."""

    def change(parts: list) -> list:
        parts[0][0].pax_headers = header
        return parts

    return change


@on_plain
def test_what_is_there_already_is_dropped_only_on_demand_and_by_nobody_else_in_use(
    store_url: str, tmp_path: Path
) -> None:
    writer = Writer(store_url, "test")
    writer.save([registration("old", "air_temperature"), message("old", air_temperature=1)])
    archive, before = backed_up(store_url), content(store_url)
    with pytest.raises(NotEmptyError, match=r"not empty: it holds what a hub has kept.*--replace"):
        brought_back(store_url, archive)
    writer.save([registration("new", "rainfall"), message("new", rainfall=2)])
    with psycopg.connect(store_url) as connection:
        (version,) = connection.execute("SELECT version FROM registry").fetchone()
    brought_back(store_url, archive, replace=True)
    now = content(store_url)
    assert {name for name in before if now[name] != before[name]} == {"registry"}
    with psycopg.connect(store_url) as connection:
        (later,) = connection.execute("SELECT version FROM registry").fetchone()
        assert later > version  # whoever remembers things looks again
    writer.save([message("old", after(minutes=1), air_temperature=3)])
    with psycopg.connect(store_url) as connection:
        assert connection.execute("SELECT count(*) FROM observation").fetchone() == (2,)
    writer.close()


def test_a_target_that_is_refused_is_left_as_it_was_down_to_its_extensions(
    hub_url: str, empty: Callable[[str], str]
) -> None:
    archive = backed_up(hub_url)
    full, other, noted = (empty("timescaledb") for _ in range(3))
    migrate(full, timescaledb=False)
    with psycopg.connect(full) as connection:
        connection.execute(
            "INSERT INTO thing (thing_id, name, kind, longitude, latitude)"
            " VALUES ('gate', '改札', 'footfall_counter', 139.69, 35.69)"
        )
    with psycopg.connect(other) as connection:
        connection.execute("CREATE TABLE thing (of_another_program text)")
        connection.execute("CREATE VIEW observation AS SELECT of_another_program FROM thing")
    with psycopg.connect(noted) as connection:
        connection.execute("CREATE TABLE migration (version text)")
    for url, kind, said in (
        (full, NotEmptyError, "not empty"),
        (other, NotEmptyError, r"names that Tsuji wants for its own: observation, thing\. "),
        (noted, SchemaError, "table migration that Tsuji has not made.* a database of its own"),
    ):
        with pytest.raises(kind, match=said):
            brought_back(url, archive)
        with psycopg.connect(url) as connection:
            extensions = connection.execute("SELECT extname FROM pg_extension").fetchall()
        assert extensions == [("plpgsql",)]
    assert set(whole_hub.sums(other)) == {"thing"}
    with pytest.raises(SchemaError, match="table migration that Tsuji has not made"):
        migrate(noted, timescaledb=False)


@on_plain
def test_a_database_in_use_is_left_alone(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = backed_up(store_url)
    module = import_module(restore.__module__)
    monkeypatch.setitem(module._SQL, "limit_waiting", "SET LOCAL lock_timeout = '50ms'")
    with psycopg.connect(store_url) as connection:
        connection.execute("SELECT FROM observation")
        with pytest.raises(ConflictError, match="in use: stop ingest"):
            brought_back(store_url, archive, replace=True)


@pytest.fixture
def as_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets this version know migrations up to one only, as an older version did."""

    def know(last: str) -> None:
        older = [one for one in available() if one[0] <= last]
        for function in (available, back_up, restore, made_by_us):
            module = import_module(function.__module__)
            if hasattr(module, "available"):
                monkeypatch.setattr(module, "available", lambda: older)

    return know


_OLD = """
INSERT INTO thing (thing_id, name, kind, longitude, latitude)
VALUES ('gate', '改札', 'footfall_counter', 139.69, 35.69);
INSERT INTO datastream (thing_id, observed_property) VALUES ('gate', 'pedestrians');
INSERT INTO observation SELECT 1, 300, '2026-01-01Z'::timestamptz + n * interval '5 min', n
FROM generate_series(1, 1000) AS n;
"""


def test_a_backup_of_an_older_version_is_brought_up_to_date_and_one_of_a_newer_is_refused(
    empty_url: str,
    empty: Callable[[str], str],
    as_of: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = kind_of(empty_url)
    with monkeypatch.context():
        as_of("0001_things_observations_areas")
        migrate(empty_url)
        with psycopg.connect(empty_url) as connection:
            connection.execute(_OLD)
        archive, before = backed_up(empty_url), whole_hub.sums(empty_url)
    monkeypatch.undo()
    url = empty(kind)
    done = brought_back(url, archive)
    assert done.migrated == [name for name, _ in available() if name > "0002"]
    now = whole_hub.sums(url)
    assert {name: now[name] for name in ("thing", "observation")} == {
        name: before[name] for name in ("thing", "observation")
    }
    assert now["changed"][0] == 1  # it is rolled up, as after every migration
    with pytest.raises(NotEmptyError, match="create a new, empty database"):
        brought_back(url, archive, replace=True)
    newest = backed_up(url)
    as_of("0001_things_observations_areas")
    with pytest.raises(ArchiveError, match="does not know: use that version, or a newer one"):
        brought_back(empty(kind), newest)


@on_plain
def test_killed_anywhere_a_restore_leaves_what_was_and_a_backup_no_half_file(
    store_url: str,
    environment: dict[str, str],
    tsuji: Run,
    tmp_path: Path,
    eventually: Callable[..., None],
) -> None:
    writer = Writer(store_url, "test")
    writer.save([registration("pole-0", "air_temperature")])
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO observation SELECT 1, NULL, %s + n * interval '1 s', (n * 7919 %% 1009) * 0.01"
            " FROM generate_series(1, 30000) AS n",
            [after()],
        )
    done = tsuji("backup", "it.tsuji-backup")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "it.tsuji-backup"
    assert file.stat().st_mode & 0o777 == 0o600
    with psycopg.connect(store_url) as connection:
        row = connection.execute(
            "SELECT bytes, target, ended >= started FROM backup_run"
        ).fetchone()
    assert row == (file.stat().st_size, str(file), True)
    draft = tmp_path / "it.tsuji-backup.partial"
    draft.write_bytes(bytes(100_000))  # as a kill leaves it, but for whom it lets read
    draft.chmod(0o666)
    done = tsuji("backup", "--force", "it.tsuji-backup")
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    draft.hardlink_to(file)
    refused = tsuji("backup", "--force", "it.tsuji-backup")
    assert (refused.returncode, b"not ours to write: remove it" in refused.stderr) == (1, True)
    draft.unlink()
    again = tsuji("backup", "it.tsuji-backup")
    assert (again.returncode, b"--force" in again.stderr) == (1, True)
    assert list(tmp_path.glob("*.partial")) == []
    writer.save([message("pole-0", after(days=1), air_temperature=7)])
    writer.close()
    before, archive = whole_hub.sums(store_url), file.read_bytes()

    restoring = [sys.executable, "-m", "tsuji", "restore", "-", "--replace"]
    with subprocess.Popen(restoring, stdin=subprocess.PIPE, env=environment) as process:
        process.stdin.write(archive[: within(archive, "tables/observation/000001.copy.zst")])
        process.stdin.flush()
        with psycopg.connect(store_url, autocommit=True) as connection:
            under_way = (
                "SELECT FROM pg_stat_activity WHERE application_name = 'tsuji restore'"
                " AND query LIKE 'COPY%' AND state = 'active'"
            )
            eventually(lambda: connection.execute(under_way).fetchall(), within=120)
        os.kill(process.pid, signal.SIGKILL)
    assert whole_hub.sums(store_url) == before

    told = tsuji("restore", "--verify", file)
    assert (told.returncode, b"is whole: " in told.stdout) == (0, True), told.stderr
    refused = tsuji("restore", file)
    assert (refused.returncode, b"not empty" in refused.stderr) == (1, True)
    done = tsuji("restore", "--replace", file)
    assert done.returncode == 0, done.stderr
    assert whole_hub.sums(store_url)["observation"] == (before["observation"][0] - 1, ANY)


@on_plain
def test_a_backup_goes_through_a_pipe(
    store_url: str, environment: dict[str, str], tsuji: Run
) -> None:
    writer = Writer(store_url, "test")
    writer.save([registration("old", "air_temperature"), message("old", air_temperature=1)])
    writer.close()
    before = content(store_url)
    shell = '"$0" -m tsuji backup - | "$0" -m tsuji restore - --verify'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable], env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert "standard input is whole: " in done.stdout
    assert " rows of " in done.stderr
    assert content(store_url) == before
    with psycopg.connect(store_url) as connection:
        assert connection.execute("SELECT target FROM backup_run").fetchall() == [("-",)]
    gone = subprocess.run(
        ["sh", "-c", '"$0" -m tsuji backup - | true', sys.executable],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in gone.stderr
    with Path("/dev/full").open("wb") as full:
        failed = subprocess.run(
            [sys.executable, "-m", "tsuji", "backup", "-"],
            env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert failed.returncode == 1
    assert failed.stderr.startswith("tsuji: standard output can't be written: No space left")
    assert "Traceback" not in failed.stderr
