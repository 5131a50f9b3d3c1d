"""Where the things of a numbered fleet stand: on a grid, scattered evenly, or along a line."""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil, sqrt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tsuji_simulators.part import Part

_Longitude = Annotated[float, Field(ge=-180, le=180)]
_Latitude = Annotated[float, Field(ge=-90, le=90)]
_DIGITS = 6
_R2 = (0.7548776662466927, 0.5698402909980532)
"""Steps of a sequence that fills a square evenly, however long it is (Roberts 2018, R2)."""


class _Box(Part):
    west: _Longitude
    south: _Latitude
    east: _Longitude
    north: _Latitude

    @model_validator(mode="after")
    def _is_wide(self) -> Self:
        if self.west >= self.east or self.south >= self.north:
            raise ValueError("west must be less than east, and south less than north")
        return self

    def _at(self, x: float, y: float) -> tuple[float, float]:
        longitude = self.west + x * (self.east - self.west)
        latitude = self.south + y * (self.north - self.south)
        return round(longitude, _DIGITS), round(latitude, _DIGITS)


class Grid(_Box):
    """Rows and columns in a box, about as many of each."""

    kind: Literal["grid"]

    def positions(self, number: int) -> Iterator[tuple[float, float]]:
        """Longitude and latitude of each, from the south-west, row by row."""
        columns = ceil(sqrt(number))
        rows = ceil(number / columns)
        for index in range(number):
            row, column = divmod(index, columns)
            yield self._at((column + 0.5) / columns, (row + 0.5) / rows)


class Scatter(_Box):
    """All over a box, evenly and without a pattern."""

    kind: Literal["scatter"]

    def positions(self, number: int) -> Iterator[tuple[float, float]]:
        """Longitude and latitude of each."""
        for index in range(1, number + 1):
            yield self._at((0.5 + index * _R2[0]) % 1.0, (0.5 + index * _R2[1]) % 1.0)


class Line(Part):
    """Along a street: a line through points, evenly."""

    kind: Literal["line"]
    along: tuple[tuple[_Longitude, _Latitude], ...] = Field(
        min_length=2, description="Points of longitude and latitude."
    )

    def positions(self, number: int) -> Iterator[tuple[float, float]]:
        """Longitude and latitude of each, from the first point to the last."""
        legs = list(pairwise(self.along))
        lengths = [sqrt((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) for a, b in legs]
        whole = sum(lengths)
        for index in range(number):
            left = whole * (index / (number - 1) if number > 1 else 0.5)
            for (a, b), length in zip(legs, lengths, strict=True):
                if left <= length or (a, b) == legs[-1]:
                    share = min(left / length, 1.0) if length else 0.0
                    yield (
                        round(a[0] + share * (b[0] - a[0]), _DIGITS),
                        round(a[1] + share * (b[1] - a[1]), _DIGITS),
                    )
                    break
                left -= length


Layout = Annotated[Grid | Scatter | Line, Field(discriminator="kind")]
