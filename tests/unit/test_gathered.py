"""What a batch gathers: columns of what fits them, and a refusal by name of all else."""

import re
from datetime import datetime, tzinfo
from typing import Any

import numpy as np
import pytest
from msgspec.structs import force_setattr

from samples import RECEIVED, T0, after, observations
from tsuji_platform.contract import Observation
from tsuji_platform.contract.readings import Readings
from tsuji_platform.store.errors import RowRefusedError
from tsuji_platform.store.gather import Gathered
from tsuji_platform.store.registry import Place


class _NoOffset(tzinfo):
    """A zone that does not say how far from UTC it is; its times pass for aware ones."""

    def utcoffset(self, _: datetime | None) -> None:
        return None


def gathered(*content: Observation) -> Gathered:
    """Each with a datastream of its own."""
    rows = Gathered()
    for number, one in enumerate(content):
        (reading,) = Readings.of([one]).readings
        counts = [0] if one.observed_property == "pedestrians" else []
        rows.take(reading, Place([number], counts), RECEIVED)
    return rows


@pytest.mark.parametrize(
    ("field", "odd", "named"),
    [
        ("period_s", 0, "over 0 s"),
        ("period_s", -300, "-300"),
        ("period_s", 60.5, "60.5"),
        ("period_s", 2**31, "2147483648"),
        ("period_s", float("nan"), "nan"),
        ("period_s", "60", "over '60' s"),
        ("period_s", [60], "60"),
        ("result", None, "result null"),
        ("result", float("nan"), "nan"),
        ("result", 10**400, "1329 bits"),
        ("result", np.array([1.5]), "1.5"),
        ("phenomenon_time", T0.replace(tzinfo=_NoOffset()), "2026-04-01"),
    ],
)
def test_what_only_looks_like_an_observation_is_refused_and_nothing_made_of_it(
    field: str, odd: Any, named: str
) -> None:
    """A decoder of someone's own may bring anything along."""
    good = observations("gate", after(minutes=1), pedestrians=3, air_temperature=1)
    (one,) = observations("gate", T0, pedestrians=3)
    force_setattr(one, field, odd)
    for content in ([one], [one, *good], [*good, one]):
        with pytest.raises(RowRefusedError, match=re.escape(named)):
            gathered(*content).settled()
    assert len(gathered(*good).settled().columns) == 2


def test_numbers_of_any_kind_are_numbers() -> None:
    content = observations("gate", T0, pedestrians=3, air_temperature=1, wind_speed=2)
    for one, result, period_s in zip(
        content, (True, np.float32(1.5), 2), (np.int64(60), "passed over", 0), strict=True
    ):
        force_setattr(one, "result", result)
        force_setattr(one, "period_s", period_s)
    columns = gathered(*content).settled().columns
    assert columns.results.tolist() == [1, 1.5, 2]
    assert columns.periods.tolist() == [60, 0, 0]


def test_what_is_said_again_was_known_since_it_was_first_said() -> None:
    """As where the repetition comes in a later batch, which leaves the newest as it is."""
    rows = Gathered()
    for minute, result in enumerate((1, 2, 1, 1, 1)):
        (one,) = observations("pole", T0, air_temperature=result)
        (reading,) = Readings.of([one]).readings
        rows.take(reading, Place([7], []), after(hours=1, minutes=minute))
    settled = rows.settled()
    assert (settled.repeated, settled.replaced) == (2, 2)
    assert settled.columns.results.tolist() == [1]
    said = after(hours=1, minutes=2)
    assert settled.columns.received_us.tolist() == [said.timestamp() * 1_000_000]
