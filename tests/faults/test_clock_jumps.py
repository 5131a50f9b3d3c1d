"""The clock of ingest jumps by a day, to and fro: every message is stored, or kept and brought in."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from devices import Device, hour
from fault_hub import MEMBERS, FaultHub, Worker
from fault_kinds import CLOCK_LOOK_S, DAY_S
from reckoning import Reckoning
from tsuji_simulators.publish import Publisher

(MEMBER, _) = MEMBERS
MESSAGES = 400


def _refused_as_future(stand: FaultHub) -> int:
    return sum(row.reason == "future_time" for row in stand.rejected())


@pytest.mark.parametrize("jumps", [(DAY_S,), (-DAY_S,), (DAY_S, -DAY_S)])
def test_a_clock_that_jumps_costs_no_message(
    stand: FaultHub, jumps: tuple[int, ...], eventually: Callable[..., None]
) -> None:
    stand.start([MEMBER], group=None)
    with Publisher(stand.device_address) as publisher:
        device = Device("clock", publisher)
        publisher.publish_things(device.things)
        for number, shift in enumerate((0, *jumps, 0)):
            worker = Worker(device.run, number, f"{shift}", MESSAGES)
            stand.clock.shift(shift)
            worker.start()
            worker.finish(120)
            eventually(lambda: stand.owed() == 0)
            if shift == -DAY_S:
                assert _refused_as_future(stand) > 0
            else:
                eventually(lambda: _refused_as_future(stand) == 0)
            time.sleep(CLOCK_LOOK_S)
    reckoning = Reckoning(stand, [device])
    spans = [(hour(0), hour(5)), (device.began - timedelta(1), device.began + timedelta(1))]
    # A correction that was refused meanwhile does not replace what had been stored before: of a row
    # it isn't known when it came.
    reckoning.settle(spans, within=120, undecided=lambda key: key[2] >= device.began)
    reckoning.check_counters()
    assert stand.process(MEMBER).is_running()
    assert stand.wrong_latest() == 0
