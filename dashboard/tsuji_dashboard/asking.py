"""Asks the API for several things at once, of which one that fails must not take the others with it."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from tsuji_dashboard.client import ApiAwayError, UnknownError

_T = TypeVar("_T")


async def all_of(asked: Iterable[Awaitable[_T]]) -> list[_T | None]:
    """The answers in their order, None for each that could not be had."""
    return list(await asyncio.gather(*map(or_none, asked)))


async def or_none(asked: Awaitable[_T]) -> _T | None:
    """The answer, None where it could not be had."""
    try:
        return await asked
    except (ApiAwayError, UnknownError):
        return None
