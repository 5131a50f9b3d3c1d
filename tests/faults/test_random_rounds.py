"""Random faults in rounds, with devices publishing at full speed: nothing is lost, nothing is doubled.

`make faults` runs 200 rounds (`ROUNDS=n` for another number), the tests a dozen. Each round follows
from its seed, which is printed: `make faults SEED=n` runs that round alone (moments are counted in
acknowledged messages, so a machine of another speed meets them elsewhere).

One device trusts the broker: it never sends again what was acknowledged. What a killed broker takes of
that is counted apart, and only what was acknowledged within a second before the kill may be missing.
"""

import os
import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from devices import Device, Key, TrustingDevice, hour
from fault_hub import GROUP, MEMBERS, FaultHub, Worker
from fault_kinds import CLOCK, FAULTS, KILLED_BROKER, Fault
from reckoning import Reckoning
from tsuji_platform.store.records import Tally
from tsuji_simulators.publish import Publisher

SHORT_SELECTION = 12
PATIENCE_S = 120
LOST_AFTER_S = 20.0
"""A fault that leaves connections alone, but lasts for longer on a machine that is so busy, may cost some:
the first is ingest's to the database (`tcp_user_timeout`), after 45 s the broker ends those with MQTT's
30 s between two signs of life."""
KILL_TAKES_S = 1.0
"""How long before its kill a broker may have acknowledged what it then forgot."""


def _seeds() -> list[int]:
    """A seed says, in this order of digits: chance, the first fault's place, one ingest or a group.

    Every fault has its turn, kills the first; rounds with one ingest come before those with a group.
    """
    if "SEED" in os.environ:
        return [int(os.environ["SEED"])]
    rounds = int(os.environ.get("ROUNDS", SHORT_SELECTION))
    places = random.sample(range(len(FAULTS)), k=len(FAULTS))
    places.sort(key=lambda place: not FAULTS[place].name.startswith("kill"))
    drawn = [
        (random.randrange(10**6) * len(FAULTS) + places[number % len(places)]) * 2 + number % 2
        for number in range(rounds)
    ]
    return sorted(drawn, key=lambda seed: seed % 2)


