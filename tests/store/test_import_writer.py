"""Imported rows go in as messages' do, on both kinds of database, and their progress with them."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tsuji_platform.contract import Observation, Thing, decode_thing
from tsuji_platform.imports.blocks import Lines
from tsuji_platform.imports.files import FileRows, ReadingOptions
from tsuji_platform.imports.rehearsal import rehearse
from tsuji_platform.imports.rows import Place
from tsuji_platform.imports.run import Importer, Rules
from tsuji_platform.store import DatabaseAwayError, Refresher, StoreError
from tsuji_platform.store.imports import ImportProgress, ImportTakenError, ImportWriter
from tsuji_platform.store.records import Received
from tsuji_platform.store.writer import Writer

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_THING = Thing(
    thing_id="a",
    name="a",
    longitude=139.7,
    latitude=35.7,
    datastreams=("air_temperature", "pedestrians_in"),
)
_TABLES = (
    "SELECT * FROM observation ORDER BY 1, 3",
    "SELECT datastream_id, phenomenon_time, result, period_s FROM latest ORDER BY 1",
    "SELECT * FROM rollup_5min ORDER BY 1, 3",
    "SELECT * FROM rollup_hour ORDER BY 1, 3",
    "SELECT * FROM rollup_day ORDER BY 1, 3",
)


@pytest.fixture
def importer(store_url: str) -> Iterator[ImportWriter]:
    writer = ImportWriter(store_url)
    writer.register([_THING])
    yield writer
    writer.close()


def _file(folder: Path, values: list[tuple[int, str, float]], name: str = "a.csv") -> Path:
    path = folder / name
    rows = [
        f"a,{name},{(_BEGIN + timedelta(minutes=minute)).isoformat()},{value},"
        f"{60 if name == 'pedestrians_in' else ''}\n"
        for minute, name, value in values
    ]
    path.write_text("thing,observed_property,time,result,period_s\n" + "".join(rows))
    return path


def _import(
    writer: ImportWriter, path: Path, *, keep: bool = False, max_errors: int | None = None
) -> ImportProgress:
    with FileRows(path, ReadingOptions()) as file:
        progress = writer.begin(str(file.identity(keep)), path.name, f"{path}.rejected.csv")
        if progress.finished_at is not None:
            return progress
        rules = Rules(keep=keep, max_errors=max_errors)
        return Importer(writer, rules, threading.Event()).run(
            file.rows, progress, path, lambda _: None
        )


def _read(url: str) -> list[list[tuple[object, ...]]]:
    refresher = Refresher(url)
    while refresher.refresh():
        pass
    refresher.close()
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        return [connection.execute(query).fetchall() for query in _TABLES]


def _counters(url: str) -> dict[str, tuple[int, ...]]:
    with psycopg.connect(url) as connection:
        return {
            row[0]: row[1:]
            for row in connection.execute(
                "SELECT ingest_id, received, stored, duplicate, corrected, rejected FROM ingest_counter"
            )
        }


_VALUES = [
    *((minute, "air_temperature", float(minute % 30)) for minute in range(3_000)),
    *((minute, "pedestrians_in", minute % 7) for minute in range(0, 3_000, 5)),
    (10, "air_temperature", 10.0),  # once more
    (11, "air_temperature", 12.5),  # a correction
]


def test_an_import_leaves_what_messages_leave(
    importer: ImportWriter, store_url: str, tmp_path: Path
) -> None:
    done = _import(importer, _file(tmp_path, _VALUES))
    assert (done.stored, done.duplicate, done.corrected, done.rejected) == (3_600, 1, 1, 0)
    imported = _read(store_url)
    with psycopg.connect(store_url) as connection:
        connection.execute("TRUNCATE observation, latest, rollup_5min, rollup_hour, rollup_day")
    writer = Writer(store_url, "live")
    for start in range(0, len(_VALUES), 500):
        observations = [
            Observation(
                thing_id="a",
                observed_property=name,
                phenomenon_time=_BEGIN + timedelta(minutes=minute),
                result=value,
                period_s=60 if name == "pedestrians_in" else None,
            )
            for minute, name, value in _VALUES[start : start + 500]
        ]
        writer.save(
            [Received(topic="", payload=b"", received_at=_BEGIN, observations=observations)]
        )
    writer.close()
    assert _read(store_url) == imported
    counters = _counters(store_url)
    assert counters["import"] == counters["live"] == (3_602, 3_600, 1, 1, 0)


def test_other_values_replace_unless_what_is_there_is_to_stay(
    importer: ImportWriter, store_url: str, tmp_path: Path
) -> None:
    first = [(minute, "air_temperature", 1.0) for minute in range(10)]
    second = [(minute, "air_temperature", 1.0 if minute < 8 else 2.0) for minute in range(12)]
    _import(importer, _file(tmp_path, first))
    before = _read(store_url)[0]
    kept = _import(importer, _file(tmp_path, second), keep=True)
    assert (kept.stored, kept.duplicate, kept.corrected, kept.kept) == (2, 10, 0, 2)
    assert _read(store_url)[0][:10] == before
    replaced = _import(importer, _file(tmp_path, second))
    assert (replaced.stored, replaced.duplicate, replaced.corrected) == (0, 10, 2)
    assert [row[3] for row in _read(store_url)[0]] == [1.0] * 8 + [2.0] * 4
    assert _read(store_url)[1][0][2] == 2.0


def test_a_rehearsal_writes_nothing_and_says_what_an_import_does(
    importer: ImportWriter, store_url: str, tmp_path: Path
) -> None:
    _import(importer, _file(tmp_path, [(minute, "air_temperature", 1.0) for minute in range(10)]))
    before, counters = _read(store_url), _counters(store_url)
    values = [(minute, "air_temperature", 2.0 if minute == 3 else 1.0) for minute in range(15)]
    values += [(1, "rainfall", 1.0), (2, "wind_speed", 1.0), (3, "wind_speed", -5.0)]
    path = _file(tmp_path, values)
    described = Thing(
        thing_id="a", name="a", longitude=139.7, latitude=35.7, datastreams=("rainfall",)
    )
    with FileRows(path, ReadingOptions()) as file:
        found = rehearse(importer, file.rows(Place()), {"a": described}, lambda _: None)
    assert (found.rows, found.stored, found.duplicate, found.corrected) == (18, 6, 9, 1)
    assert {reason: one.count for reason, one in found.reasons.items()} == {
        "undeclared_datastream": 1,
        "implausible_value": 1,
    }
    assert (found.registers, found.things) == ({"a"}, {"a"})
    assert (_read(store_url), _counters(store_url)) == (before, counters)
    with psycopg.connect(store_url) as connection:
        assert connection.execute("SELECT count(*) FROM import_progress").fetchall() == [(1,)]


def test_two_at_the_same_time_never_do_the_same_rows(
    importer: ImportWriter, store_url: str, tmp_path: Path
) -> None:
    path = _file(tmp_path, [(minute, "air_temperature", 1.0) for minute in range(1_000)])
    with FileRows(path, ReadingOptions()) as file:
        begun = importer.begin(str(file.identity(False)), "a.csv", "x")
    assert _import(ImportWriter(store_url), path).stored == 1_000
    with (
        FileRows(path, ReadingOptions()) as file,
        pytest.raises(ImportTakenError, match="imports a"),
    ):
        Importer(importer, Rules(), threading.Event()).run(file.rows, begun, path, lambda _: None)
    assert _counters(store_url)["import"] == (1_000, 1_000, 0, 0, 0)


def test_who_imports_a_file_keeps_all_others_from_it(
    importer: ImportWriter, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tsuji_platform.store.imports._CLAIM_WITHIN_S", 0.0)
    other = ImportWriter(store_url)

    def try_it() -> str:
        with pytest.raises(ImportTakenError) as refused, other.claimed("x", "a.csv"):
            pytest.fail("both have it")
        return str(refused.value)

    with psycopg.connect(store_url, autocommit=True) as connection, importer.claimed("x", "a.csv"):
        assert f"process {os.getpid()} on " in try_it()
        assert "another process imports a.csv at this moment" in try_it()
        with other.claimed("y", "b.csv"):
            pass
        # whoever lost the connection has it again with the next one
        connection.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'tsuji import%' AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
        other.close()
        with pytest.raises(DatabaseAwayError):
            importer.find("x")
        importer.find("x")
        assert "process" in try_it()
    with other.claimed("x", "a.csv"):
        importer.find("x")
        monkeypatch.setattr("tsuji_platform.store.imports._CLAIM_WITHIN_S", 120.0)
        leaver = threading.Timer(0.5, other.close)  # a process that ends is not waited for in vain
        leaver.start()
        with importer.claimed("x", "a.csv"):
            pass
        leaver.join()
    other.close()


def test_an_import_outlives_a_database_that_drops_its_connections(
    importer: ImportWriter,
    store_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tsuji_platform.imports.run._PAUSE_S", 0.01)
    path = _file(tmp_path, [(minute, "air_temperature", 1.0) for minute in range(2_000)])
    monkeypatch.setattr("tsuji_platform.imports.files.Lines", lambda source: Lines(source, 4_000))
    batches = 0

    def drop(_: ImportProgress) -> None:
        nonlocal batches
        batches += 1
        with psycopg.connect(store_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                " WHERE application_name = 'tsuji import' AND datname = current_database()"
            )

    with FileRows(path, ReadingOptions()) as file:
        progress = importer.begin("x", "a.csv", f"{path}.rejected.csv")
        done = Importer(importer, Rules(), threading.Event()).run(file.rows, progress, path, drop)
    assert batches > 10
    assert (done.stored, done.finished_at is not None) == (2_000, True)
    assert _counters(store_url)["import"] == (2_000, 2_000, 0, 0, 0)


def test_too_many_errors_stop_an_import_and_more_patience_goes_on_with_it(
    importer: ImportWriter, tmp_path: Path
) -> None:
    values = [(minute, "air_temperature", 99.0 if minute % 2 else 1.0) for minute in range(100)]
    path = _file(tmp_path, values)
    apart = tmp_path / "a.csv.rejected.csv"
    for _ in range(2):  # without more patience it stays where it is
        stopped = _import(importer, path, max_errors=10)
        assert stopped.finished_at is None
        assert (stopped.rows_done, stopped.stored, stopped.rejected) == (20, 10, 10)
        assert len(apart.read_text().splitlines()) == 11
    assert stopped.reasons["implausible_value"].first_line == 3
    assert _import(importer, path, max_errors=49).finished_at is None
    done = _import(importer, path, max_errors=50)  # which are all
    assert (done.finished_at is not None, done.stored, done.rejected) == (True, 50, 50)
    lines = apart.read_text().splitlines()
    assert len(lines) == 51
    assert lines[1].startswith("3,implausible_value,")


def test_things_are_registered_beside_what_they_list_already(
    importer: ImportWriter, store_url: str
) -> None:
    more = decode_thing(
        "a", b'{"location":{"type":"Point","coordinates":[139,35]},"datastreams":["rainfall"]}'
    )
    assert importer.register([more], add=True)
    keys = importer.keys([("a", "air_temperature"), ("a", "rainfall"), ("b", "rainfall")])
    assert [isinstance(key, int) for key in keys] == [True, True, False]
    assert not importer.register([more], add=True)


def test_a_database_that_lacks_the_migration_is_said_to(
    importer: ImportWriter, store_url: str
) -> None:
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE import_progress RENAME TO other")
        try:
            with pytest.raises(StoreError, match="tsuji migrate"):
                importer.begin("x", "y", "z")
        finally:
            connection.execute("ALTER TABLE other RENAME TO import_progress")
