"""Rules over silence: which things were not heard for longer than is usual for them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from tsuji_ingest.alerting.blame import blamed_on
from tsuji_ingest.alerting.book import Book
from tsuji_platform.analytics.alert_rules import Rule, ThingScope
from tsuji_platform.analytics.alerts import listen, usual_interval
from tsuji_platform.analytics.freshness import SILENT_AFTER
from tsuji_platform.store.alert_records import Heard, Key, Subject
from tsuji_platform.store.alert_turn import Turn


class Silence:
    """Looks at things, and remembers what was usual for those that are silent."""

    def __init__(self) -> None:
        self._patience: dict[Key, tuple[datetime, timedelta]] = {}

    def look(
        self,
        turn: Turn,
        book: Book,
        rules: Iterable[Rule],
        until: datetime,
        listening_since: datetime | None,
        now: datetime,
    ) -> None:
        """Look at when things were last heard.

        Args:
            turn: reads and writes.
            book: remembers.
            rules: those over silence.
            until: the moment against which silence is measured.
            listening_since: since when things would have been heard.
            now: the hub's clock.
        """
        for rule in rules:
            with blamed_on([rule]):
                self._look_at_one(turn, book, rule, until, listening_since, now)

    def _look_at_one(
        self,
        turn: Turn,
        book: Book,
        rule: Rule,
        until: datetime,
        listening_since: datetime | None,
        now: datetime,
    ) -> None:
        silent = [Subject.of_key(key).thing_id or "" for key in book.busy(rule)]
        scope = rule.things or ThingScope()
        heard = turn.when_heard(scope, until - rule.least_silence, silent)
        patience = self._patiences(turn, rule, heard)
        for one in heard:
            subject = Subject(thing_id=one.thing_id)
            state, event = listen(
                book.get(rule, subject).state,
                one.time,
                patience[one.thing_id],
                until,
                listening_since,
            )
            book.keep(turn, rule, subject, state, event, now)

    def _patiences(self, turn: Turn, rule: Rule, heard: Sequence[Heard]) -> dict[str, timedelta]:
        """For how long each of these things may be silent."""
        found: dict[str, timedelta] = {}
        unknown = []
        for one in heard:
            known = self._patience.get((rule.id, one.thing_id))
            if known is not None and known[0] == one.time:
                found[one.thing_id] = known[1]
            else:
                unknown.append(one)
        times = turn.recent_times([one.datastream_id for one in unknown]) if unknown else {}
        for one in unknown:
            usual = usual_interval(times.get(one.datastream_id, []))
            if usual is None:
                usual = timedelta(seconds=one.period_s) if one.period_s else SILENT_AFTER
            own = max(rule.least_silence, usual * (rule.silent_intervals or 1))
            found[one.thing_id] = own
            self._patience[rule.id, one.thing_id] = one.time, own
        return found
