"""What the simulated fleet has published for good: a small file that survives a crash at any moment.

Times are seconds since 1970 UTC of the minute, before the second at which each thing reports is added.

The file also remembers what the fleet leaves to others: the time before its first start, and what of a
very long gap it does not fill. So whoever brings history in another way covers exactly the rest.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

HISTORY_STEP_S = 300
LIVE_STEP_S = 60
GAP_DAYS = 3.0
"""After a longer stop only so many days are published, minute by minute."""
_LEFT_MOST = 100


class Span(BaseModel):
    """Reports after `start` up to and including `end`, one every `step_s`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    start: int
    end: int
    step_s: int = Field(ge=60)


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid")
    version: int = Field(2, ge=1, le=2)
    live_to: int
    backlog: list[Span]
    begun: int | None = None
    """Nothing before this is the fleet's; None where a version of Tsuji that didn't note it began."""
    left: list[Span] = []
    """Gaps that are not filled."""


class State:
    """The file, kept in step by two threads.

    Args:
        path: where it is; one per scenario and seed.
        now: seconds since 1970 UTC.
        history_days: how far back the first start goes; later gaps are filled as far as `GAP_DAYS`.

    Attributes:
        live_from: the live thread begins after this minute.
    """

    def __init__(self, path: Path, *, now: int, history_days: float) -> None:
        self._path = path
        self._lock = threading.Lock()
        saved = _read(path)
        # The minute under way belongs to the live thread.
        self.live_from = _floor(now, LIVE_STEP_S) - LIVE_STEP_S
        if saved is None:
            origin = _floor(self.live_from, HISTORY_STEP_S)
            oldest = _oldest(now, history_days)
            spans = [
                Span(start=min(oldest, origin), end=origin, step_s=HISTORY_STEP_S),
                Span(start=origin, end=self.live_from, step_s=LIVE_STEP_S),
            ]
            self._begun: int | None = spans[0].start
            self._left: list[Span] = []
            self._backlog = [span for span in spans if span.start < span.end]
        else:
            # After a clock that was set back, what is published already is not published again.
            self.live_from = max(self.live_from, saved.live_to)
            gap = Span(start=saved.live_to, end=self.live_from, step_s=LIVE_STEP_S)
            self._begun, self._left, self._backlog = saved.begun, list(saved.left), []
            for span in (*saved.backlog, gap):
                days = history_days if span.step_s == HISTORY_STEP_S else GAP_DAYS
                left, kept = _divided(span, _oldest(now, days))
                self._left += left
                self._backlog += kept
        self._live_to = self.live_from
        self._save()

    @property
    def backlog(self) -> Sequence[Span]:
        """What of the past is not published yet, oldest first."""
        with self._lock:
            return tuple(self._backlog)

    @property
    def live_to(self) -> int:
        """The last minute of which the broker has acknowledged everything."""
        with self._lock:
            return self._live_to

    def live_acknowledged(self, minute: int) -> None:
        """Everything live up to this minute has arrived."""
        with self._lock:
            self._live_to = max(self._live_to, minute)
            self._save()

    def newest_chunk(self, length_s: int) -> Span | None:
        """The newest part of the backlog, at most so long; None where nothing is left."""
        with self._lock:
            if not self._backlog:
                return None
            span = self._backlog[-1]
            start = max(span.start, _floor(span.end - 1, length_s))
            return Span(start=start, end=span.end, step_s=span.step_s)

    def chunk_acknowledged(self, chunk: Span) -> None:
        """What `newest_chunk` gave has arrived."""
        with self._lock:
            for index, span in enumerate(self._backlog):
                if (span.end, span.step_s) == (chunk.end, chunk.step_s):
                    left = span.model_copy(update={"end": chunk.start})
                    self._backlog[index : index + 1] = [left] if left.start < left.end else []
                    self._save()
                    return
            raise ValueError(f"{chunk} is not the end of any of {self._backlog}")

    def skip_live_to(self, minute: int) -> None:
        """The live thread goes on after this minute; what lies before becomes backlog."""
        with self._lock:
            if minute > self._live_to:
                self._backlog.append(Span(start=self._live_to, end=minute, step_s=LIVE_STEP_S))
                self._live_to = minute
                self._save()

    def _save(self) -> None:
        text = _Saved(
            version=2,
            live_to=self._live_to,
            backlog=self._backlog,
            begun=self._begun,
            left=self._left[-_LEFT_MOST:],
        ).model_dump_json()
        beside = self._path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


def left_to_others(path: Path, *, now: int, days: float, live_since: int) -> list[Span] | None:
    """What of the past is none of the fleet's, in steps as they come in history, newest first.

    Args:
        path: the state file.
        now: seconds since 1970 UTC.
        days: how far back from the fleet's first start, and how old the end of a gap may be.
        live_since: before it the file may still say how things were when the fleet stopped.

    Returns:
        Spans that share nothing with each other nor with what the fleet has published or will. They are
        the same each time, as long as `days` is and no gap becomes too old. None where the fleet has
        written nothing since.

    Raises:
        ValueError: the file is damaged.
    """
    saved = _read(path)
    if saved is None or saved.live_to < live_since:
        return None
    spans = [
        part for span in saved.left if span.end > _oldest(now, days) for part in _as_history(span)
    ]
    if saved.begun is not None and days > 0:
        start = _oldest(saved.begun, days)
        spans.append(Span(start=start, end=saved.begun, step_s=HISTORY_STEP_S))
    return sorted(spans, key=lambda span: span.end, reverse=True)


def _read(path: Path) -> _Saved | None:
    try:
        return _Saved.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ValueError(
            f"state file {path} can't be read; delete it to begin with fresh history: {error}"
        ) from error


def _floor(time: int, step: int) -> int:
    return time // step * step


def _oldest(now: int, days: float) -> int:
    return _floor(now - round(days * 86_400), HISTORY_STEP_S)


def _divided(span: Span, oldest: int) -> tuple[list[Span], list[Span]]:
    """What of a span is too old, and the rest, cut at a whole step of it."""
    cut = span.start
    if oldest > span.start:
        cut = min(span.start - ((span.start - oldest) // span.step_s) * span.step_s, span.end)
    parts = (span.model_copy(update={"end": cut}), span.model_copy(update={"start": cut}))
    old, new = ([part] if part.start < part.end else [] for part in parts)
    return old, new


def _as_history(span: Span) -> list[Span]:
    """The same in steps of history; what is too short for one comes first, as a step of its own."""
    cut = span.start + (span.end - span.start) % HISTORY_STEP_S
    parts = (
        Span(start=span.start, end=cut, step_s=max(cut - span.start, LIVE_STEP_S)),
        Span(start=cut, end=span.end, step_s=HISTORY_STEP_S),
    )
    return [part for part in parts if part.start < part.end]
