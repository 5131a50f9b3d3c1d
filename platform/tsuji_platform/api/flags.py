"""Which newest readings look wrong, asked of the database at most twice a minute, however many ask us."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tsuji_platform.analytics.readings import Reading
from tsuji_platform.contract.quality import Flag
from tsuji_platform.store.quality import NewestFlag, Quality

FRESH = timedelta(seconds=30)
"""How long an answer is good for."""

Stream = tuple[str, str]
"""A thing's id and an observed property."""


class Marks:
    """Flags to be put to readings, which may be newer than the flags are."""

    def __init__(self, flags: Iterable[NewestFlag]) -> None:
        self._flags = {(it.thing_id, it.observed_property): it for it in flags}

    def of(self, reading: Reading) -> list[Flag]:
        """What looks wrong with a newest reading: a step is one reading's, a stuck value lasts."""
        known = self._flags.get((reading.thing_id, reading.observed_property))
        if known is None:
            return []
        if reading.suppressed:
            return []
        lasts = reading.time >= known.time and reading.result == known.result
        return [
            flag
            for flag in known.flags
            if (lasts if flag is Flag.STUCK else reading.time == known.time)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The flags of all things at one moment, and since when stuck values are so."""

    time: datetime
    flags: list[NewestFlag]
    since: Mapping[Stream, datetime] | None = None


class NewestFlags:
    """The flags of the newest readings.

    Args:
        quality: where they are read.
        clock: the hub's.
    """

    def __init__(self, quality: Quality, clock: Callable[[], datetime]) -> None:
        self._quality = quality
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Found | None = None

    def now(self) -> Found:
        """Those of all things, up to `FRESH` old."""
        with self._lock:  # who comes meanwhile waits for the one answer
            return self._now()

    def with_beginnings(self) -> tuple[Found, Mapping[Stream, datetime]]:
        """The same, and the first reading of each stuck value."""
        with self._lock:
            found = self._now()
            if found.since is None:
                since = self._quality.since([it for it in found.flags if Flag.STUCK in it.flags])
                found = self._found = Found(time=found.time, flags=found.flags, since=since)
            return found, found.since or {}

    def marks(self, thing_id: str | None = None) -> Marks:
        """To be put to the newest readings of one thing, for which they are read anew, or of all."""
        return Marks(self.now().flags if thing_id is None else self._quality.newest(thing_id))

    def _now(self) -> Found:
        now = self._clock()
        # a clock that was set back must not keep an answer alive
        if self._found is None or not timedelta(0) <= now - self._found.time < FRESH:
            self._found = Found(time=now, flags=self._quality.newest())
        return self._found
