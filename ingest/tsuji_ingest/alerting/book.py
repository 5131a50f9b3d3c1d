"""What one evaluator remembers of all rules and subjects, and which of it has to be written when."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice

from tsuji_platform.analytics.alert_rules import Rule, Source
from tsuji_platform.analytics.alerts import Event, Phase, State, step
from tsuji_platform.store.alert_records import Kept, Key, Subject
from tsuji_platform.store.alert_turn import Turn

_log = logging.getLogger(__name__)
_WRITE_EVERY_S = 5.0
_MOST_MOVED_ON = 5_000
"""Of the states that have only seen more observations so many are written at a time: there is one for
each rule and thing."""
UNKNOWN = Kept(state=State())

Seen = tuple[datetime, float | None]
"""All that there is to remember where nothing waits or is on: time and value of the newest that was seen."""


class Book:
    """States by rule and subject; begins and ends alerts, and writes what has changed.

    Args:
        states: those that are kept.
        steady: monotonic seconds.
    """

    def __init__(
        self, states: dict[Key, Kept] | None = None, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._busy: defaultdict[str, dict[str, Kept]] = defaultdict(dict)
        self._calm: defaultdict[str, dict[str, Seen]] = defaultdict(dict)
        for key, kept in (states or {}).items():
            self._set(key, kept)
        self._steady = steady
        self._changed: set[Key] = set()
        self._moved_on: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._pressing = False
        self._happened = False
        self._write_due = steady()

    def _set(self, key: Key, kept: Kept) -> None:
        rule_id, subject = key
        state = kept.state
        if state.phase is Phase.CLEAR and kept.alert_id is None and state.seen is not None:
            self._calm[rule_id][subject] = state.seen, state.value
            self._busy[rule_id].pop(subject, None)
        else:
            self._busy[rule_id][subject] = kept
            self._calm[rule_id].pop(subject, None)

    def _of(self, key: Key) -> Kept:
        rule_id, subject = key
        seen = self._calm[rule_id].get(subject)
        if seen is not None:
            return Kept(state=State(seen=seen[0], value=seen[1]))
        return self._busy[rule_id].get(subject, UNKNOWN)

    def items(self) -> list[tuple[Key, Kept]]:
        """All that is remembered."""
        keys = [
            (rule_id, subject)
            for states in (self._busy, self._calm)
            for rule_id, its in states.items()
            for subject in its
        ]
        return [(key, self._of(key)) for key in keys]

    def get(self, rule: Rule, subject: Subject) -> Kept:
        """What is remembered of a subject, which may be nothing."""
        return self._of((rule.id, subject.key))

    def calm(self, rule: Rule) -> Mapping[str, Seen]:
        """What was seen of the subjects for which nothing waits or is on, by their keys."""
        return self._calm[rule.id]

    def move_on(self, rule: Rule, seen: Mapping[str, Seen]) -> None:
        """Remember more that was seen of such subjects, and that nothing came of it; write it in time."""
        self._calm[rule.id].update(seen)
        self._moved_on[rule.id].update(dict.fromkeys(seen))

    def put(self, rule: Rule, subject: Subject, kept: Kept, *, pressing: bool = False) -> None:
        """Remember something, and write it soon; at once where it is pressing."""
        self._set((rule.id, subject.key), kept)
        self._changed.add((rule.id, subject.key))
        self._pressing |= pressing

    def drop(self, key: Key) -> None:
        """Remember nothing of it any more."""
        self._busy[key[0]].pop(key[1], None)
        self._calm[key[0]].pop(key[1], None)

    def forget_the_future(self, now: datetime) -> None:
        """What was seen by a clock that has been set back since is not waited for."""
        for key, kept in self.items():
            if kept.state.seen is not None and kept.state.seen > now:
                self._set(key, replace(kept, state=replace(kept.state, seen=None)))
                self._changed.add(key)

    def busy(self, rule: Rule) -> set[str]:
        """Keys of the subjects for which something waits or is on."""
        return {
            subject
            for subject, kept in self._busy[rule.id].items()
            if kept.state.phase is not Phase.CLEAR
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
            return
        self._set((rule.id, subject.key), after)
        if rule.source is not Source.OBSERVATIONS:
            return  # goes on from the moment up to which was judged
        if kept.state.seen is None:
            self._changed.add((rule.id, subject.key))
        else:
            self._moved_on[rule.id][subject.key] = None

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
        self._take_moved_on()
        turn.put_states((key, self._of(key)) for key in sorted(self._changed))
        if judged is not None:
            turn.note_judged(judged)
        if self._happened:
            turn.announce()
        self._changed.clear()
        self._happened = self._pressing = False

    def _take_moved_on(self) -> None:
        """Some of those that moved on are written, too: those that wait the longest."""
        for rule_id in list(self._moved_on):
            waiting = self._moved_on[rule_id]
            room = _MOST_MOVED_ON - len(self._changed)
            taken = list(islice(waiting, max(0, room)))
            self._changed.update((rule_id, subject) for subject in taken)
            for subject in taken:
                del waiting[subject]
            if waiting:
                return
            del self._moved_on[rule_id]
