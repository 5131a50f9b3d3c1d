"""What figures are computed from: values of things, and values combined into steps of time."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from tsuji_platform.analytics.suppression import is_suppressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value of one thing: an observation, or a total over a window.

    Attributes:
        thing_id: whose.
        observed_property: of what.
        time: phenomenon time (of a total: the newest in it).
        result: in the property's unit.
        covered_s: of a total of counts, the seconds that they cover.
        left_out: how many small counts are withheld, and no part of the result.
    """

    thing_id: str
    observed_property: str
    time: datetime
    result: float
    covered_s: int | None = None
    left_out: int = 0

    @property
    def suppressed(self) -> bool:
        """Whether there is no result to be told."""
        return is_suppressed(self.result, self.left_out)

    @property
    def told(self) -> float | None:
        """The result; None where there is none to be told."""
        return None if self.suppressed else self.result


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Observations of one datastream within one step of a series.

    Attributes:
        thing_id: whose.
        observed_property: of what.
        end: end of the step, which it includes.
        n: how many observations.
        total: their sum.
        highest: their maximum.
        sine: sum of the sines, for directions in degrees.
        cosine: sum of the cosines.
        left_out: how many small counts are withheld: no part of total and highest.
    """

    thing_id: str
    observed_property: str
    end: datetime
    n: int
    total: float
    highest: float
    sine: float
    cosine: float
    left_out: int = 0

    @property
    def suppressed(self) -> bool:
        """Whether there is no total to be told."""
        return is_suppressed(self.total, self.left_out)


class Combined(msgspec.Struct, frozen=True, gc=False):
    """What several things say within one step of a series, each with the same weight.

    Made of the database's rows as they come: there are thousands in an answer.

    Attributes:
        end: end of the step, which it includes.
        n: how many speak.
        total: sum of their totals.
        means: sum of their means.
        highest: the highest of all.
        sine: sum of the sines of their mean directions, of those that have one.
        cosine: sum of the cosines.
        left_out: how many small counts are withheld: no part of the sums.
    """

    end: datetime
    n: int
    total: float
    means: float
    highest: float
    sine: float
    cosine: float
    left_out: int = 0

    @property
    def suppressed(self) -> bool:
        """Whether there is no total to be told."""
        return is_suppressed(self.total, self.left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureValue:
    """A figure with what stands behind it.

    Attributes:
        value: in the figure's unit.
        n: how many things contribute.
        time: newest phenomenon time among them.
        left_out: how many small counts are withheld, and no part of the value.
    """

    value: float
    n: int
    time: datetime
    left_out: int = 0

    @property
    def suppressed(self) -> bool:
        """Whether there is no value to be told."""
        return is_suppressed(self.value, self.left_out)

    @property
    def told(self) -> float | None:
        """The value; None where there is none to be told."""
        return None if self.suppressed else self.value
