"""Evaluates the rules: what has come since the last turn goes through the state machine, in order of time.

Observations are looked at one by one, each thing's from where it was, so that nothing between two turns
is missed, whenever it arrives in order. Figures are looked at for one moment in each turn: the newest that
was measured; after a stop also for every full minute that was missed.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tsuji_ingest.alerting.moment import Moment
from tsuji_platform.analytics.alert_rules import Rule, Rules, Source, ThingScope
from tsuji_platform.analytics.alerts import (
    Event,
    Phase,
    State,
    frontier,
    instants,
    listen,
    step,
    usual_interval,
)
from tsuji_platform.analytics.freshness import SILENT_AFTER
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.store.alerting import AlertOffice, Heard, Kept, Key, Newest, Subject, Turn

_log = logging.getLogger(__name__)
OLDEST = timedelta(days=1)
"""What is older when it is looked at raises nothing any more."""
QUIET = timedelta(seconds=60)
"""Where nothing was stored for so long, nothing more is expected to come of the past."""
_STEP = timedelta(minutes=1)
_MOMENTS = 30
_OBSERVATIONS = 1_000
_WRITE_EVERY_S = 5.0
_WRITE_MOVED_EVERY_S = 30.0
"""States that have only seen more observations: there is one for each thing."""
_LOOK_FOR_GONE_S = 30.0
_FORGET_EVERY_S = 3_600.0
_UNKNOWN = Kept(state=State())


def _now() -> datetime:
    return datetime.now(UTC)


class Evaluator:
    """Takes turns; used by one thread at a time.

    Args:
        office: the way into the database.
        rules: which.
        clock: the hub's.
        steady: monotonic seconds.
    """

    def __init__(
        self,
        office: AlertOffice,
        rules: Rules,
        clock: Callable[[], datetime] = _now,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._office = office
        self._rules = rules.rule
        self._clock = clock
        self._steady = steady
        self._loaded = False
        self._forget()
        self.problem = ""
        """What an operator has to mend; shown by `/v1/health`."""

    def _forget(self) -> None:
        self._states: dict[Key, Kept] = {}
        self._dirty: set[Key] = set()
        self._moved_on: set[Key] = set()
        self._pressing = False
        self._happened = False
        self._watching_since: datetime | None = None
        self._judged: datetime | None = None
        self._listening_since: datetime | None = None
        self._patience: dict[Key, tuple[datetime, timedelta]] = {}
        self._write_due = self._gone_due = self._forget_due = self._steady()
        self._write_moved_due = self._steady() + _WRITE_MOVED_EVERY_S

    def adopt(self, rules: Rules) -> None:
        """Evaluate other rules from the next turn on."""
        self._rules = rules.rule
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
            with self._office.turn(self.problem) as turn:
                if turn is None:
                    self._loaded = False
                    return None
                return self._turn(turn, changed=changed)
        except BaseException:
            self._loaded = False
            raise

    def _turn(self, turn: Turn, *, changed: bool) -> bool:
        now = self._clock()
        if turn.fresh or not self._loaded:
            self._load(turn, now)
            changed = True
        if turn.broken or self._listening_since is None:
            self._listening_since = now
            turn.note_listening(now)
        heard, stored_at = turn.heard(now)
        quiet_since = max(filter(None, (stored_at, self._watching_since)), default=now)
        until = frontier(now, heard, now - quiet_since, QUIET)
        judged = self._judged
        if judged is not None and judged > now + FUTURE_TOLERANCE:
            judged = None  # by a clock that has been set back since
        until = until if judged is None else max(until, judged)
        more = False
        if changed or until != judged:
            more = self._observations(turn, now)
            more |= self._figures(turn, now, judged, until)
            self._silence(turn, until, now)
        self._write(turn, now)
        return more

    def _load(self, turn: Turn, now: datetime) -> None:
        """Read what was kept, and put our rules into force."""
        self._forget()
        self._watching_since = now
        self._judged = turn.judged_until
        self._listening_since = turn.listening_since
        self._states = turn.states()
        before = turn.rules()
        ours = {rule.id: rule.digest() for rule in self._rules}
        known = before.keys() | {rule_id for rule_id, _ in self._states}
        dropped = sorted(one for one in known if one not in ours or ours[one] != before.get(one))
        for (rule_id, subject), kept in list(self._states.items()):
            if rule_id not in dropped:
                continue
            reason = "rule_changed" if rule_id in ours else "rule_removed"
            self._break_off(turn, (rule_id, subject), kept, reason, now)
            del self._states[rule_id, subject]
        turn.put_rules(self._rules, dropped)
        self._loaded = True

    def _break_off(self, turn: Turn, key: Key, kept: Kept, reason: str, now: datetime) -> None:
        state = kept.state
        if kept.alert_id is None or state.start is None or state.peak_at is None:
            return
        event = Event(
            start=state.start,
            end=max(now, state.start),
            peak=state.peak or 0.0,
            peak_at=state.peak_at,
        )
        turn.end(kept, Subject.of_key(key[1]), event, reason, now)
        self._happened = True

    def _observations(self, turn: Turn, now: datetime) -> bool:
        """Look at the observations that rules look at one by one; whether there are more."""
        more = False
        for rule in self._rules:
            if rule.source is not Source.OBSERVATIONS or rule.things is None:
                continue
            news = {
                one.datastream_id: (one, seen)
                for one in turn.newest(rule.observed_property or "", rule.things)
                if (seen := self._begin_seeing(turn, rule, one, now)) is not None
            }
            sinces = {number: seen for number, (_, seen) in news.items()}
            found = turn.observed_since(sinces, now - OLDEST, _OBSERVATIONS) if sinces else {}
            for number, (newest, _) in news.items():
                values = found.get(number, [])
                for at, result in values:
                    self._look(turn, rule, Subject(thing_id=newest.thing_id), at, result, now)
                if len(values) == _OBSERVATIONS:
                    more = True
                else:
                    self._catch_up(rule, newest)
        return more

    def _begin_seeing(self, turn: Turn, rule: Rule, one: Newest, now: datetime) -> datetime | None:
        """From when on the thing's observations are to be looked at, None where nothing is new."""
        subject = Subject(thing_id=one.thing_id)
        kept = self._states.get((rule.id, subject.key))
        seen = None if kept is None else kept.state.seen
        if kept is not None and seen is not None:
            if seen > now + FUTURE_TOLERANCE:  # by a clock that has been set back since
                state = replace(kept.state, seen=None)
                self._set((rule.id, subject.key), replace(kept, state=state))
            elif one.time > seen or (one.time == seen and one.result != kept.state.value):
                return seen
            else:
                return None
        # met for the first time: with its newest value, not with its history
        self._pressing = True
        if now - one.time <= rule.gap:
            self._look(turn, rule, subject, one.time, one.result, now)
        self._catch_up(rule, one)
        return None

    def _catch_up(self, rule: Rule, newest: Newest) -> None:
        """What is too old to be looked at is passed over."""
        key = rule.id, Subject(thing_id=newest.thing_id).key
        kept = self._states.get(key, _UNKNOWN)
        if kept.state.seen is None or kept.state.seen < newest.time:
            state = replace(kept.state, seen=newest.time, value=newest.result)
            self._set(key, replace(kept, state=state))

    def _figures(self, turn: Turn, now: datetime, judged: datetime | None, until: datetime) -> bool:
        """Look at the figures of the moments since the last turn; whether there are more."""
        rules = [rule for rule in self._rules if rule.source is Source.FIGURES]
        since = None if judged is None else max(judged, now - OLDEST)
        moments = instants(since, until, _STEP, _MOMENTS)
        if rules:
            for moment in moments:
                self._judge(turn, rules, moment, now)
        if moments:
            self._judged = moments[-1]
        return bool(moments) and moments[-1] < until

    def _judge(self, turn: Turn, rules: Sequence[Rule], at: datetime, now: datetime) -> None:
        moment = Moment(turn, rules, at)
        for rule in rules:
            figure, values = rule.figure or "", dict[str, float]()
            if rule.areas is not None:
                chosen = None if rule.areas.codes is None else set(rule.areas.codes)
                values = {
                    Subject(area_set_id=rule.areas.set, area_code=code).key: value
                    for code, value in moment.of_areas(figure, rule.areas.set).items()
                    if chosen is None or code in chosen
                }
            elif rule.things is not None:
                of_things = moment.of_things(figure, turn.things(rule.things))
                values = {Subject(thing_id=one).key: value for one, value in of_things.items()}
            for key in values.keys() | self._busy(rule):
                self._look(turn, rule, Subject.of_key(key), at, values.get(key), now)

    def _busy(self, rule: Rule) -> set[str]:
        """Subjects of which it matters that there is no value."""
        return {
            subject
            for (rule_id, subject), kept in self._states.items()
            if rule_id == rule.id and kept.state.phase is not Phase.CLEAR
        }

    def _silence(self, turn: Turn, until: datetime, now: datetime) -> None:
        for rule in self._rules:
            if rule.source is not Source.SILENCE or rule.things is None:
                continue
            heard = turn.when_heard(rule.things)
            patience = self._patiences(turn, rule, heard, until)
            for one in heard:
                subject = Subject(thing_id=one.thing_id)
                kept = self._states.get((rule.id, subject.key), _UNKNOWN)
                own = patience.get(one.thing_id, timedelta.max)
                state, event = listen(kept.state, one.time, own, until, self._listening_since)
                self._keep(turn, rule, subject, kept, state, event, now)

    def _patiences(
        self, turn: Turn, rule: Rule, heard: Sequence[Heard], until: datetime
    ) -> dict[str, timedelta]:
        """For how long each thing may be silent, of those that may have been for too long."""
        found: dict[str, timedelta] = {}
        unknown = []
        for one in heard:
            if until - one.time < rule.least_silence:
                continue
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

    def _look(
        self,
        turn: Turn,
        rule: Rule,
        subject: Subject,
        at: datetime,
        value: float | None,
        now: datetime,
    ) -> None:
        kept = self._states.get((rule.id, subject.key), _UNKNOWN)
        state, event = step(rule.condition, kept.state, at, value)
        self._keep(turn, rule, subject, kept, state, event, now)

    def _keep(
        self,
        turn: Turn,
        rule: Rule,
        subject: Subject,
        kept: Kept,
        state: State,
        event: Event | None,
        now: datetime,
    ) -> None:
        if event is None:
            after = replace(kept, state=state)
        elif event.end is None:
            after = replace(turn.begin(rule, subject, event, now), state=state)
            _log.info("alert %s began for %s, at %g", rule.id, subject.key, event.peak)
        else:
            turn.end(kept, subject, event, "cleared", now)
            after = Kept(state=state)
            _log.info("alert %s ended for %s", rule.id, subject.key)
        self._happened |= event is not None
        if after == kept:
            return
        key = rule.id, subject.key
        quiet = event is None and Phase.CLEAR is kept.state.phase is after.state.phase
        if not quiet:
            self._set(key, after)
            return
        self._states[key] = after
        if (
            rule.source is Source.OBSERVATIONS
        ):  # others go on from the moment up to which was judged
            (self._dirty if kept.state.seen is None else self._moved_on).add(key)

    def _set(self, key: Key, kept: Kept) -> None:
        self._states[key] = kept
        self._dirty.add(key)

    def _write(self, turn: Turn, now: datetime) -> None:
        """Keep what has changed: at once where something began or ended, otherwise now and then."""
        if self._steady() >= self._gone_due:
            self._gone_due = self._steady() + _LOOK_FOR_GONE_S
            self._look_for_gone(turn, now)
        if self._steady() >= self._forget_due:
            self._forget_due = self._steady() + _FORGET_EVERY_S
            turn.forget_messages()
        if not (self._happened or self._pressing or self._steady() >= self._write_due):
            return
        self._write_due = self._steady() + _WRITE_EVERY_S
        if self._steady() >= self._write_moved_due:
            self._write_moved_due = self._steady() + _WRITE_MOVED_EVERY_S
            self._dirty |= self._moved_on
            self._moved_on.clear()
        turn.put_states((key, self._states[key]) for key in sorted(self._dirty))
        if self._judged is not None:
            turn.note_judged(self._judged)
        if self._happened:
            turn.announce()
        self._dirty.clear()
        self._happened = self._pressing = False

    def _look_for_gone(self, turn: Turn, now: datetime) -> None:
        """End alerts about what is there no longer, and say which rules look at nothing."""
        for rule in self._rules:
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
            turn.note_problem(rule.id, problem)
            for subject in self._busy(rule) - there:
                key = rule.id, subject
                self._break_off(turn, key, self._states[key], "subject_removed", now)
                self._set(key, Kept(state=State(seen=self._states[key].state.seen)))
