"""Rules over observations: every one of each thing, in the order of their times, from where it was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tsuji_ingest.alerting.blame import blamed_on
from tsuji_ingest.alerting.book import Book
from tsuji_platform.analytics.alert_rules import Rule, ThingScope
from tsuji_platform.store.alert_records import Newest, Subject, thing_key
from tsuji_platform.store.alert_turn import Turn

_AT_ONCE = 100_000
_OF_ONE_MOST = 1_000
_OF_ONE_LEAST = 20
_NEAR = timedelta(minutes=10)
"""Of things that are further behind than the others the news are looked at one by one."""


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
    """Nearly all things are calm: of them the database says whether anything met the threshold."""
    calm = book.calm(rule)
    calm_news: list[tuple[str, Newest, datetime]] = []
    news: dict[int, tuple[Newest, datetime]] = {}
    for one in turn.newest(rule.observed_property or "", rule.things or ThingScope()):
        key = thing_key(one.thing_id)
        known = calm.get(key)
        if known is None:
            since = _begin_seeing(turn, book, rule, one, now)
            if since is not None:
                news[one.datastream_id] = one, since
        elif one.time > known[0] or (one.time == known[0] and one.result != known[1]):
            calm_news.append((key, one, known[0]))
    news |= _stirred(turn, book, rule, calm_news, now - oldest)
    return _step_through(turn, book, rule, news, oldest, now)


def _stirred(
    turn: Turn,
    book: Book,
    rule: Rule,
    calm_news: Sequence[tuple[str, Newest, datetime]],
    oldest: datetime,
) -> dict[int, tuple[Newest, datetime]]:
    """Those of the calm things whose news have to be looked at one by one; the others move on."""
    if not calm_news:
        return {}
    near = max(seen for _, _, seen in calm_news) - _NEAR
    sinces = [seen for _, _, seen in calm_news if seen >= near]
    condition = rule.condition
    met = turn.met_since(
        [one.datastream_id for _, one, seen in calm_news if seen >= near],
        max(min(sinces), oldest),
        condition.threshold,
        above=condition.above,
    )
    stirred, moved = {}, {}
    for key, one, seen in calm_news:
        if seen < near or one.datastream_id in met:
            stirred[one.datastream_id] = one, seen
        else:
            moved[key] = one.time, one.result
    book.move_on(rule, moved)
    return stirred


def _step_through(
    turn: Turn,
    book: Book,
    rule: Rule,
    news: Mapping[int, tuple[Newest, datetime]],
    oldest: timedelta,
    now: datetime,
) -> bool:
    """Look at the news of some datastreams, one by one; whether there is more."""
    if not news:
        return False
    more = False
    limit = min(_OF_ONE_MOST, max(_OF_ONE_LEAST, _AT_ONCE // len(news)))
    sinces = {number: seen for number, (_, seen) in news.items()}
    found = turn.observed_since(sinces, now - oldest, limit)
    for number, (newest, _) in news.items():
        values = found.get(number, [])
        subject = Subject(thing_id=newest.thing_id)
        last = book.get(rule, subject).state
        for at, result in values:
            if at != last.seen or result != last.value:  # that one comes first, again
                book.look(turn, rule, subject, at, result, now)
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
