"""Kinds of fields that the answers share."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from tsuji_platform.contract.quality import Flag

Time = Annotated[datetime, Field(description="RFC 3339, UTC", examples=["2026-04-01T00:00:00Z"])]
Value = Annotated[float, Field(description="in the unit given beside it")]

Flags = Annotated[
    list[Flag],
    Field(description="what looks wrong: `step`, `stuck`; empty where nothing does", examples=[[]]),
]

GeoJson = dict[str, Any]
