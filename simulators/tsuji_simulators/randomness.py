"""Random numbers that are pure functions of a key and a position, so that any moment stands alone.

A generator with a state would need all the moments before to give one. Here a 64-bit key (from the
seed and names) and a position (a time bucket) are mixed by SplitMix64's finaliser (Steele, Lea and
Flood 2014, *Fast splittable pseudorandom number generators*), element by element. Only integer
arithmetic and elementary functions are used, not numpy's distributions, whose streams may change
between versions.
"""

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


def smooth(stream: np.uint64, time: NDArray[Any], scale_s: float) -> Floats:
    """A smoothly wandering signal of mean 0 and about unit variance.

    Independent normals stand every `scale_s` seconds; between them the signal follows a blend whose
    weights keep the variance at 1 all the way.
    """
    left, share = _between(np.asarray(time, dtype=np.float64) / scale_s)
    blended = (1.0 - share) * normal(stream, left) + share * normal(stream, left + 1)
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
    axes = [
        _between(np.broadcast_to(np.asarray(east_km) / scale_km, when.shape)),
        _between(np.broadcast_to(np.asarray(north_km) / scale_km, when.shape)),
        _between(when / scale_s),
    ]
    total = np.zeros(when.shape)
    squares = np.zeros(when.shape)
    nowhere = np.zeros(when.shape, dtype=np.int64)  # the knot holds place and time already
    for corner in range(8):
        weight = np.ones(when.shape)
        knot: Stream = stream
        for axis, (left, share) in enumerate(axes):
            right = corner >> axis & 1
            weight = weight * (share if right else 1.0 - share)
            knot = _mixed(knot, left + right)
        total += weight * normal(knot, nowhere)
        squares += weight**2
    return total / np.sqrt(squares)


def _between(where: Floats) -> tuple[Integers, Floats]:
    """The knot to the left, and how far the way to the next is gone, eased at both ends."""
    left = np.floor(where)
    share = where - left
    return left.astype(np.int64), share * share * (3.0 - 2.0 * share)


def whole(stream: np.uint64, position: NDArray[Any], amount: Floats) -> Integers:
    """Round each amount up or down at random so that the mean stays the amount."""
    below = np.floor(amount)
    return (below + (uniform(stream, position) < amount - below)).astype(np.int64)


def poisson(stream: np.uint64, position: NDArray[Any], mean: Floats) -> Integers:
    """Poisson counts with the given means."""
    drawn = uniform(stream, position)
    counts = np.zeros(mean.shape, dtype=np.int64)
    small = mean <= _SMALL_MEAN
    if small.any():
        counts[small] = _inverted(drawn[small], mean[small])
    if not small.all():
        large = ~small
        z = normal(stream ^ _MIX_1, position[large])
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
    stream: np.uint64, position: NDArray[Any], mean: Floats, shape: float
) -> Integers:
    """Over-dispersed counts: variance is mean + mean² / shape.

    A Poisson whose mean is spread by a gamma of mean 1, taken by Wilson and Hilferty's (1931)
    cube-root normal approximation, which is good for shapes from about 2.
    """
    z = normal(stream ^ _MIX_2, position)
    spread = np.maximum(1.0 - 1.0 / (9.0 * shape) + z / (3.0 * np.sqrt(shape)), 0.0) ** 3
    return poisson(stream, position, mean * spread)
