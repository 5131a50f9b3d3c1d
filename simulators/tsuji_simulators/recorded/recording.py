"""What every reader of a recording gives: its things, its observations, and the rows it could not use."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from tsuji_platform.contract import Observation, RejectedError, Thing


class RecordingError(ValueError):
    """The file as a whole can't be used; the message names it and says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One row that could not be used.

    Attributes:
        line: where the row begins in the file, the header being line 1.
        reason: what is wrong with it; rows with the same fault have the same reason.
        value: what stood there.
    """

    line: int
    reason: str
    value: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}: {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording in memory.

    Attributes:
        things: every thing that has observations.
        observations: in the order of their phenomenon times.
        problems: the rows that are in neither.
        rows: how many the file held.
        notes: what a user should know of how it was read.
    """

    things: tuple[Thing, ...]
    observations: tuple[Observation, ...]
    problems: tuple[Problem, ...]
    rows: int
    notes: tuple[str, ...] = ()

    def problem_summary(self) -> list[str]:
        """One sentence for each kind of fault, the most frequent first."""
        first = {p.reason: p for p in reversed(self.problems)}
        return [
            f"{count} {'row' if count == 1 else 'rows'} not used: {reason} "
            f"(first in line {first[reason].line}: {first[reason].value})"
            for reason, count in Counter(p.reason for p in self.problems).most_common()
        ]


class RowError(ValueError):
    """One row can't be used: the reason, and what stood there."""

    def __init__(self, reason: str, value: str) -> None:
        super().__init__(f"{reason}: {value}")
        self.reason = reason
        self.value = value

    @classmethod
    def of(cls, error: RejectedError) -> "RowError":
        """From the contract's refusal of a value."""
        return cls(error.rejection.reason.replace("_", " "), error.rejection.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one row of a file gave: observations, refused values, or both.

    Attributes:
        line: where the row begins in the file, the header being line 1.
        row: the row as it stands there.
        observations: believed.
        errors: why the row, or some of its values, are not.
    """

    line: int
    row: Mapping[str, str]
    observations: Sequence[Observation] = ()
    errors: Sequence[RowError] = ()


class Collector:
    """Gathers what a reader finds, and refuses a second value for the same thing and time.

    Attributes:
        observations: kept so far, in the file's order.
    """

    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self._seen: set[tuple[str, str, float]] = set()
        self._problems: list[Problem] = []
        self._rows = 0

    def take(self, read: Read) -> None:
        """Keep what a row gave."""
        self._rows += 1
        for error in read.errors:
            self.refuse(read.line, error)
        for one in read.observations:
            try:
                self.add(one)
            except RowError as error:
                self.refuse(read.line, error)

    def add(self, observation: Observation) -> None:
        """Keep an observation.

        Raises:
            RowError: where there is one of the same thing, property and time already.
        """
        identity = (
            observation.thing_id,
            observation.observed_property,
            observation.phenomenon_time.timestamp(),
        )
        if identity in self._seen:
            raise RowError(
                "a second value for the same thing and time",
                f"{observation.thing_id} {observation.observed_property} "
                f"{observation.phenomenon_time.isoformat()}",
            )
        self._seen.add(identity)
        self.observations.append(observation)

    def refuse(self, line: int, error: RowError) -> None:
        """Keep why a row can't be used."""
        self._problems.append(Problem(line=line, reason=error.reason, value=error.value))

    def recording(self, things: Mapping[str, Thing], notes: Iterable[str] = ()) -> Recording:
        """Put it together; only things that have observations are kept."""
        ordered = sorted(self.observations, key=attrgetter("phenomenon_time"))
        heard = {one.thing_id for one in ordered}
        return Recording(
            things=tuple(thing for thing in things.values() if thing.thing_id in heard),
            observations=tuple(ordered),
            problems=tuple(self._problems),
            rows=self._rows,
            notes=tuple(notes),
        )


def csv_rows(
    path: Path, columns: tuple[str, ...], *others: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a UTF-8 CSV file, with commas or semicolons, with the line at which each begins.

    Args:
        path: of the file.
        columns: that it must have.
        *others: that it may have instead.

    Raises:
        RecordingError: where the file can't be read or lacks one of the columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline(65_536)
            file.seek(0)
            semicolons = header.count(";") > header.count(",")
            reader = csv.DictReader(file, restval="", delimiter=";" if semicolons else ",")
            names = reader.fieldnames or ()
            if not any(set(form) <= set(names) for form in (columns, *others)):
                missing = [name for name in columns if name not in names]
                raise RecordingError(
                    f"{path} has no column {', '.join(missing)}; it begins with "
                    f"{', '.join(names or ['nothing'])}"
                )
            line = reader.line_num + 1
            for row in reader:
                yield line, row
                line = reader.line_num + 1
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path} can't be read as UTF-8 CSV: {error}") from error


def degrees(row: Mapping[str, str], latitude: str, longitude: str) -> tuple[float, float]:
    """Longitude and latitude of a row.

    Raises:
        RowError: where they are no degrees.
    """
    shown = f"{latitude} {row[latitude]!r}, {longitude} {row[longitude]!r}"
    try:
        north, east = float(row[latitude]), float(row[longitude])
    except ValueError as error:
        raise RowError("no coordinates", shown) from error
    if not (-90 <= north <= 90 and -180 <= east <= 180):
        raise RowError("coordinates out of range", shown)
    return east, north
