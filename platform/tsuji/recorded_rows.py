"""Recordings of the simulators' readers as rows for the importer: the same readers as for `tsuji replay`."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import orjson

from tsuji_platform.contract import RejectedError, Thing
from tsuji_platform.contract.messages import parse_time
from tsuji_platform.imports.files import identity
from tsuji_platform.imports.rows import ImportFileError, JudgedRows, Place, Refused
from tsuji_simulators.recorded import amedas, amedas_map, melbourne
from tsuji_simulators.recorded.recording import Read

FORMATS = ("melbourne", "amedas")
_ROWS = 20_000
_US = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_IN_REASONS = re.compile(r"[^a-z0-9]+")


class RecordedRows:
    """One file of a published recording, with the file that says what its things are.

    Attributes:
        name: of the file.
        form: `melbourne` or `amedas`.
        things: what the second file says of its things.
    """

    def __init__(self, path: Path, form: str, places: Path | None, rain: str = "10m") -> None:
        self.path, self.name, self.form = path, str(path), form
        if not path.is_file():
            raise ImportFileError(f"{path} is not a file")
        if places is None:
            option = "--locations" if form == "melbourne" else "--stations"
            raise ImportFileError(
                f"{form} needs the file that says where its things are: {option} FILE"
            )
        self._places = places
        self._rain = rain
        self._is_map = form == "amedas" and path.suffix == ".json"
        if form == "melbourne":
            self._things = melbourne.counters(places)
        elif places.suffix == ".json":
            self._things = amedas_map.stations_of(places)
        else:
            self._things = amedas.stations_of(places)

    def __enter__(self) -> "RecordedRows":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def things(self) -> Mapping[str, Thing]:
        """What the file's things are, by id."""
        return {thing.thing_id: thing for thing in self._things.values()}

    def identity(self, keep: bool) -> str:
        """Stands for the content of both files and for how it is read."""
        named = self.path.name if self._is_map else ""  # its time
        return identity([self.path, self._places], f"{self.form} {named} {self._rain} {keep}")

    def share(self) -> float | None:
        """Not known."""
        return None

    def _reads(self) -> Iterator[Read]:
        if self.form == "melbourne":
            return melbourne.rows(self.path, self._things)
        if self._is_map:
            return amedas_map.rows(self.path, self._things, self._rain)
        return amedas.rows(self.path, self._things)

    def rows(self, start: Place) -> Iterator[JudgedRows]:
        """The rows from a place on.

        Raises:
            RecordingError: where the file can't be read on.
        """
        reads = islice(self._reads(), start.rows, None)
        done = start.rows
        while batch := list(islice(reads, _ROWS)):
            done += len(batch)
            yield _judged(batch, Place(rows=done, lines=batch[-1].line))


def _judged(batch: list[Read], end: Place) -> JudgedRows:
    names: dict[tuple[str, str], int] = {}
    values, refused = [], []
    now = datetime.now(UTC)
    for place, read in enumerate(batch):
        for one in read.observations:
            try:
                parse_time(one.phenomenon_time.isoformat(), now)
            except RejectedError as error:
                refused.append(Refused.of(error, read.line, _shown(read)))
            else:
                pair = one.thing_id, one.observed_property
                values.append((names.setdefault(pair, len(names)), one, place))
    places = [place for _, _, place in values]
    lines = [read.line for read in batch]
    return JudgedRows(
        end=end,
        names=list(names),
        codes=np.array([code for code, _, _ in values], np.int32),
        periods=np.array([one.period_s or 0 for _, one, _ in values], np.int32),
        times_us=np.array(
            [(one.phenomenon_time - _EPOCH) // _US for _, one, _ in values], np.int64
        ),
        results=np.array([one.result for _, one, _ in values], np.float64),
        lines=np.array([batch[place].line for place in places], np.int64),
        original=lambda value: _shown(batch[places[value]]),
        refused=[
            *refused,
            *(
                Refused(
                    line=read.line,
                    reason=_NOT_IN_REASONS.sub("_", error.reason.lower()).strip("_"),
                    detail=f"{error.reason}: {error.value}",
                    row=_shown(read),
                )
                for read in batch
                for error in read.errors
            ),
        ],
        behind=lambda line: Place(
            rows=end.rows - len(batch) + bisect_right(lines, line), lines=line
        ),
    )


def _shown(read: Read) -> str:
    return orjson.dumps({str(key): value for key, value in read.row.items()}).decode()
