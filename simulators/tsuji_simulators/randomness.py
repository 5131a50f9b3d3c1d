"""Random numbers that are pure functions of a key and a position, so that any moment stands alone.

A generator with a state would need all the moments before to give one. Here a 64-bit key (from the
seed and names) and a position (a time bucket) are mixed by SplitMix64's finaliser (Steele, Lea and
Flood 2014, *Fast splittable pseudorandom number generators*), element by element. Only integer
arithmetic and elementary functions are used, not numpy's distributions, whose streams may change
between versions.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Stream = np.uint64 | NDArray[np.uint64]
"""A key, or one for each position."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SMALL_MEAN = 40.0
"""Up to here Poisson counts are drawn by exact inversion, above by a normal with skew correction."""


def key(*parts: object) -> np.uint64:
    """A 64-bit key from a seed and names; different parts give unrelated keys."""
    text = "\x1f".join(map(str, parts))
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mixed(stream: Stream, position: NDArray[Any]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = (position.astype(np.int64).view(np.uint64) + np.uint64(1)) * _GOLDEN + stream
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def uniform(stream: Stream, position: NDArray[Any]) -> Floats:
    """Uniform numbers inside (0, 1), one for each whole-numbered position."""
    bits = _mixed(stream, position) >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def normal(stream: Stream, position: NDArray[Any]) -> Floats:
    """Standard normal numbers (Box and Muller 1958), one for each whole-numbered position."""
    one = uniform(stream, position)
    other = uniform(stream ^ _GOLDEN, position)
    drawn: Floats = np.sqrt(-2.0 * np.log(one)) * np.cos(2.0 * np.pi * other)
    return drawn


def smooth(stream: Stream, time: NDArray[Any], scale_s: float) -> Floats:
    """A smoothly wandering signal of mean 0 and about unit variance.

    Independent normals stand every `scale_s` seconds; between them the signal follows a blend whose
    weights keep the variance at 1 all the way.
    """
    left, share = _between(np.asarray(time, dtype=np.float64) / scale_s)
    earlier, later = _around(normal, stream, left)
    blended = (1.0 - share) * earlier + share * later
    wandering: Floats = blended / np.sqrt((1.0 - share) ** 2 + share**2)
    return wandering


def field(
    stream: np.uint64,
    east_km: NDArray[Any] | float,
    north_km: NDArray[Any] | float,
    time: NDArray[Any],
    *,
    scale_km: float,
    scale_s: float,
) -> Floats:
    """Like `smooth`, and over the ground as well: neighbours closer than `scale_km` agree.

    Args:
        stream: the field's key.
        east_km: position of the place, or of what moves past it, at each time.
        north_km: likewise.
        time: seconds.
        scale_km: distance between independent knots.
        scale_s: time between independent knots.
    """
    when = np.asarray(time, dtype=np.float64)
    east, east_share = _between(np.asarray(east_km, dtype=np.float64) / scale_km)
    north, north_share = _between(np.asarray(north_km, dtype=np.float64) / scale_km)
    moment, moment_share = _between(when / scale_s)
    # By corner of the cube that holds place and time, each axis mixed into the one before.
    drawn: dict[tuple[int, int, int], Floats] = {}
    for x in (0, 1):
        by_east = _mixed(stream, east + x)
        for y in (0, 1):
            by_north = _mixed(by_east, north + y)
            drawn[x, y, 0], drawn[x, y, 1] = _around(_normal_of_both, by_north, moment)
    total = np.zeros(when.shape)
    squares = np.zeros(when.shape)
    for z in (0, 1):
        for y in (0, 1):
            for x in (0, 1):
                weight = (east_share if x else 1.0 - east_share) * (
                    north_share if y else 1.0 - north_share
                )
                weight = weight * (moment_share if z else 1.0 - moment_share)
                total += weight * drawn[x, y, z]
                squares += weight**2
    return total / np.sqrt(squares)


def _around(
    draw: Callable[[Stream, NDArray[Any]], Floats], stream: Stream, left: Integers
) -> tuple[Floats, Floats]:
    """What is drawn at the knots to the left and to the right of many times.

    Each knot once, where there are fewer of them than times.

    Args:
        draw: from a stream and positions.
        stream: one, or a row for each place, or one for each time.
        left: the knot before each time; times along the last axis.
    """
    streams = np.shape(stream)[-1] if np.ndim(stream) else 0
    times = left.shape[-1] if streams else left.size
    first, last = (int(left.min()), int(left.max()) + 1) if left.size else (0, 0)
    if streams > 1 or last - first >= times:
        return draw(stream, left), draw(stream, left + 1)
    table = draw(stream, np.arange(first, last + 1))
    where = left - first
    if table.ndim == 1:
        return table[where], table[where + 1]
    rows = np.arange(len(table))[:, None] if len(table) > 1 else 0
    return table[rows, where], table[rows, where + 1]


def _normal_of_both(stream: Stream, position: NDArray[Any]) -> Floats:
    return normal(_mixed(stream, position), np.zeros(1, dtype=np.int64))


def _between(where: Floats) -> tuple[Integers, Floats]:
    """The knot to the left, and how far the way to the next is gone, eased at both ends."""
    left = np.floor(where)
    share = where - left
    return left.astype(np.int64), share * share * (3.0 - 2.0 * share)


def whole(stream: Stream, position: NDArray[Any], amount: Floats) -> Integers:
    """Round each amount up or down at random so that the mean stays the amount."""
    below = np.floor(amount)
    return (below + (uniform(stream, position) < amount - below)).astype(np.int64)


def poisson(stream: Stream, position: NDArray[Any], mean: Floats) -> Integers:
    """Poisson counts with the given means."""
    drawn = uniform(stream, position)
    counts = np.zeros(mean.shape, dtype=np.int64)
    small = mean <= _SMALL_MEAN
    if small.any():
        counts[small] = _inverted(drawn[small], mean[small])
    if not small.all():
        large = ~small
        z = normal(np.broadcast_to(stream, mean.shape)[large] ^ _MIX_1, position[large])
        # Cornish-Fisher: the normal quantile with the Poisson's skewness put in.
        value = mean[large] + np.sqrt(mean[large]) * z + (z * z - 1.0) / 6.0
        counts[large] = np.maximum(np.floor(value + 0.5), 0.0).astype(np.int64)
    return counts


def _inverted(drawn: Floats, mean: Floats) -> Integers:
    counts = np.zeros(mean.shape, dtype=np.int64)
    term = np.exp(-mean)
    reached = term.copy()
    below = drawn > reached
    number = 0
    while below.any() and number < 4 * _SMALL_MEAN:
        number += 1
        counts[below] += 1
        term = term * mean / number
        reached = reached + term
        below &= drawn > reached
    return counts


def negative_binomial(
    stream: Stream, position: NDArray[Any], mean: Floats, shape: float
) -> Integers:
    """Over-dispersed counts: variance is mean + mean² / shape.

    A Poisson whose mean is spread by a gamma of mean 1, taken by Wilson and Hilferty's (1931)
    cube-root normal approximation, which is good for shapes from about 2.
    """
    z = normal(stream ^ _MIX_2, position)
    spread = np.maximum(1.0 - 1.0 / (9.0 * shape) + z / (3.0 * np.sqrt(shape)), 0.0) ** 3
    return poisson(stream, position, mean * spread)
