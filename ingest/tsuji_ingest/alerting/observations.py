"""Rules over observations: every one of each thing, in the order of their times, from where it was."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from tsuji_ingest.alerting.blame import blamed_on
from tsuji_ingest.alerting.book import Book
from tsuji_platform.analytics.alert_rules import Rule, ThingScope
from tsuji_platform.store.alert_records import Newest, Subject
from tsuji_platform.store.alert_turn import Turn

_AT_ONCE = 100_000
_OF_ONE_MOST = 1_000
_OF_ONE_LEAST = 20


def look_at_observations(
    turn: Turn, book: Book, rules: Iterable[Rule], oldest: timedelta, now: datetime
) -> bool:
    """Look at what is new; whether there is more.

    Args:
        turn: reads and writes.
        book: remembers.
        rules: those over observations.
        oldest: what is older than that is passed over.
        now: the hub's clock.
    """
    more = False
    for rule in rules:
        with blamed_on([rule]):
            more |= _look_at_one(turn, book, rule, oldest, now)
    return more


def _look_at_one(turn: Turn, book: Book, rule: Rule, oldest: timedelta, now: datetime) -> bool:
    more = False
    news = {
        one.datastream_id: (one, seen)
        for one in turn.newest(rule.observed_property or "", rule.things or ThingScope())
        if (seen := _begin_seeing(turn, book, rule, one, now)) is not None
    }
    if not news:
        return False
    limit = min(_OF_ONE_MOST, max(_OF_ONE_LEAST, _AT_ONCE // len(news)))
    sinces = {number: seen for number, (_, seen) in news.items()}
    found = turn.observed_since(sinces, now - oldest, limit)
    for number, (newest, _) in news.items():
        values = found.get(number, [])
        for at, result in values:
            book.look(turn, rule, Subject(thing_id=newest.thing_id), at, result, now)
        if len(values) == limit:
            more = True
        else:
            _catch_up(book, rule, newest)
    return more


def _begin_seeing(
    turn: Turn, book: Book, rule: Rule, one: Newest, now: datetime
) -> datetime | None:
    """From when on the thing's observations are to be looked at, None where nothing is new."""
    subject = Subject(thing_id=one.thing_id)
    kept = book.get(rule, subject)
    seen = kept.state.seen
    if seen is not None:
        news = one.time > seen or (one.time == seen and one.result != kept.state.value)
        return seen if news else None
    # met for the first time: with its newest value, not with its history
    if now - one.time <= rule.gap:
        book.look(turn, rule, subject, one.time, one.result, now)
    _catch_up(book, rule, one)
    book.put(rule, subject, book.get(rule, subject), pressing=True)
    return None


def _catch_up(book: Book, rule: Rule, newest: Newest) -> None:
    """What is too old to be looked at is passed over."""
    subject = Subject(thing_id=newest.thing_id)
    kept = book.get(rule, subject)
    if kept.state.seen is None or kept.state.seen < newest.time:
        state = replace(kept.state, seen=newest.time, value=newest.result)
        book.put(rule, subject, replace(kept, state=state))
