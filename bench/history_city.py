"""The city that the bench of history reads: a year of readings in all of Tokyo's municipalities."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import numpy as np
import psycopg
from numpy.typing import NDArray
from shapely.geometry import shape

from tsuji_platform.contract import Thing
from tsuji_platform.imports.known import known_rows
from tsuji_platform.imports.rows import JudgedRows, Place
from tsuji_platform.imports.run import Importer, Rules
from tsuji_platform.store import Refresher
from tsuji_platform.store.imports import ImportProgress, ImportWriter

AREA_SET = "municipalities-13"
CROWDED, QUIET = "13104", "13101"
"""新宿区, where half of all things stand, and 千代田区 with one."""
YEAR, MONTH, DAY = timedelta(days=365), timedelta(days=30), timedelta(days=1)
LONG_AGO = timedelta(days=180)
"""The day that ended so long ago is asked for, too."""

_BOUNDARIES = (
    Path(__file__).parents[2] / "shared" / "data" / "areas" / "N03-20210101_13_tokyo.geojson"
)
_PROPERTIES = ("air_temperature", "wind_from_direction", "pedestrians_in", "pedestrians_out")
PERIOD = timedelta(minutes=5)
"""From one observation of a datastream to the next."""
_CROWD = 66
_ASKED_FOR = 0.05
"""Share of the year's observations, about."""
_BATCH = 100_000
_CEILING_BATCHES = 10
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """What is there to be asked for.

    Attributes:
        things: one in each municipality, the first of which is asked for its year, and the crowd.
        end: of the year.
        share: of the year's days that are in the full table, those asked for aside.
    """

    things: tuple[Thing, ...]
    end: datetime
    share: float

    @classmethod
    def of(cls, rows: int) -> "City":
        """A city whose datastreams have about so many observations together, in a year up to now.

        With fewer than the year has, whole days are missing; more than it has there are not.
        """
        features = json.loads(_BOUNDARIES.read_text(encoding="utf-8"))["features"]
        places = {}
        for feature in features:  # a municipality has several where it has islands
            if code := feature["properties"]["N03_007"]:
                geometry = shape(feature["geometry"])
                if code not in places or geometry.area > places[code].area:
                    places[code] = geometry
        codes = [*sorted(places), *[CROWDED] * _CROWD]
        points = [places[code].representative_point() for code in codes]
        things = tuple(
            Thing(
                thing_id=f"bench-{number}",
                name=f"{code} {number}",
                kind="smart_pole",
                longitude=round(point.x, 6),
                latitude=round(point.y, 6),
                datastreams=_PROPERTIES,
            )
            for number, (code, point) in enumerate(zip(codes, points, strict=True))
        )
        year = YEAR // PERIOD * len(things) * len(_PROPERTIES)
        return cls(
            things=things,
            end=datetime.now(UTC).replace(microsecond=0),
            share=max(0.0, min(1.0, (rows - _ASKED_FOR * year) / (year - _ASKED_FOR * year))),
        )

    @property
    def streams(self) -> int:
        """How many datastreams there are."""
        return len(self.things) * len(_PROPERTIES)

    def register(self, url: str) -> None:
        """Make things and areas known, by the ways that everybody takes."""
        writer = ImportWriter(url)
        writer.register(self.things)
        writer.close()
        subprocess.run(
            [sys.executable, "-m", "tsuji", "areas", "import", str(_BOUNDARIES)],
            env={**os.environ, "TSUJI_DATABASE_URL": url},
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def is_asked_for(self, codes: NDArray[np.int32], times_us: NDArray[np.int64]) -> Bools:
        """Which observations the readings of the bench are made of; typical values come from others, too."""
        thing, name = codes // len(_PROPERTIES), codes % len(_PROPERTIES)
        age = _us(self.end) - times_us
        return np.asarray(
            (thing == 0)
            | (age < DAY // _MICROSECOND)
            | ((age < MONTH // _MICROSECOND) & (name != 1) & (thing >= len(self.things) - _CROWD))
            | ((age >= LONG_AGO // _MICROSECOND) & (age < (LONG_AGO + DAY) // _MICROSECOND))
        )

    def rows(self, *, asked_for: bool) -> Iterator[JudgedRows]:
        """Those observations of the year, or the others, in the order of time."""
        steps = YEAR // PERIOD
        held: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = []
        for codes, times_us in self._keys(self.end - PERIOD * (steps - 1), steps):
            mask = self.is_asked_for(codes, times_us) == asked_for
            if not asked_for:  # as many days as are wanted, all over the year
                days = times_us // (DAY // _MICROSECOND)
                mask &= ((days + 1) * self.share).astype(int) > (days * self.share).astype(int)
            if mask.any():
                held.append((codes[mask], times_us[mask]))
            if sum(len(its) for its, _ in held) >= _BATCH:
                yield self._judged(*map(np.concatenate, zip(*held, strict=True)))
                held.clear()
        if held:
            yield self._judged(*map(np.concatenate, zip(*held, strict=True)))

    def rows_since(self, start: datetime, steps: int, shift: timedelta) -> Iterator[JudgedRows]:
        """Some more of all datastreams, a little beside those of the year."""
        for codes, times_us in self._keys(start + shift, steps):
            yield self._judged(codes, times_us)

    def _keys(
        self, start: datetime, steps: int
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        at_once = max(1, _BATCH // self.streams)
        for first in range(0, steps, at_once):
            numbers = np.arange(first, min(first + at_once, steps), dtype=np.int64)
            times = _us(start) + numbers * (PERIOD // _MICROSECOND)
            codes = np.tile(np.arange(self.streams, dtype=np.int32), len(numbers))
            yield codes, np.repeat(times, self.streams)

    def _judged(self, codes: NDArray[np.int32], times_us: NDArray[np.int64]) -> JudgedRows:
        kind = codes % len(_PROPERTIES)
        wave = np.sin(times_us / 86_400e6 * 2 * np.pi + codes)
        weather = np.where(kind == 0, np.round(15 + 8 * wave, 1), np.round(180 + 170 * wave))
        return JudgedRows(
            end=Place(),
            names=[(thing.thing_id, name) for thing in self.things for name in _PROPERTIES],
            codes=codes,
            periods=np.where(kind >= 2, PERIOD // _SECOND, 0).astype(np.int32),
            times_us=times_us,
            results=np.where(kind >= 2, np.round(20 + 20 * wave), weather),
            lines=times_us,
            original=str,
        )


_MICROSECOND = timedelta(microseconds=1)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Rows, how many a second on average, and how many of the last million."""

    rows: int
    rate: float
    last_rate: float


def load(url: str, name: str, rows: Iterator[JudgedRows]) -> Loaded:
    """Bring rows in on the way of `tsuji import`: they are made while those before are written."""
    writer = ImportWriter(url)
    begun = time.perf_counter()
    marks = [(0, begun)]

    def numbered(_: Place) -> Iterator[JudgedRows]:
        done = 0
        for one in rows:
            done += len(one.codes)
            yield replace(one, end=Place(rows=done, lines=done))

    def note(progress: ImportProgress) -> None:
        marks.append((progress.stored, time.perf_counter()))

    progress = writer.begin(name, name, f"{name}.rejected")
    done = Importer(writer, Rules(), Event()).run(numbered, progress, Path(name), note)
    writer.close()
    if done.rejected or done.stored != marks[-1][0]:
        raise RuntimeError(f"{done.rejected} rows of the bench were rejected")
    before = next(mark for mark in marks if mark[0] >= done.stored - 1_000_000)
    return Loaded(
        rows=done.stored,
        rate=done.stored / (marks[-1][1] - begun),
        last_rate=(done.stored - before[0]) / max(1e-9, marks[-1][1] - before[1]),
    )


def ceiling(url: str, rows: Iterator[JudgedRows]) -> float:
    """Rows a second of nothing but COPY, of the same rows in the same order, packed before."""
    batches = []
    for one in itertools.islice(rows, _CEILING_BATCHES):
        keys = [number + 1 for number in range(len(one.names))]
        settled, _ = known_rows(one, keys, keep=False)
        if settled is not None:
            batches.append((len(settled.columns), settled.columns.observations()))
    with psycopg.connect(url) as connection:
        begun = time.perf_counter()
        for _, packed in batches:
            with connection.cursor().copy(
                "COPY observation (datastream_id, period_s, phenomenon_time, result)"
                " FROM STDIN (FORMAT binary)"
            ) as copy:
                copy.write(packed)
            connection.commit()
        return sum(count for count, _ in batches) / (time.perf_counter() - begun)


def roll_up(url: str) -> float:
    """Bring all rollups, and days by their quarter hours, up to date; seconds that it takes."""
    refresher = Refresher(url)
    begun = time.perf_counter()
    while refresher.refresh():
        pass
    while refresher.profile():
        pass
    refresher.close()
    return time.perf_counter() - begun


def settle(url: str) -> None:
    """Do what the database does by itself when nobody hurries it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
