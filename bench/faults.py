"""The hub's own quality flags against the truth: every fault in a real hub, precision and recall of each."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson

from tsuji.testing import TestHub, running_hub
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.store import Database
from tsuji_platform.store.quality import Quality
from tsuji_simulators.faults import FAULTS
from tsuji_simulators.faults.scoring import NO_FAULT, Judged, Score, score
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.scenario_files import load_scenario

SIZES = {
    "air_temperature": (0.4, 3, 12),
    "relative_humidity": (2, 10, 50),
    "air_pressure": (0.4, 1.5, 25),
    "wind_speed": (0.5, 5, 30),
    "solar_irradiance": (15, 150, 1_000),
    "pm2_5": (2, 30, 250),
    "sound_level": (0.8, 8, 40),
    "pedestrians_in": (2, 20, 400),
}
"""Of drift (per hour), noise (standard deviation) and spikes, by observed property."""
_FLEET = """
[[fleets]]
kind = "smart_pole"
number = {number}
id = "{id}-{interval_s}-"
interval_s = {interval_s}
places = ["station", "park"]
people_per_day = [4_000, 40_000]
layout = {{ kind = "grid", west = 139.69, south = 35.68, east = 139.71, north = 35.7 }}
datastreams = [{datastreams}]
"""
_SIZED = """
[[faults]]
fault = "{fault}"
things = ["{fault}-*"]
observed_properties = ["{name}"]
{member} = {size}
"""
_LASTING = """from = 2025-06-10T12:00:00
to = 2025-06-11T12:00:00
"""
_PAGE = 10_000


def run() -> None:
    """Print the table of this part."""
    with tempfile.TemporaryDirectory(prefix="tsuji-bench-") as folder, running_hub() as hub:
        path = Path(folder) / "faults.toml"
        path.write_text(scenario_text(), encoding="utf-8")
        scenario = load_scenario(str(path))
        recording, truth = Path(folder) / "faults.tsuji", Path(folder) / "truth.jsonl"
        subprocess.run(
            [sys.executable, "-m", "tsuji", "simulate", path, "--out", recording, "--truth", truth],
            env={**os.environ, "TSUJI_HOME": folder},
            check=True,
        )
        hub.replay(recording, timeout_s=1_200)
        with truth.open("rb") as lines:
            scores = score(map(orjson.loads, lines), judged(hub, scenario))
    for row in table(scores):
        print(row)


def scenario_text(number: int = 2, intervals: tuple[int, ...] = (60, 300)) -> str:
    """The scenario, with so many things of each interval for each fault."""
    names = ", ".join(f'"{name}"' for name in OBSERVED_PROPERTIES if name != "pedestrian_density")
    fleets = "".join(
        _FLEET.format(number=number, id=one, interval_s=interval_s, datastreams=names)
        for one in ("none", *FAULTS)
        for interval_s in intervals
    )
    sized = "".join(
        _SIZED.format(fault=fault, name=name, member=member, size=size)
        + ("share = 0.01\n" if fault == "spike" else _LASTING)
        for name, sizes in SIZES.items()
        for (fault, member), size in zip(
            (("drift", "per_hour"), ("noise", "size"), ("spike", "size")), sizes, strict=True
        )
    )
    text = (Path(__file__).parent / "faults.toml").read_text(encoding="utf-8")
    return text.replace("@fleets@", fleets) + sized


def judged(hub: TestHub, scenario: Scenario) -> Iterator[Judged]:
    """Every observation that the hub keeps, with its flags."""
    start = datetime.fromtimestamp(scenario.start_s - 86_400, UTC)
    end = datetime.fromtimestamp(scenario.end_s + 86_400, UTC)
    with Database(hub.database_url, size=1) as database:
        quality = Quality(database)
        for member in scenario.members:
            yield from of_thing(quality, member.id, start, end)


def of_thing(quality: Quality, thing_id: str, start: datetime, end: datetime) -> Iterator[Judged]:
    """Those of one thing."""
    after = None
    while True:
        page = quality.observations(thing_id, start, end, limit=_PAGE, after=after)
        for one in page.items:
            yield Judged(
                thing_id=thing_id,
                observed_property=one.observed_property,
                time=one.time,
                flags=one.flags,
            )
        after = page.after
        if after is None:
            return


def table(scores: dict[str, Score]) -> Iterator[str]:
    """As it stands in the documentation."""
    yield (
        "| fault | right, but late or twice | missing | refused | wrong and kept | flagged (recall) "
        "| by | precision | occurrences found |"
    )
    yield "|---|--:|--:|--:|--:|--:|---|--:|--:|"
    for name in (*FAULTS, NO_FAULT):
        it = scores[name]
        by = ", ".join(f"{flag} {count:,}" for flag, count in it.by_flag.most_common())
        recall = "–" if it.recall is None else f"{it.recall:.1%}"
        precision = "–" if it.precision is None else f"{it.precision:.1%}"
        found = f"{it.found:,} of {it.occurrences:,}" if it.occurrences else "–"
        shown = name or "none"
        yield (
            f"| {shown} | {it.right:,} | {it.missing:,} | {it.refused:,} | {it.kept:,} "
            f"| {it.flagged:,} ({recall}) | {by or '–'} | {precision} | {found} |"
        )
