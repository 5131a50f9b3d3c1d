"""Evaluates the rules, turn by turn: what has come since the last goes through the state machine.

Observations are looked at one by one, each thing's from where it was, so that nothing between two turns
is missed, whenever it arrives in order. Figures are looked at for one moment in each turn: the newest that
was measured; after a stop also for full minutes that were missed.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from tsuji_ingest.alerting.blame import Resting, RuleError, blamed_on
from tsuji_ingest.alerting.book import Book
from tsuji_ingest.alerting.moment import Moment
from tsuji_ingest.alerting.observations import look_at_observations
from tsuji_ingest.alerting.silence import Silence
from tsuji_platform.analytics.alert_rules import Rule, Rules, Source, ThingScope
from tsuji_platform.analytics.alerts import State, frontier, instants
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.store.alert_records import Kept, Subject
from tsuji_platform.store.alert_turn import Turn
from tsuji_platform.store.alerting import AlertOffice

OLDEST = timedelta(days=1)
"""What is older when it is looked at raises nothing any more."""
QUIET = timedelta(seconds=60)
"""Where nothing was stored for so long, nothing more is expected to come of the past."""
MESSAGES_KEPT = timedelta(days=7)
_MOMENTS = 120
"""So many moments of a time that was missed are judged at the most, evenly spread."""
_TURN_S = 2.0
"""A turn that has taken so long leaves what is missed to the next."""
_FIGURES_REST_TIMES = 9
"""What looks at the whole city at once rests so many times as long as it took: ingest comes first."""
_LOOK_FOR_GONE_S = 30.0
_FORGET_EVERY_S = 3_600.0


def _now() -> datetime:
    return datetime.now(UTC)


class Evaluator:
    """Takes turns; used by one thread at a time.

    Args:
        office: the way into the database.
        rules: which.
        clock: the hub's.
        steady: monotonic seconds.
        figures_rest_times: how long figures rest, in the time that they took.
        messages_kept: how long what everybody has been told is kept.
    """

    def __init__(
        self,
        office: AlertOffice,
        rules: Rules,
        clock: Callable[[], datetime] = _now,
        steady: Callable[[], float] = time.monotonic,
        *,
        figures_rest_times: float = _FIGURES_REST_TIMES,
        messages_kept: timedelta = MESSAGES_KEPT,
    ) -> None:
        self._office = office
        self._rules = rules.rule
        self._clock = clock
        self._steady = steady
        self._figures_rest_times = figures_rest_times
        self._messages_kept = messages_kept
        self._loaded = False
        self._resting = Resting(steady)
        self._apart = False
        self._forget(Book(steady=steady))
        self.problem = ""
        """What an operator has to mend; shown by `/v1/health`."""

    def _forget(self, book: Book) -> None:
        self._book = book
        self._silence = Silence()
        self._watching_since: datetime | None = None
        self._judged: datetime | None = None
        self._listening_since: datetime | None = None
        self._owed = True
        self._no_value: dict[str, str] = {}
        self._figures_due = self._gone_due = self._forget_due = self._steady()

    def adopt(self, rules: Rules) -> None:
        """Evaluate other rules from the next turn on."""
        self._rules = rules.rule
        self._resting.clear()
        self._apart = False
        self._loaded = False

    def evaluate(self, *, changed: bool = True) -> bool | None:
        """Take one turn.

        Args:
            changed: whether anything may have been stored since the last.

        Returns:
            Whether there is more to do at once; None where another evaluator is at it.

        Raises:
            StoreError: nothing was kept; the next turn begins from what was.
        """
        try:
            with self._office.turn(self.problem or self._resting.said(self._rules)) as turn:
                if turn is None:
                    self._loaded = False
                    return None
                return self._turn(turn, changed=changed)
        except RuleError as error:  # once more from what was kept, without the rule
            self._loaded = False
            self._leave_out(error)
            return True
        except BaseException:
            self._loaded = False
            raise

    def _leave_out(self, error: RuleError) -> None:
        if len(error.rules) > 1:  # find out which: figures that rules share are made for each alone
            self._apart = True
        else:
            self._resting.add(error.rules[0], error)

    def _turn(self, turn: Turn, *, changed: bool) -> bool:
        now = self._clock()
        if turn.fresh or not self._loaded:
            self._load(turn, now)
            changed = True
        if turn.broken or self._listening_since is None:
            self._listening_since = now
            turn.note_listening(now)
        if self._judged is not None and self._judged > now + FUTURE_TOLERANCE:
            self._judged = None  # by a clock that has been set back since
            self._book.forget_the_future(now + FUTURE_TOLERANCE)
            changed = True
        more = changed and look_at_observations(
            turn, self._book, self._of(Source.OBSERVATIONS), OLDEST, now
        )
        self._owed |= changed
        if self._steady() >= self._figures_due:
            begun = self._steady()
            more |= self._look_at_all(turn, now)
            self._figures_due = begun + (1 + self._figures_rest_times) * (self._steady() - begun)
        self._tidy(turn, now)
        self._book.write(turn, self._judged)
        return more

    def _of(self, source: Source) -> list[Rule]:
        return [
            rule for rule in self._rules if rule.source is source and not self._resting.has(rule)
        ]

    def _look_at_all(self, turn: Turn, now: datetime) -> bool:
        """Look at figures and silence as of the newest moment; whether moments were left out."""
        heard, stored_at = turn.heard(now)
        quiet_since = max(filter(None, (stored_at, self._watching_since)), default=now)
        until = frontier(now, heard, now - quiet_since, QUIET)
        judged = self._judged
        until = until if judged is None else max(until, judged)
        if not self._owed and until == judged:
            return False
        more = self._figures(turn, now, judged, until)
        if not more:
            silence = self._of(Source.SILENCE)
            self._silence.look(turn, self._book, silence, until, self._listening_since, now)
        self._owed = more
        return more

    def _load(self, turn: Turn, now: datetime) -> None:
        """Read what was kept, and put our rules into force."""
        self._forget(Book(turn.states(), self._steady))
        self._watching_since = now
        self._judged = turn.judged_until
        self._listening_since = turn.listening_since
        before = turn.rules()
        ours = {rule.id: rule.digest() for rule in self._rules}
        known = before.keys() | {rule_id for (rule_id, _), _ in self._book.items()}
        dropped = sorted(one for one in known if one not in ours or ours[one] != before.get(one))
        for key, kept in self._book.items():
            if key[0] in dropped:
                reason = "rule_changed" if key[0] in ours else "rule_removed"
                self._book.break_off(turn, key, kept, reason, now)
                self._book.drop(key)
        turn.put_rules(self._rules, dropped)
        self._loaded = True

    def _figures(self, turn: Turn, now: datetime, judged: datetime | None, until: datetime) -> bool:
        """Look at the figures of the moments since the last turn; whether there are more."""
        rules = self._of(Source.FIGURES)
        if not rules:
            self._judged = until
            return False
        since = None if judged is None else max(judged, now - OLDEST)
        begun = self._steady()
        groups = [[rule] for rule in rules] if self._apart else [rules]
        for moment in instants(since, until, _MOMENTS):
            for group in groups:
                self._judge(turn, group, moment, now)
            self._judged = moment
            if self._steady() - begun >= _TURN_S and moment < until:
                return True
        return False

    def _judge(self, turn: Turn, rules: Sequence[Rule], at: datetime, now: datetime) -> None:
        with blamed_on(rules):
            moment = Moment(turn, rules, at)
        for rule in rules:
            with blamed_on([rule]):
                self._judge_one(turn, rule, moment, now)

    def _judge_one(self, turn: Turn, rule: Rule, moment: Moment, now: datetime) -> None:
        if rule.areas is not None:
            name = rule.areas.set
            found = moment.of_areas(rule, name)
            values = {
                Subject(area_set_id=name, area_code=code).key: value
                for code, value in found.values.items()
            }
        else:
            found = moment.of_things(rule, turn.things(rule.things or ThingScope()))
            values = {Subject(thing_id=one).key: value for one, value in found.values.items()}
        self._no_value[rule.id] = found.reason
        condition = rule.condition
        met = {key for key, value in values.items() if condition.beyond(value, condition.threshold)}
        for key in met | self._book.busy(rule):  # for others there is nothing to remember
            self._book.look(turn, rule, Subject.of_key(key), moment.at, values.get(key), now)

    def _tidy(self, turn: Turn, now: datetime) -> None:
        if self._steady() >= self._gone_due:
            self._gone_due = self._steady() + _LOOK_FOR_GONE_S
            self._look_for_gone(turn, now)
        if self._steady() >= self._forget_due:
            self._forget_due = self._steady() + _FORGET_EVERY_S
            turn.forget_messages(self._messages_kept)

    def _look_for_gone(self, turn: Turn, now: datetime) -> None:
        """End alerts about what is there no longer, and say which rules look at nothing."""
        for rule in self._rules:
            if problem := self._resting.problem(rule):
                turn.note_problem(rule.id, problem)
                continue
            with blamed_on([rule]):
                self._look_for_gone_of(turn, rule, now)

    def _look_for_gone_of(self, turn: Turn, rule: Rule, now: datetime) -> None:
        if rule.areas is not None:
            there = {
                Subject(area_set_id=rule.areas.set, area_code=code).key
                for code in turn.areas(rule.areas)
            }
            problem = "" if there else f"there is no area of {rule.areas.set!r} that it names"
        else:
            scope = rule.things or ThingScope()
            there = {Subject(thing_id=one).key for one in turn.things(scope)}
            problem = "" if there else "there is no thing that it names"
        if reason := self._no_value.get(rule.id):
            problem = problem or f"nothing that it names has a value now: {reason}"
        turn.note_problem(rule.id, problem)
        for key in self._book.busy(rule) - there:
            subject = Subject.of_key(key)
            kept = self._book.get(rule, subject)
            self._book.break_off(turn, (rule.id, key), kept, "subject_removed", now)
            self._book.put(rule, subject, Kept(state=State(seen=kept.state.seen)))
