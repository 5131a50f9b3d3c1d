"""Reads a box of degrees, as parameters of several resources have it."""

from tsuji_platform.api.errors import BadParameterError

BBox = tuple[float, float, float, float]
"""West, south, east, north."""


def parse_bbox(text: str | None) -> BBox | None:
    """Read west, south, east and north.

    Raises:
        BadParameterError: where they are not four degrees in this order.
    """
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west, south, east, north = 1.0, 0.0, 0.0, 0.0
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise BadParameterError(
            f"bbox {text!r:.80} is not west,south,east,north in degrees, the smaller ones first, such as "
            "139.6,35.6,139.8,35.8"
        )
    return west, south, east, north
