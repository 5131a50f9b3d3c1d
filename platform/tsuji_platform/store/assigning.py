"""The seam to geo: how the store asks which point lies in which area."""

from collections.abc import Callable, Sequence
from typing import Any

Point = tuple[str, float, float]
"""A thing's or feature's id, longitude and latitude."""
Shape = tuple[int, dict[str, Any]]
"""An area's key and its exact GeoJSON geometry."""
Assign = Callable[[Sequence[Point], Sequence[Shape], str], Sequence[tuple[int, str]]]
"""Says which point lies in which area of a set, given its kind: (area key, id) pairs."""
