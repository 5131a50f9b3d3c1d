"""Why a series has gaps: what was not there yet or no longer, silent, or refused."""

from datetime import timedelta

import psycopg
import pytest

from rollup_check import refresh_to_rest
from samples import T0, after, broken, message, received_at, registration
from tsuji_platform.analytics.gaps import gaps
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.store import Database
from tsuji_platform.store.history import History
from tsuji_platform.store.rollups import Refresher
from tsuji_platform.store.writer import Writer


def reasons(
    database: Database, thing_id: str, name: str, *, hours: int = 6
) -> list[tuple[float, float, str]]:
    """Gaps of the hours after `T0`, as hours."""
    hour = timedelta(hours=1)
    history = History(database)
    asked = [thing_id], [name], T0, after(hours=hours), hour
    observed = {it.end for it in history.steps(*asked)}
    ends = [after(hours=n) for n in range(1, hours + 1)]
    found = gaps(ends, hour, observed, history.evidence(*asked))
    return [((it.start - T0) / hour, (it.end - T0) / hour, it.reason.value) for it in found]


@pytest.mark.parametrize("refreshed", [False, True])
def test_before_its_first_observation_there_is_no_datastream_and_then_it_is_silent(
    writer: Writer, database: Database, refresher: Refresher, refreshed: bool
) -> None:
    writer.save([registration(name, "pm2_5", "wind_speed") for name in ("new", "old", "never")])
    writer.save(
        [message("new", after(hours=3), pm2_5=1), message("old", after(hours=-50), pm2_5=1)]
    )
    if refreshed:
        refresh_to_rest(refresher)
    assert reasons(database, "new", "pm2_5") == [(0, 2, "none"), (3, 6, "silent")]
    assert reasons(database, "old", "pm2_5") == [(0, 6, "silent")]
    assert reasons(database, "never", "pm2_5") == [(0, 6, "none")]  # registered today
    assert reasons(database, "nobody", "pm2_5") == [(0, 6, "none")]


def test_a_registered_thing_is_silent_until_it_speaks(
    writer: Writer, database: Database, connection: psycopg.Connection
) -> None:
    writer.save([registration("pole", "pm2_5")])
    connection.execute("UPDATE thing SET registered_at = %s", (after(hours=1),))
    assert reasons(database, "pole", "pm2_5") == [(0, 1, "none"), (1, 6, "silent")]


def test_after_a_thing_has_dropped_it_there_is_no_datastream_any_more(
    writer: Writer, database: Database
) -> None:
    writer.save([registration("pole", "pm2_5", "wind_speed")])
    writer.save([message("pole", after(hours=h), pm2_5=1) for h in (-9, 1, 3)])
    writer.save([registration("pole", "wind_speed")])
    assert reasons(database, "pole", "pm2_5") == [(1, 2, "silent"), (3, 6, "none")]


def test_what_was_refused_explains_a_gap(writer: Writer, database: Database) -> None:
    writer.save([registration("pole", "pm2_5", "wind_speed")])
    writer.save([message("pole", after(hours=h), pm2_5=1) for h in (-9, 1)])
    bad = Rejection(reason=Reason.IMPLAUSIBLE_VALUE, detail="pm2_5 9999")

    def refuse(thing_id: str, payload: bytes, *hours: float) -> None:
        topic = f"tsuji/v1/things/{thing_id}/observations"
        for hour in hours:
            writer.save([received_at(broken(topic, payload, bad), after(hours=hour))])

    refuse("other", b"x", 4.5)
    refuse("pole", b"once", 2.5)
    assert reasons(database, "pole", "pm2_5") == [
        (1, 2, "silent"), (2, 3, "rejected"), (3, 6, "silent"),
    ]  # fmt: skip
    refuse("pole", b"twice", 0.5, 5)  # nothing is known of the time between
    assert reasons(database, "pole", "pm2_5") == [
        (1, 2, "silent"), (2, 3, "rejected"), (3, 4, "silent"), (4, 5, "rejected"),
        (5, 6, "silent"),
    ]  # fmt: skip
    refuse("pole", b"again and again", 3.5, 4.5, 5.5, 6.5)
    assert reasons(database, "pole", "pm2_5") == [(1, 2, "silent"), (2, 6, "rejected")]


def test_a_refused_datastream_explains_only_its_own_gaps(
    writer: Writer, database: Database
) -> None:
    writer.save([registration("pole", "pm2_5", "wind_speed")])
    writer.save([message("pole", after(hours=-9), pm2_5=1)])
    writer.save([received_at(message("pole", after(hours=1), rainfall=1), after(hours=1))])
    assert reasons(database, "pole", "pm2_5") == [(0, 6, "silent")]
    assert reasons(database, "pole", "rainfall") == [(0, 1, "rejected"), (1, 6, "none")]