def _faults(seed: int, generator: random.Random) -> list[Fault]:
    first = FAULTS[seed // 2 % len(FAULTS)]
    others = [fault for fault in FAULTS if fault is not first]
    return [first, *generator.sample(others, k=generator.choice((0, 0, 1)))]


@dataclass(kw_only=True)
class Totals:
    """What all rounds come to."""

    rounds: int = 0
    by_fault: Counter[str] = field(default_factory=Counter)
    published: int = 0
    taken_by_kills: int = 0
    compared: int = 0
    """Rounds in which nothing could come twice, and nothing did."""


class Auditor(threading.Thread):
    """Asks the ingests all the time whether what they have received adds up.

    Attributes:
        audits: how often it did, with something received.
    """

    def __init__(self, hub: FaultHub) -> None:
        super().__init__(daemon=True)
        self._hub = hub
        self._done = threading.Event()
        self._failure: AssertionError | None = None
        self.audits = 0

    def run(self) -> None:
        while not self._done.wait(0.05):
            for member in self._hub.members:
                try:
                    self.audits += self._hub.figures[member].check_balance() > 0
                except httpx.TransportError:  # it is being killed, or not yet there
                    continue
                except AssertionError as error:
                    self._failure = error
                    return

    def finish(self) -> None:
        """End; fails where it once did not add up."""
        self._done.set()
        self.join()
        if self._failure is not None:
            raise self._failure
        assert self.audits > 0

    def __enter__(self) -> "Auditor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()


@dataclass
class Kill:
    """A kill of the broker.

    Attributes:
        begin: a moment before it, monotonic seconds.
        end: when another broker was there; what the killed one had said may be read until then.
    """

    begin: float
    end: float = float("inf")

    def is_over(self) -> None:
        self.end = time.monotonic()

    def may_have_taken(self, acknowledged: float) -> bool:
        return self.begin - KILL_TAKES_S < acknowledged < self.end + 1


class Rounds:
    """The devices and what they have published, over all rounds."""

    def __init__(self, hub: FaultHub, stack: ExitStack) -> None:
        self._hub = hub
        self.totals = Totals()

        def publisher(**settings: float) -> Publisher:
            return stack.enter_context(
                Publisher(hub.device_address, max_unacknowledged=200, **settings)
            )

        self._devices = [Device("pole", publisher()), Device("gate", publisher())]
        self._trusting = TrustingDevice("trusting", publisher(resend_s=0))
        self._reckoning = Reckoning(hub, self._devices, [self._trusting])
        self._kills: list[Kill] = []
        self._before = Tally()
        self._may_repeat = False
        self._lasted_s = self._lasted_before_s = 0.0
        self._connections = self._connections_before = 0
        self._clock_jumped_at = float("-inf")
        for one in (*self._devices, self._trusting):
            one.publisher.publish_things(one.things)

    def run(self, number: int, seed: int) -> None:
        """Run one round, and see that all of it is there."""
        began, begun_at = time.monotonic(), datetime.now(UTC)
        generator = random.Random(seed)
        messages = generator.randrange(100, 600)
        faults = _faults(seed, generator)
        names = [fault.name for fault in faults]
        published = self._published()
        self._kills.clear()
        try:
            workers = [
                Worker(one.run, number, f"{seed} {place}", messages)
                for place, one in enumerate((*self._devices, self._trusting))
            ]
            for worker in workers:
                worker.start()
            self._strike(faults, generator, messages, workers)
            for worker in workers:
                worker.finish(PATIENCE_S)
            self._flush()
            published = self._published() - published
            taken = self._check(number, faults, begun_at, published)
        except BaseException:
            print(f"round {number} FAILED: SEED={seed} {names}")
            for member in self._hub.members:
                print(f"--- {member}\n{self._hub.log(member)[-4000:]}")
            raise
        totals = self.totals
        totals.rounds += 1
        totals.by_fault.update(names)
        totals.published += published
        totals.taken_by_kills += taken
        print(
            f"round {number:3} SEED={seed:<8} {len(self._hub.members)} ingest  "
            f"{' + '.join(names):45} {published:5} values  "
            f"{time.monotonic() - began:4.1f} s{f'  the kill took {taken}' if taken else ''}",
            flush=True,
        )

    def _flush(self) -> None:
        """A fault may have struck behind a device's last word: then it is sent again now."""
        time.sleep(0.05)  # until every lost connection shows
        for one in (*self._devices, self._trusting):
            assert one.publisher.flush(PATIENCE_S)

    def _published(self) -> int:
        return sum(one.values for one in self._devices) + len(self._trusting.sent)

    def _strike(
        self,
        faults: list[Fault],
        generator: random.Random,
        messages: int,
        workers: list[Worker],
    ) -> None:
        """One after the other, or the second while the first lasts."""
        apart = len({fault.strikes for fault in faults}) < len(faults)
        begun = time.monotonic()
        with ExitStack() as all_of_them:
            for fault in faults:
                self._wait_for_messages(generator.randrange(messages), workers)
                if fault.name == KILLED_BROKER:
                    self._kills.append(kill := Kill(time.monotonic()))
                    all_of_them.callback(kill.is_over)
                all_of_them.enter_context(fault.trouble(self._hub, generator))
                time.sleep(generator.uniform(0.02, 0.6))
                if apart or generator.random() < 0.5:
                    all_of_them.close()
        self._lasted_s = time.monotonic() - begun

    def _wait_for_messages(self, number: int, workers: list[Worker]) -> None:
        publishers = [one.publisher for one in self._devices]
        begin = sum(one.counts.acknowledged for one in publishers)
        deadline = time.monotonic() + 1  # a fault that lasts may let none through
        while (
            sum(one.counts.acknowledged for one in publishers) < begin + number
            and any(worker.is_alive() for worker in workers)
            and time.monotonic() < deadline
        ):
            time.sleep(0.002)

    def _check(self, number: int, faults: list[Fault], begun_at: datetime, published: int) -> int:
        """Wait until all is stored, and compare; returns what the kill of the broker took."""
        # what a moment of this round is about, corrections of the round before, and the present
        spans = [
            (hour(number - 1), hour(number + 1)),
            (begun_at - timedelta(seconds=1), datetime.now(UTC) + timedelta(seconds=1)),
        ]
        # Members of a group store side by side. And what a clock in the past has refused comes in
        # behind what came after it.
        in_group = len(self._hub.members) > 1
        clock_jumped = any(fault.name == CLOCK for fault in faults)
        rows = self._reckoning.settle(
            spans,
            within=PATIENCE_S,
            undecided=lambda key: in_group or (clock_jumped and key[2] >= spans[1][0]),
        )
        taken = self._taken(rows, number)
        self._reckoning.check_counters()
        # what changes no row, a repetition at the end, may not even be read yet
        deadline, before = time.monotonic() + PATIENCE_S, self._before
        while self._hub.tally().received - before.received < published - taken:
            assert time.monotonic() < deadline, "something that was published never came"
            time.sleep(0.05)
        self._wait_until_none_waits()
        tally = self._hub.tally()
        self._before = tally
        came = tally.received - before.received
        if not self._may_come_twice(faults):
            assert came == published - taken, "something was received twice"
            self.totals.compared += 1
        if clock_jumped:
            self._clock_jumped_at = time.monotonic()
        return taken

    def _may_come_twice(self, faults: list[Fault]) -> bool:
        """Whether faults of this round or of the one before explain it: a repetition may come late."""
        before, self._may_repeat = self._may_repeat, any(fault.repeats for fault in faults)
        # One that only waits does where it lasted so long that connections were lost, and others made.
        connections = self._hub.connections()
        made = connections > self._connections_before
        self._connections_before, self._connections = self._connections, connections
        lasted_s = max(self._lasted_s, self._lasted_before_s)
        self._lasted_before_s = self._lasted_s
        return before or self._may_repeat or (made and lasted_s > LOST_AFTER_S)

    def _wait_until_none_waits(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        for member in self._hub.members:
            while self._hub.figures[member].health.get("waiting") != 0:
                assert time.monotonic() < deadline, f"{member} has values that wait for ever"
                time.sleep(0.02)

    def _taken(self, stored: dict[Key, float], number: int) -> int:
        """What was acknowledged to the trusting device and is not there."""
        begin, end = hour(number), hour(number + 1)
        missing = [
            one
            for one in self._trusting.sent
            if begin <= one.key[2] < end and one.key not in stored
        ]
        for one in missing:
            acknowledged = one.receipt.acknowledged_at
            assert acknowledged is not None
            assert any(kill.may_have_taken(acknowledged) for kill in self._kills), (
                f"{one.key} was acknowledged and is lost, and no kill of the broker explains it"
            )
        return len(missing)

    def finish(self) -> None:
        """Compare everything once more, at rest, and say what it came to."""
        keys = {key for device in self._devices for key in device.history}
        begin = min((*(key[2] for key in keys), hour(0)))
        rows = self._hub.rows([(begin, datetime.now(UTC) + timedelta(days=3))])
        tally, totals = self._hub.tally(), self.totals
        trusting = {one.key for one in self._trusting.sent}
        stored = {key for key, _ in rows}
        assert len(stored) == len(rows), "doubled"
        assert stored <= keys | trusting
        assert tally.stored == len(stored)
        # It follows with the values themselves; only what a jump of the clock leaves is set right later.
        jumped_lately = time.monotonic() < self._clock_jumped_at + PATIENCE_S
        deadline = time.monotonic() + (PATIENCE_S if jumped_lately else 0)
        while wrong := self._hub.wrong_latest():
            assert time.monotonic() < deadline, f"{wrong} datastreams show another as the newest"
            time.sleep(0.05)
        self._hub.check_rollups(within=PATIENCE_S)
        lost = len(keys - stored)
        print(
            f"\n{totals.rounds} rounds: "
            + ", ".join(f"{name} {n}" for name, n in sorted(totals.by_fault.items()))
            + f"\npublished {totals.published}, received {tally.received}, stored {tally.stored}, "
            f"duplicate {tally.duplicate}, corrected {tally.corrected}, rejected {tally.rejected}"
            f"\nlost {lost}, doubled {len(rows) - len(stored)}"
            f"\nin {totals.compared} rounds no message could come twice, and none did"
            f"\nof {len(self._trusting.sent)} values that were never sent again, kills of the broker "
            f"took {totals.taken_by_kills} that it had acknowledged"
        )
        assert lost == 0


def test_random_faults_lose_and_double_nothing(stand: FaultHub) -> None:
    with Auditor(stand) as auditor, ExitStack() as stack:
        rounds: Rounds | None = None
        for number, seed in enumerate(_seeds()):
            members, group = (MEMBERS, GROUP) if seed % 2 else (MEMBERS[:1], None)
            stand.start(members, group)
            rounds = rounds or Rounds(stand, stack)
            rounds.run(number + 1, seed)
        assert rounds is not None
        rounds.finish()
        print(
            f"what the ingests had received added up whenever they were asked, {auditor.audits} times"
        )
