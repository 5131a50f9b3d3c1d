"""What figures are computed from: values of things, and values combined into steps of time."""

from dataclasses import dataclass
from datetime import datetime

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value of one thing: an observation, or a total over a window.

    Attributes:
        thing_id: whose.
        observed_property: of what.
        time: phenomenon time (of a total: the newest in it).
        result: in the property's unit.
        covered_s: of a total of counts, the seconds that they cover.
    """

    thing_id: str
    observed_property: str
    time: datetime
    result: float
    covered_s: int | None = None


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
    """

    thing_id: str
    observed_property: str
    end: datetime
    n: int
    total: float
    highest: float
    sine: float
    cosine: float


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
    """

    end: datetime
    n: int
    total: float
    means: float
    highest: float
    sine: float
    cosine: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureValue:
    """A figure with what stands behind it.

    Attributes:
        value: in the figure's unit.
        n: how many things contribute.
        time: newest phenomenon time among them.
    """

    value: float
    n: int
    time: datetime
