"""What the simulated fleet has published for good: a small file that survives a crash at any moment.

Times are seconds since 1970 UTC of the minute, before the second at which each thing reports is added.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

HISTORY_STEP_S = 300
LIVE_STEP_S = 60


class Span(BaseModel):
    """Reports after `start` up to and including `end`, one every `step_s`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    start: int
    end: int
    step_s: int = Field(ge=60)


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid")
    version: int = Field(1, ge=1, le=1)
    live_to: int
    backlog: list[Span]


class State:
    """The file, kept in step by two threads.

    Args:
        path: where it is; one per scenario and seed.
        now: seconds since 1970 UTC.
        history_days: how far back the first start goes, and the longest gap that is filled.

    Attributes:
        live_from: the live thread begins after this minute.
    """

    def __init__(self, path: Path, *, now: int, history_days: float) -> None:
        self._path = path
        self._lock = threading.Lock()
        oldest = _floor(now - round(history_days * 86_400), HISTORY_STEP_S)
        saved = _read(path)
        # The minute under way belongs to the live thread.
        self.live_from = _floor(now, LIVE_STEP_S) - LIVE_STEP_S
        if saved is None:
            origin = _floor(self.live_from, HISTORY_STEP_S)
            spans = [
                Span(start=min(oldest, origin), end=origin, step_s=HISTORY_STEP_S),
                Span(start=origin, end=self.live_from, step_s=LIVE_STEP_S),
            ]
        else:
            # After a clock that was set back, what is published already is not published again.
            self.live_from = max(self.live_from, saved.live_to)
            spans = [
                *saved.backlog,
                Span(start=saved.live_to, end=self.live_from, step_s=LIVE_STEP_S),
            ]
        self._live_to = self.live_from
        self._backlog = [
            trimmed for span in spans if (trimmed := _not_before(span, oldest)) is not None
        ]
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
        text = _Saved(version=1, live_to=self._live_to, backlog=self._backlog).model_dump_json()
        beside = self._path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


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


def _not_before(span: Span, oldest: int) -> Span | None:
    """Cut off what is older, at a whole step of the span; None where nothing is left."""
    if oldest > span.start:
        steps = -((span.start - oldest) // span.step_s)
        span = span.model_copy(update={"start": span.start + steps * span.step_s})
    return span if span.start < span.end else None
