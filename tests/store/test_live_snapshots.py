"""What has changed since a snapshot of the database: exactly that, in whatever order it was committed."""

from datetime import timedelta

import psycopg
import pytest

from samples import T0, message, registration
from tsuji_platform.store import Database, DatabaseAwayError, database
from tsuji_platform.store.clock import ClockRepair
from tsuji_platform.store.live import Live, Snapshot
from tsuji_platform.store.writer import Writer


@pytest.mark.parametrize(
    ("one", "other", "included"),
    [
        ("10:10:", "10:10:", True),
        ("10:12:", "10:10:", True),
        ("10:10:", "10:12:", False),
        ("10:12:11", "10:11:", True),  # 11 is yet to be seen by both
        ("10:12:10", "10:12:10", True),
        ("10:12:10", "10:12:11", False),
        ("10:12:10,11", "10:12:11", False),
        ("10:12:", "10:12:10,11", True),
    ],
)
def test_a_snapshot_includes_another_where_it_sees_all_that_the_other_sees(
    one: str, other: str, included: bool
) -> None:
    here, there = Snapshot.parse(one), Snapshot.parse(other)
    assert here.includes(there) == included
    seen = all(here.sees(number) for number in range(20) if there.sees(number))
    assert seen == included
    assert str(here) == one


@pytest.mark.parametrize(
    "text",
    ["", "1", "1:2", "2:1:", "1:3:5", "1:3:0", "1:3:x", "-1:3:", "1:3:2,", "1:" + "9" * 19 + ":"],
)
def test_what_is_no_snapshot_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no snapshot"):
        Snapshot.parse(text)


def test_each_change_is_told_once(store_url: str, writer: Writer) -> None:
    names = "air_temperature", "rainfall"
    ahead = T0 + timedelta(minutes=4)
    writer.save([registration("pole", *names), message("pole", T0, air_temperature=1, rainfall=1)])
    with Database(store_url, size=1) as pool:
        live = Live(pool)
        told = live.look(None)
        assert {(it.observed_property, it.result) for it in told.rows} == {
            ("air_temperature", 1.0),
            ("rainfall", 1.0),
        }

        def changes() -> dict[str, object]:
            nonlocal told
            told = live.look(told.snapshot)
            return {it.observed_property: it.result if it.declared else "gone" for it in told.rows}

        assert changes() == {}
        writer.save([message("pole", T0, air_temperature=1)])  # a duplicate
        writer.save([message("pole", T0 - timedelta(hours=1), air_temperature=9)])  # a late one
        assert changes() == {}
        writer.save([message("pole", T0, air_temperature=2)])  # a correction
        assert changes() == {"air_temperature": 2.0}
        writer.save([registration("pole", "air_temperature")])
        assert changes() == {"rainfall": "gone"}
        writer.save([registration("pole", *names)])
        assert changes() == {"rainfall": 1.0}
        writer.save([message("pole", ahead, rainfall=3)])
        assert changes() == {"rainfall": 3.0}
        repair = ClockRepair(store_url, "test")
        repair.settle_latest(T0, T0)  # the clock was wrong, and is set back
        repair.close()
        assert changes() == {"rainfall": 1.0}


def test_what_has_no_newest_any_more_is_told(store_url: str, writer: Writer) -> None:
    writer.save([registration("pole", "rainfall"), message("pole", T0, rainfall=3)])
    with Database(store_url, size=1) as pool:
        live = Live(pool)
        before = live.look(None)
        repair = ClockRepair(store_url, "test")
        repair.settle_latest(T0, T0 - timedelta(hours=1))
        repair.close()
        (row,) = live.look(before.snapshot).rows
        assert (row.time, row.result) == (None, None)
        assert live.look(None).snapshot.includes(before.snapshot)


def test_whoever_does_not_mark_changes_is_kept_out(
    store_url: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.save([registration("pole", "rainfall"), message("pole", T0, rainfall=3)])
    old = Writer(store_url, "old")
    with monkeypatch.context() as patch:
        options = "-c timezone=UTC -c tsuji.logs_changes=on"
        patch.setitem(database._EVERY_CONNECTION, "options", options)
        with pytest.raises(DatabaseAwayError, match="older version"):
            old.save([message("pole", T0, rainfall=4)])
    old.save([message("pole", T0, rainfall=4)])
    old.close()
    with psycopg.connect(store_url) as connection:
        assert connection.execute("SELECT result FROM latest").fetchall() == [(4.0,)]


def test_other_databases_have_other_names(hub_url: str, plain_server) -> None:
    with Database(hub_url, size=1) as one, Database(plain_server.url, size=1) as other:
        assert Live(one).identity() == Live(one).identity() != Live(other).identity()
