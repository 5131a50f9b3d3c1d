"""Files of the import formats as messages: what their things would have published, each at its time.

They are read by the very rules of `tsuji import`. Their rows may stand in any order, so a file's values are
held in memory, some 30 bytes each, and sorted by time.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuji.terminal import printable
from tsuji_platform.contract import (
    Observation,
    Thing,
    encode_observations,
    encode_thing,
    observations_topic,
    thing_topic,
)
from tsuji_platform.imports.files import FileRows, ReadingOptions
from tsuji_platform.imports.rows import Place
from tsuji_simulators.tape.message import Carried, Span, Tell, as_time

_SHOWN = 3
"""Refused rows of a file that are quoted."""


class RowsTrack:
    """One file of rows.

    Args:
        path: the file.
        options: how it is read.
        described: things by id; of those that occur each is registered ahead of the first message.
        tell: is told which rows are refused.
    """

    def __init__(
        self, path: Path, options: ReadingOptions, described: Mapping[str, Thing], tell: Tell
    ) -> None:
        self.name = str(path)
        self._path, self._options, self._described = path, options, described
        self._tell = tell
        with FileRows(path, options):  # is it there, and of a known form?
            pass

    def span(self) -> Span | None:
        """How much there is; reads the file."""
        rows = self._rows
        if not len(rows.times_us):
            return None
        first, last = int(rows.times_us[0]), int(rows.times_us[-1])
        return Span(first_us=first, last_us=last, messages=len(rows.starts) + len(rows.things))

    def messages(self) -> Iterator[Carried]:
        """One message for each thing, time and period, the registrations first.

        Raises:
            ImportFileError: the file can't be read.
        """
        rows = self._rows
        if not len(rows.times_us):
            return
        first_us = int(rows.times_us[0])
        for thing in rows.things:
            yield Carried(first_us, thing_topic(thing.thing_id), encode_thing(thing), 1, True)
        ends = np.append(rows.starts[1:], len(rows.times_us))
        for start, end in zip(rows.starts.tolist(), ends.tolist(), strict=True):
            time_us = int(rows.times_us[start])
            thing_id, time = rows.names[rows.codes[start]][0], as_time(time_us)
            period_s = int(rows.periods[start]) or None
            observations = [
                Observation(
                    thing_id=thing_id,
                    observed_property=rows.names[code][1],
                    phenomenon_time=time,
                    result=result,
                    period_s=period_s,
                )
                for code, result in zip(
                    rows.codes[start:end].tolist(), rows.results[start:end].tolist(), strict=True
                )
            ]
            yield Carried(time_us, observations_topic(thing_id), encode_observations(observations))

    @cached_property
    def _rows(self) -> "_Sorted":
        names: dict[tuple[str, str], int] = {}
        parts: list[tuple[NDArray[Any], ...]] = []
        described = dict(self._described)
        refused = 0
        with FileRows(self._path, self._options) as opened:
            for judged in opened.rows(Place()):
                codes = np.array(
                    [names.setdefault(one, len(names)) for one in judged.names], np.int32
                )
                described |= {thing.thing_id: thing for thing in judged.things}
                parts.append((codes[judged.codes], judged.periods, judged.times_us, judged.results))
                for one in judged.refused[: max(_SHOWN - refused, 0)]:
                    self._tell(
                        f"{self.name}, line {one.line:,} is left out: {printable(one.detail)}"
                    )
                refused += len(judged.refused)
        if refused > _SHOWN:
            self._tell(
                f"{self.name}: {refused:,} rows are left out; `tsuji import --dry-run` counts them by "
                "reason"
            )
        return _Sorted(list(names), described, parts)


class _Sorted:
    """Values in the order of time, within that by thing and period."""

    def __init__(
        self,
        names: list[tuple[str, str]],
        described: Mapping[str, Thing],
        parts: list[tuple[NDArray[Any], ...]],
    ) -> None:
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        if not columns:
            columns = [np.empty(0, np.int64)] * 4
        numbers: dict[str, int] = {}
        of_name = np.array(
            [numbers.setdefault(thing, len(numbers)) for thing, _ in names], np.int32
        )
        codes, periods, times_us, results = columns
        things = of_name[codes] if len(codes) else codes
        order = np.lexsort((periods, things, times_us))  # stable: of equals the last counts
        self.names = names
        self.codes, self.periods = codes[order], periods[order]
        self.times_us, self.results = times_us[order], results[order]
        things = things[order]
        same = (
            (self.times_us[1:] == self.times_us[:-1])
            & (things[1:] == things[:-1])
            & (self.periods[1:] == self.periods[:-1])
        )
        begins = np.concatenate(([True], ~same)) if len(order) else np.empty(0, bool)
        self.starts = np.flatnonzero(begins)
        self.things = [described[one] for one in numbers if one in described]
