"""How many there are on all pages, for callers who ask."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Query

from tsuji_platform.api.fields import Count
from tsuji_platform.store.counting import Way

CountQuery = Annotated[
    Way | None,
    Query(
        alias="count",
        description="also say how many there are on all pages: `estimated` is quick, `exact` reads them "
        "all; left out, nobody counts",
        examples=["estimated"],
    ),
]


def counted(way: Way | None, count: Callable[[Way], int]) -> Count | None:
    """The count that was asked for; None where none was."""
    return None if way is None else Count(value=count(way), way=way)
