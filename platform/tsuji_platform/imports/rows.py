"""What readers of files give: rows as they stand there, and rows that are judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tsuji_platform.contract import RejectedError, Thing


class ImportFileError(ValueError):
    """The file as a whole can't be read, or not on from here; the message says where and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far into a file: everything before it is dealt with.

    Attributes:
        rows: rows before it; the header is none.
        lines: lines before it.
        bytes: of the uncompressed text before it.
    """

    rows: int = 0
    lines: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One row, or one value of it, that is kept apart.

    Attributes:
        line: where the row begins in the file, from 1; in Parquet its number, from 1.
        reason: to count by.
        detail: a sentence that quotes what was wrong.
        row: the row as it stands in the file.
    """

    line: int
    reason: str
    detail: str
    row: str

    @classmethod
    def of(cls, error: RejectedError, line: int, row: str) -> "Refused":
        """From the contract's refusal."""
        return cls(line=line, reason=error.rejection.reason, detail=error.rejection.detail, row=row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """One row's cells as Python knows them."""

    thing: object
    observed_property: object
    unit: object
    time: object
    result: object
    period_s: object


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRows:
    """Rows as they stand in the file, all columns of the same length.

    Attributes:
        end: where the next rows begin.
        lines: int64, where each row begins.
        thing: text.
        observed_property: text.
        unit: text, None where the file has no such column.
        time: text or timestamps.
        result: text or numbers; null where `cells` has something else.
        period_s: text or numbers; None where the file has no such column.
        cells: one row's cells.
        original: one row as it stands in the file.
        behind: where the next row begins, behind the one that begins in a line.
        refused: rows beside these that could not be taken apart.
    """

    end: Place
    lines: NDArray[np.int64]
    thing: pa.Array
    observed_property: pa.Array
    unit: pa.Array | None = None
    time: pa.Array
    result: pa.Array
    period_s: pa.Array | None = None
    cells: Callable[[int], Cells]
    original: Callable[[int], str]
    behind: Callable[[int], Place] | None = None
    refused: Sequence[Refused] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRows:
    """Believed values of some rows of a file, and what was refused of them.

    Attributes:
        end: where the next rows begin.
        names: thing and observed property of each datastream that occurs.
        codes: int32, for each value its place in `names`.
        periods: int32, seconds; 0 where there is none.
        times_us: int64, microseconds since 1970-01-01T00:00Z.
        results: float64, in the units of their properties.
        lines: int64, where the row of each value begins.
        original: for the place of a value its row as it stands in the file.
        refused: in no particular order.
        things: what the file itself says of the things in `names`; empty for most formats.
        behind: where the next row begins, behind the one that begins in a line; None where rows can't
            be told apart, all of them are brought in or none.
    """

    end: Place
    names: Sequence[tuple[str, str]]
    codes: NDArray[np.int32]
    periods: NDArray[np.int32]
    times_us: NDArray[np.int64]
    results: NDArray[np.float64]
    lines: NDArray[np.int64]
    original: Callable[[int], str]
    refused: list[Refused] = field(default_factory=list)
    things: Sequence[Thing] = ()
    behind: Callable[[int], Place] | None = None

    def upto(self, line: int) -> "JudgedRows":
        """These rows without those that begin behind a line; all of them where they can't be told apart."""
        if self.behind is None:
            return self
        places = np.flatnonzero(self.lines <= line)
        return replace(
            self,
            end=self.behind(line),
            codes=self.codes[places],
            periods=self.periods[places],
            times_us=self.times_us[places],
            results=self.results[places],
            lines=self.lines[places],
            original=lambda value: self.original(int(places[value])),
            refused=[one for one in self.refused if one.line <= line],
        )
