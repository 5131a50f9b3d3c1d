"""A little city whose history tests export, and how they run the command."""

import subprocess
from collections.abc import Callable
from datetime import timedelta

import pytest

from samples import T0, area_set, message, registration, square
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.writer import Writer

Run = Callable[..., subprocess.CompletedProcess[bytes]]
DAY = timedelta(days=1)
MIDNIGHT = T0 + timedelta(hours=15)
"""Between 1 and 2 April 2026 in Tokyo."""
on_timescaledb = pytest.mark.parametrize("store_url", ["timescaledb"], indirect=True)
"""Where what is tested is not how the rows are kept."""


def build(writer: Writer, url: str) -> None:
    """Two things, one of them in an area, with readings around midnight in Tokyo."""
    writer.save(
        [
            registration("gate", "pedestrians", "wind_from_direction", owner="辻市"),
            registration("pole-1", "air_temperature", "sound_level", longitude=139.5),
        ]
    )
    times = [MIDNIGHT + timedelta(minutes=7 * n) for n in range(-300, 300)]
    times += [MIDNIGHT + timedelta(microseconds=n) for n in (-1, 1)]
    writer.save(
        [
            message("gate", time, 420, pedestrians=n % 13, wind_from_direction=(350 + n) % 360)
            for n, time in enumerate(times)
        ]
        + [
            message("pole-1", time, air_temperature=n / 14, sound_level=40 + n % 30)
            for n, time in enumerate(times)
        ]
    )
    with Database(url, size=1) as database:
        inside = area_set("town", square("A", 139.69, 35.68), square("B", 139.0, 35.0))
        Areas(database).put(
            inside,
            lambda points, shapes, _: [(shapes[0][0], name) for name, x, _ in points if x > 139.6],
        )
