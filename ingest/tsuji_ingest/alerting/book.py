"""What one evaluator remembers of all rules and subjects, and which of it has to be written when."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from tsuji_platform.analytics.alert_rules import Rule, Source
from tsuji_platform.analytics.alerts import Event, Phase, State, step
from tsuji_platform.store.alert_records import Kept, Key, Subject
from tsuji_platform.store.alert_turn import Turn

_log = logging.getLogger(__name__)
_WRITE_EVERY_S = 5.0
_WRITE_MOVED_EVERY_S = 30.0
"""States that have only seen more observations: there is one for each thing."""
UNKNOWN = Kept(state=State())


class Book:
    """States by rule and subject; begins and ends alerts, and writes what has changed.

    Args:
        states: those that are kept.
        steady: monotonic seconds.
    """

    def __init__(
        self, states: dict[Key, Kept] | None = None, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._states = states or {}
        self._steady = steady
        self._changed: set[Key] = set()
        self._moved_on: set[Key] = set()
        self._pressing = False
        self._happened = False
        self._write_due = steady()
        self._write_moved_due = steady() + _WRITE_MOVED_EVERY_S

    def items(self) -> list[tuple[Key, Kept]]:
        """All that is remembered."""
        return list(self._states.items())

    def get(self, rule: Rule, subject: Subject) -> Kept:
        """What is remembered of a subject, which may be nothing."""
        return self._states.get((rule.id, subject.key), UNKNOWN)

    def put(self, rule: Rule, subject: Subject, kept: Kept, *, pressing: bool = False) -> None:
        """Remember something, and write it soon; at once where it is pressing."""
        self._states[rule.id, subject.key] = kept
        self._changed.add((rule.id, subject.key))
        self._pressing |= pressing

    def drop(self, key: Key) -> None:
        """Remember nothing of it any more."""
        self._states.pop(key, None)

    def forget_the_future(self, now: datetime) -> None:
        """What was seen by a clock that has been set back since is not waited for."""
        for key, kept in self.items():
            if kept.state.seen is not None and kept.state.seen > now:
                self._states[key] = replace(kept, state=replace(kept.state, seen=None))
                self._changed.add(key)

    def busy(self, rule: Rule) -> set[str]:
        """Keys of the subjects for which something waits or is on."""
        return {
            subject
            for (rule_id, subject), kept in self._states.items()
            if rule_id == rule.id and kept.state.phase is not Phase.CLEAR
        }

    def look(
        self,
        turn: Turn,
        rule: Rule,
        subject: Subject,
        at: datetime,
        value: float | None,
        now: datetime,
    ) -> None:
        """Look at one value of a rule with a threshold, or at there being none."""
        kept = self.get(rule, subject)
        state, event = step(rule.condition, kept.state, at, value)
        self.keep(turn, rule, subject, state, event, now)

    def keep(
        self,
        turn: Turn,
        rule: Rule,
        subject: Subject,
        state: State,
        event: Event | None,
        now: datetime,
    ) -> None:
        """Remember a state, and keep what has begun or ended by it."""
        kept = self.get(rule, subject)
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
        if event is not None or not Phase.CLEAR is kept.state.phase is after.state.phase:
            self.put(rule, subject, after)
        elif rule.source is Source.OBSERVATIONS:
            self._states[rule.id, subject.key] = after
            (self._changed if kept.state.seen is None else self._moved_on).add(
                (rule.id, subject.key)
            )
        else:  # goes on from the moment up to which was judged
            self._states[rule.id, subject.key] = after

    def break_off(self, turn: Turn, key: Key, kept: Kept, reason: str, now: datetime) -> None:
        """End an alert for another reason than its values."""
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

    def write(self, turn: Turn, judged: datetime | None) -> None:
        """Write what has changed: at once where something began or ended, otherwise now and then.

        Args:
            turn: writes.
            judged: the moment up to which figures were judged.
        """
        if not (self._happened or self._pressing or self._steady() >= self._write_due):
            return
        self._write_due = self._steady() + _WRITE_EVERY_S
        if self._steady() >= self._write_moved_due:
            self._write_moved_due = self._steady() + _WRITE_MOVED_EVERY_S
            self._changed |= self._moved_on
            self._moved_on.clear()
        turn.put_states((key, self._states[key]) for key in sorted(self._changed))
        if judged is not None:
            turn.note_judged(judged)
        if self._happened:
            turn.announce()
        self._changed.clear()
        self._happened = self._pressing = False
