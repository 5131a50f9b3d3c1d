"""Rules over what is stored: begun and ended alerts, peaks, restarts and takeovers."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import psycopg
import pytest

from alarmed import BUSY, HOT, MUTE, Alarmed
from samples import after, message, registration
from tsuji_ingest.alerting import book
from tsuji_platform.analytics import combine
from tsuji_platform.analytics.alert_rules import parse
from tsuji_platform.store import Areas, alerting
from tsuji_platform.store.alerting import AlertOffice


@pytest.fixture
def alarmed(hub_url: str) -> Iterator[Callable[[str], Alarmed]]:
    made: list[Alarmed] = []

    def make(rules: str, url: str = hub_url) -> Alarmed:
        made.append(Alarmed(url, rules))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_an_alert_begins_and_ends_with_start_end_and_peak(store_url: str, alarmed) -> None:
    city = alarmed(HOT, store_url)
    for minute, degrees in enumerate([20, 36, 38, 37, 34, 32, 31, 30]):
        city.say("pole-1", minute, air_temperature=degrees)
        city.turn()
    (row,) = city.found()
    assert (row.rule_id, row.thing_id, row.end_reason) == ("hot", "pole-1", "cleared")
    assert (row.start, row.end) == (after(minutes=1), after(minutes=5))
    assert (row.peak, row.peak_at) == (38, after(minutes=2))
    assert city.told() == [("started", "pole-1"), ("ended", "pole-1")]


def test_what_was_missed_is_evaluated_value_by_value(alarmed) -> None:
    city = alarmed(HOT)
    city.say("pole-1", 0, air_temperature=20)
    city.turn()
    for minute, degrees in enumerate([36, 39, 36, 20, 20, 20], 1):
        city.say("pole-1", minute, air_temperature=degrees)
    city.begin()  # the process before was killed
    city.turn()
    (row,) = city.found()
    assert (row.start, row.end, row.peak) == (after(minutes=1), after(minutes=4), 39)
    assert city.told() == [("started", "pole-1"), ("ended", "pole-1")]


def test_a_thing_that_is_far_behind_the_others_is_looked_at_value_by_value(alarmed) -> None:
    city = alarmed(HOT)
    for minute, pole in ((0, "pole-1"), (50, "pole-2")):
        city.say(pole, minute, air_temperature=20)
    city.turn()
    for minute, degrees in ((1, 36), (3, 37), (4, 20), (6, 20)):
        city.say("pole-1", minute, air_temperature=degrees)
    city.say("pole-2", 51, air_temperature=20)
    city.turn()
    (row,) = city.found()
    assert (row.thing_id, row.start, row.end) == ("pole-1", after(minutes=1), after(minutes=4))


def test_what_calm_things_have_said_is_written_some_at_a_time(
    alarmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_MOST_MOVED_ON", 1)
    monkeypatch.setattr(book, "_WRITE_EVERY_S", 0.0)
    city = alarmed(HOT)
    written = "SELECT array_agg(seen ORDER BY subject) AS seen FROM alert_state"
    with psycopg.connect(city.url, autocommit=True) as connection:
        for minute in (0, 1):
            for pole in ("pole-1", "pole-2"):
                city.say(pole, minute, air_temperature=20 + minute)
            city.turn()
        ((seen,),) = connection.execute(written).fetchall()
        assert sorted(seen) == [after(minutes=0), after(minutes=1)]
        city.turn()
        ((seen,),) = connection.execute(written).fetchall()
        assert seen == [after(minutes=1)] * 2


def test_no_kill_doubles_or_loses_an_alert(store_url: str, alarmed) -> None:
    city = alarmed(HOT + BUSY, store_url)
    degrees = [20, 36, 36, 36, 36, 20, 20, 20, 20, 36, 36, 36]
    for minute, value in enumerate(degrees):
        city.say("pole-1", minute, air_temperature=value)
        city.say("gate-1", minute, pedestrians=40)
        city.begin()  # killed after every turn
        city.turn()
    hot = city.found(rule_id="hot")
    assert [(row.start, row.end) for row in hot] == [
        (after(minutes=9), None),
        (after(minutes=1), after(minutes=5)),
    ]
    (busy,) = city.found(rule_id="busy")
    assert (busy.area_set_id, busy.area_code, busy.start) == ("squares", "W", after(minutes=2))
    assert sorted(city.told()) == sorted(
        [("started", "pole-1"), ("started", "W"), ("ended", "pole-1"), ("started", "pole-1")]
    )


def test_a_turn_that_fails_is_taken_again_from_what_was_kept(alarmed) -> None:
    city = alarmed(HOT)
    city.say("pole-1", 0, air_temperature=20)
    city.turn()
    for minute in range(1, 5):
        city.say("pole-1", minute, air_temperature=36)
    with psycopg.connect(city.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE alert_state ADD CONSTRAINT broken CHECK (false) NOT VALID")
        with pytest.raises(Exception, match="broken"):
            city.turn()
        assert city.found() == []
        connection.execute("ALTER TABLE alert_state DROP CONSTRAINT broken")
    city.turn()
    assert city.told() == [("started", "pole-1")]
    assert [row.start for row in city.found()] == [after(minutes=1)]


ORPHAN = """
INSERT INTO alert (alert_id, rule_id, subject, thing_id, started_at, peak, peak_at, document)
VALUES ('orphan', 'hot', 'thing/pole-1', 'pole-1', now(), 1, now(), '{}')
"""


def test_a_rule_that_can_not_be_evaluated_is_left_out_and_the_others_go_on(
    alarmed, caplog: pytest.LogCaptureFixture
) -> None:
    city = alarmed(HOT + HOT.replace('"hot"', '"warm"') + BUSY)
    with psycopg.connect(city.url, autocommit=True) as connection:
        connection.execute(ORPHAN)  # one is on already, of which the evaluator knows nothing
        for minute in range(5):
            city.say("pole-1", minute, air_temperature=36)
            city.say("gate-1", minute, pedestrians=40)
            city.turn()
        assert sorted(city.told()) == [("started", "W"), ("started", "pole-1")]
        assert [row.rule_id for row in city.found(thing_id="pole-1")] == ["hot", "warm"]
        problems = {one["document"]["id"]: one["problem"] for one in city.alerts.rules()}
        assert (problems["warm"], problems["busy"]) == ("", "")
        assert "can't be evaluated" in problems["hot"]
        health = city.alerts.evaluator(timedelta(hours=1))
        assert health is not None
        assert health["problem"].startswith("rule hot: it can't be evaluated")
        assert "alert_on" in health["problem"]
        assert [one.levelname for one in caplog.records].count("ERROR") == 1
        connection.execute("DELETE FROM alert WHERE alert_id = 'orphan'")
    city.evaluator.adopt(city.rules)  # the file was saved again: the rule rests no more
    city.say("pole-1", 5, air_temperature=36)
    city.turn()
    assert [row.rule_id for row in city.found(thing_id="pole-1")] == ["hot", "warm"]
    assert city.alerts.rules()[0]["problem"] == ""


def test_a_figure_that_can_not_be_made_leaves_out_its_own_rule_only(
    alarmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = BUSY.replace('"busy"', '"warm"').replace('"footfall"', '"air_temperature"')
    city = alarmed(BUSY + warm.replace("at_least = 100", "at_least = 30"))
    made = combine.of_things

    def broken(newest: list, totals: list) -> dict:
        if any(one.observed_property == "pedestrians" for one in totals):
            raise ZeroDivisionError("a defect")
        return made(newest, totals)

    monkeypatch.setattr(combine, "of_things", broken)
    for minute in range(3):
        city.say("pole-1", minute, air_temperature=36)
        city.say("gate-1", minute, pedestrians=40)
        city.turn()
    assert [row.rule_id for row in city.found()] == ["warm"]
    assert "ZeroDivisionError: a defect" in city.alerts.rules()[0]["problem"]


def test_late_and_repeated_values_change_nothing_and_a_correction_of_the_newest_counts(
    alarmed,
) -> None:
    city = alarmed(HOT.replace('for = "2m"\n', "").replace('clears_after = "2m"\n', ""))
    city.say("pole-1", 10, air_temperature=20)
    city.turn()
    city.say("pole-1", 5, air_temperature=50)
    city.turn()
    assert city.found() == []
    city.say("pole-1", 11, air_temperature=59)  # a mistake
    city.turn()
    assert city.told() == [("started", "pole-1")]
    city.say("pole-1", 11, air_temperature=21)  # put right
    city.turn()
    (row,) = city.found()
    assert (row.start, row.end) == (after(minutes=11), after(minutes=11))


def test_figures_without_data_neither_begin_nor_end_anything(alarmed) -> None:
    city = alarmed(BUSY)
    city.say("gate-1", 0, pedestrians=150)
    city.turn()
    assert city.told() == [("started", "W")]
    city.say("pole-1", 90, air_temperature=20)  # an hour and a half later nothing was counted
    city.turn()
    assert [row.end for row in city.found()] == [None]
    city.say("gate-1", 91, pedestrians=3)
    city.turn()
    assert [row.end for row in city.found()] == [after(minutes=91)]


def test_a_thing_is_silent_beyond_its_usual_interval_until_it_is_heard(alarmed) -> None:
    city = alarmed(MUTE)
    for minute in range(60):
        if minute < 40 and minute % 2 == 0:
            city.say("pole-1", minute, air_temperature=20)
        city.say("pole-2", minute, air_temperature=20)
        if minute % 5 == 0 or minute > 40:
            city.turn()
    (row,) = city.found()
    assert (row.thing_id, row.start, row.end) == ("pole-1", after(minutes=38 + 6), None)
    city.say("pole-1", 61, air_temperature=20)
    city.turn()
    (row,) = city.found()
    assert (row.end, row.peak) == (after(minutes=61), 23 * 60)
    assert city.told() == [("started", "pole-1"), ("ended", "pole-1")]


def test_after_a_break_every_thing_has_its_patience_anew(alarmed) -> None:
    city = alarmed(MUTE)
    for minute in range(20):
        city.say("pole-1", minute, air_temperature=20)
        city.say("pole-2", minute, air_temperature=20)
    city.turn()
    with psycopg.connect(city.url, autocommit=True) as connection:  # the whole hub was off
        connection.execute("UPDATE alert_evaluator SET seen_at = seen_at - interval '61 seconds'")
    city.say("pole-1", 120, air_temperature=20)
    city.begin()
    city.turn()
    assert city.found() == []
    city.begin()  # and that is not forgotten by the next
    city.say("pole-1", 122, air_temperature=20)
    city.turn()
    assert city.found() == []
    city.say("pole-1", 124, air_temperature=20)
    city.turn()
    assert [(row.thing_id, row.start) for row in city.found()] == [("pole-2", after(minutes=123))]


def test_another_evaluator_takes_over_once_the_first_is_gone_and_not_before(
    alarmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting, "LEASE", timedelta(minutes=10))  # this machine may be busy
    city = alarmed(HOT.replace('for = "2m"\n', ""))
    first = city.evaluator
    city.say("pole-1", 0, air_temperature=36)
    assert first.evaluate() is not None
    second = city.begin("other-ingest")
    city.say("pole-2", 1, air_temperature=36)
    assert second.evaluate() is None
    with psycopg.connect(city.url, autocommit=True) as connection:
        connection.execute("UPDATE alert_evaluator SET seen_at = seen_at - interval '11 minutes'")
    assert second.evaluate() is not None
    assert first.evaluate() is None  # it was only frozen
    assert city.told() == [("started", "pole-1"), ("started", "pole-2")]
    with psycopg.connect(city.url, autocommit=True) as connection:  # its clock is set back
        connection.execute("UPDATE alert_evaluator SET seen_at = seen_at + interval '1 hour'")
    assert first.evaluate() is not None


def test_whoever_took_a_long_turn_stays_in_office(alarmed, monkeypatch: pytest.MonkeyPatch) -> None:
    city = alarmed(HOT)
    with psycopg.connect(city.url) as watching:
        with AlertOffice(city.url, "ingest", []).turn() as turn:
            assert turn is not None
            turn._connection.execute("UPDATE alert_evaluator SET seen_at = now() - interval '70s'")
        ((age,),) = watching.execute("SELECT now() - seen_at FROM alert_evaluator").fetchall()
    assert age < timedelta(seconds=60)
    monkeypatch.setattr(alerting, "LEASE", timedelta(minutes=1))
    assert city.begin("other-ingest").evaluate() is None


def test_messages_are_forgotten_after_a_week_but_not_of_alerts_that_are_on(alarmed) -> None:
    city = alarmed(HOT.replace('for = "2m"\n', "").replace('clears_after = "2m"\n', ""))
    city.say("pole-1", 0, air_temperature=36)
    city.say("pole-2", 0, air_temperature=36)
    city.turn()
    city.say("pole-1", 1, air_temperature=20)
    city.turn()
    assert len(city.told()) == 3
    with psycopg.connect(city.url, autocommit=True) as connection:
        connection.execute("UPDATE alert_delivery SET delivered_at = now()")
        connection.execute("UPDATE alert_message SET created_at = now() - interval '8 days'")
    city.begin(messages_kept=timedelta(days=9))
    city.turn()
    assert len(city.told()) == 3
    city.begin()
    city.turn()
    assert city.told() == [("started", "pole-2")]
    assert len(city.alerts.messages_on()) == 1


def test_a_rule_that_is_changed_or_removed_ends_what_it_had_raised(alarmed) -> None:
    city = alarmed(HOT.replace('for = "2m"\n', "") + BUSY)
    city.say("pole-1", 0, air_temperature=36)
    city.say("gate-1", 0, pedestrians=100)
    city.turn()
    city.evaluator.adopt(parse(HOT.replace("35", "34"), "rules"))
    city.turn()
    ended = {row.rule_id: row.end_reason for row in city.found(on=False)}
    assert ended == {"hot": "rule_changed", "busy": "rule_removed"}
    renamed = HOT.replace("35", "34").replace("Test", "Renamed")
    count = len(city.told())
    city.evaluator.adopt(parse(renamed, "rules"))
    city.turn()
    assert len(city.told()) == count
    assert [one["document"]["label"]["en"] for one in city.alerts.rules()] == ["Renamed"]


def test_what_is_older_than_a_day_raises_nothing(alarmed) -> None:
    city = alarmed(HOT.replace('for = "2m"\n', ""))
    city.say("pole-1", 0, air_temperature=20)
    city.turn()
    city.now += timedelta(days=2)
    late: datetime = after(minutes=5)
    city.writer.save([message("pole-1", late, air_temperature=50)])
    city.turn()
    assert city.found() == []


def test_after_a_clock_is_set_back_alerts_go_on(alarmed) -> None:
    hot = HOT.replace('for = "2m"\n', "").replace('clears_after = "2m"\n', "")
    city = alarmed(hot + BUSY)
    wrong = timedelta(days=3) / timedelta(minutes=1)
    city.say("pole-1", wrong, air_temperature=36)
    city.say("gate-1", wrong, pedestrians=120)
    city.turn()
    assert len(city.found(on=True)) == 2
    with psycopg.connect(city.url, autocommit=True) as connection:  # as ingest does by itself
        connection.execute("DELETE FROM latest")
        connection.execute("DELETE FROM observation")
    city.now = after(minutes=0)
    city.say("pole-1", 1, air_temperature=20)
    city.say("gate-1", 1, pedestrians=20)
    city.turn()
    assert city.found(on=True) == []


def test_a_thing_or_area_that_is_gone_ends_its_alerts(alarmed) -> None:
    city = alarmed(BUSY)
    city.say("gate-1", 0, pedestrians=120)
    city.turn()
    Areas(city.database).remove("squares")
    city.begin()
    city.turn()
    (row,) = city.found()
    assert row.end_reason == "subject_removed"
    assert [one["problem"] for one in city.alerts.rules()] == [
        "there is no area of 'squares' that it names"
    ]


def test_derived_figures_raise_alerts_only_where_all_that_they_are_made_of_is_there(
    alarmed,
) -> None:
    rule = BUSY.replace('"footfall"', '"heat_index"').replace("100", "38")
    city = alarmed(rule)
    city.writer.save([registration("pole-1", "air_temperature", "relative_humidity")])
    city.say("pole-1", 0, air_temperature=38)
    city.turn()
    assert city.found() == []
    city.say("pole-1", 1, air_temperature=38, relative_humidity=60)
    city.turn()
    (row,) = city.found()
    assert (row.area_code, row.rule["unit"]) == ("W", "Cel")
    assert row.peak > 45


def test_flow_and_level_of_service_need_the_width_of_the_walkway(alarmed) -> None:
    def rule(figure: str, limit: float) -> str:
        text = BUSY.replace('"footfall"', f'"{figure}"').replace('"busy"', f'"{figure}"')
        return text.replace("100", str(limit))

    city = alarmed(rule("pedestrian_flow", 10) + rule("level_of_service", 1))
    city.say("gate-1", 0, 3600, pedestrians=1200)
    city.turn()
    assert city.found() == []
    gate = registration("gate-1", "pedestrians", kind="footfall_counter", effective_width_m=2.0)
    city.writer.save([gate])
    city.turn()
    assert {row.rule_id: row.peak for row in city.found()} == {
        "pedestrian_flow": 10.0,  # 1,200 people in 60 minutes over 2 m
        "level_of_service": 1.0,
    }
