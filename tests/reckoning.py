"""Compares the table with what devices have published: what is missing, made up, or of another value."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from devices import Device, Key, TrustingDevice
from fault_hub import FaultHub, Refusal

Span = tuple[datetime, datetime]


class Reckoning:
    """What devices have published to a hub against what it holds.

    Args:
        hub: where they publish.
        devices: those that send again; none of their values may be missing.
        trusting: those that don't, whose missing values are somebody else's to judge.
    """

    def __init__(
        self, hub: FaultHub, devices: Sequence[Device], trusting: Sequence[TrustingDevice] = ()
    ) -> None:
        self._hub = hub
        self.devices = devices
        self._trusting = trusting

    def settle(
        self, spans: Sequence[Span], *, within: float, undecided: Callable[[Key], bool]
    ) -> dict[Key, float]:
        """Wait until the broker owes nothing, and what is stored and rejected is as it was published.

        Args:
            spans: of phenomenon time, end excluded; the rest of the table is not looked at.
            within: seconds.
            undecided: for which keys any published value will do, not only the last one.

        Returns:
            The values in the table.

        Raises:
            AssertionError: with what is wrong.
        """
        deadline = time.monotonic() + within
        while True:
            owed = self._hub.owed()
            rows = self._hub.rows(spans)
            wrong = self._differences(rows, spans, undecided)
            if owed == 0 and not wrong:
                if self._kept(self._hub.rejected()) == self._bad:
                    return dict(rows)
                wrong = ["what is kept as rejected is not what had to be"]
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"the broker still keeps {owed} messages; {len(wrong)} values are wrong: {wrong[:20]}"
                )
            time.sleep(0.02)

    @staticmethod
    def _kept(refusals: Sequence[Refusal]) -> set[tuple[str, bytes]]:
        return {(row.topic, row.payload) for row in refusals}

    @property
    def _bad(self) -> set[tuple[str, bytes]]:
        return {one for device in self.devices for one in device.bad}

    def _differences(
        self,
        rows: Sequence[tuple[Key, float]],
        spans: Sequence[Span],
        undecided: Callable[[Key], bool],
    ) -> list[str]:
        stored = dict(rows)
        wrong = [f"{len(rows) - len(stored)} keys are there twice"] * (len(stored) < len(rows))
        expected = {
            key: values
            for device in self.devices
            for key, values in device.history.items()
            if any(begin <= key[2] < end for begin, end in spans)
        }
        known = {one.key: one.result for device in self._trusting for one in device.sent}
        for key, result in stored.items():
            values = expected.pop(key, None)
            if values is None:
                if known.get(key) != result:
                    wrong.append(f"{key} was never published as {result}")
            elif result not in values:
                wrong.append(f"{key} is {result}, published were {values}")
            elif result != values[-1] and not undecided(key):
                wrong.append(f"{key} is {result}, the last of {values} was published last")
        return wrong + [f"{key} is missing" for key in expected]

    def check_counters(self) -> None:
        """See that the counters add up, and that what is kept as rejected is what had to be."""
        tally, refusals = self._hub.books()
        assert tally.balanced(), tally
        assert tally.rejected == sum(row.value_count for row in refusals)
        assert self._kept(refusals) == self._bad
