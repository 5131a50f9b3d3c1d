"""Takes rejected messages in that today's rules believe; what is refused as before stays untouched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tsuji_platform.contract import Observation, Reason
from tsuji_platform.contract.readings import Readings, count_places
from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection
from tsuji_platform.store.errors import RowRefusedError, StoreError, translated
from tsuji_platform.store.gather import Gathered
from tsuji_platform.store.put import copy_stage, insert_waiting
from tsuji_platform.store.records import Received, Retried, Tally
from tsuji_platform.store.refusals import digest, keep, refusals
from tsuji_platform.store.registry import Place
from tsuji_platform.store.writer import Writer

_SQL = queries.load("rejected")
_WRITING = queries.load("writing")
_UNREADABLE = frozenset({Reason.UNKNOWN_TOPIC, Reason.NOT_STORABLE})
"""Says more of who reads than of the message: no reason to give up the one that it was refused for."""

_Key = tuple[int, datetime]
_Value = tuple[Observation, datetime]
"""And when it came."""


@dataclass(slots=True)
class _Outcome:
    """One message: what was kept of it, what is refused now, what goes in."""

    claimed: int = 0
    dropped: list[int] = field(default_factory=list)
    left: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[_Key, _Value] = field(default_factory=dict)
    stored: int = 0


class RetryWriter(Writer):
    """A writer for messages that are kept as rejected."""

    def retry(self, batch: Sequence[Received]) -> Retried:
        """Store what can be believed now, in one transaction.

        All that is kept of a message is dealt with at once, for whatever reasons: each reason for
        which just as many values are refused now as then keeps its row; the other rows are taken
        off and what is refused now gets rows of its own. Values count as rejected no longer, but as
        stored, or as duplicates where they are in the table already or repeat each other. What is in
        the table is newer and stays. A registration counts as a duplicate, too, since it holds no
        value; it registers its thing unless that has registered meanwhile.

        Args:
            batch: messages as they are read now, `received_at` being when they were received.

        Raises:
            DatabaseAwayError: nothing has changed; try again.
            RowRefusedError: the database refuses something in it; nothing has changed.
        """
        try:
            with translated():
                connection = self._open()
                with connection.transaction():
                    return self._retry(connection, batch)
        except StoreError:
            self.close()
            raise

    def retry_apart(
        self, batch: Sequence[Received], refused: Callable[[Received, str], None]
    ) -> Retried:
        """`retry`, without the messages that the database refuses: those stay as they are.

        Args:
            batch: as for `retry`, in the order of arrival.
            refused: told of each message that the database refuses, and why.

        Raises:
            DatabaseAwayError: some may have been retried; try again.
        """
        try:
            return self.retry(batch)
        except RowRefusedError as error:
            if len(batch) == 1:
                refused(batch[0], str(error))
                return Retried(untouched=1)
        half = len(batch) // 2
        outcome = self.retry_apart(batch[half:], refused)  # what goes in first must be the newest
        outcome.add(self.retry_apart(batch[:half], refused))
        return outcome

    def _retry(self, connection: Connection, batch: Sequence[Received]) -> Retried:
        retried = Retried()
        work = []
        for message, rows in zip(batch, _lock(connection, batch), strict=True):
            if not rows:  # someone else took it meanwhile
                continue
            if _UNREADABLE & {one.reason for one in message.rejections}:
                retried.untouched += 1
            else:
                work.append((message, rows))
        self._registry.renew(connection)
        things = _newly_registered(connection, [message for message, _ in work])
        retried.things_changed = self._register(connection, things)
        self._learn(connection, [message for message, _ in work])
        outcomes = []
        for message, rows in work:
            outcome = self._read(message, rows)
            if outcome.dropped:
                outcomes.append(outcome)
            else:
                retried.untouched += 1
        self._write(connection, outcomes)
        for outcome in outcomes:
            _count(outcome, retried)
        if not retried.tally.balanced():
            raise StoreError(f"the tally does not balance: {retried.tally}")
        self._count(connection, retried.tally)
        if retried.things_changed or retried.tally.stored:
            connection.execute(_WRITING["announce"])
        return retried

    def _read(self, message: Received, rows: Sequence[dict[str, Any]]) -> _Outcome:
        """Sort a message into what stays refused, what is refused anew and what goes in."""
        outcome = _Outcome()
        unknown: dict[Reason, list[str]] = {}
        for one in message.observations:
            key = self._registry.find_of(one)
            if isinstance(key, Reason):
                unknown.setdefault(key, []).append(one.observed_property)
                continue
            outcome.rows[key, one.phenomenon_time] = one, message.received_at
        now = {row["reason"]: row for row in refusals(message, unknown, Tally())}
        more = {row["reason"]: _more(row, now.get(row["reason"])) for row in rows}
        given_up = any(count < 0 for count in more.values())
        for row in rows:
            # what is given up for one reason may be refused for another from now on, beside what was
            if more[row["reason"]] < 0 or (given_up and more[row["reason"]] > 0):
                outcome.dropped.append(row["rejected_id"])
                outcome.claimed += row["value_count"]
            else:
                del now[row["reason"]]
                outcome.left += 1
        outcome.refused = list(now.values())
        return outcome

    def _write(self, connection: Connection, outcomes: Sequence[_Outcome]) -> None:
        dropped = [rejected_id for outcome in outcomes for rejected_id in outcome.dropped]
        if dropped:
            connection.execute(_SQL["drop_rejected"], {"rejected_ids": dropped})
        keep(connection, [row for outcome in outcomes for row in outcome.refused])
        owners = {key: outcome for outcome in outcomes for key in outcome.rows}
        if not owners:
            return
        self._insert_waiting(connection, owners)

    def _insert_waiting(self, connection: Connection, owners: dict[_Key, _Outcome]) -> None:
        gathered = Gathered()
        for key, outcome in owners.items():
            one, received_at = outcome.rows[key]
            for reading in Readings.of([one]).readings:
                place = Place([key[0]], count_places(reading.observed_properties))
                gathered.take(reading, place, received_at)
        rows = gathered.settled().columns
        with connection.cursor() as cursor:
            copy_stage(cursor, rows)
            for key in insert_waiting(cursor, rows):
                owners[key].stored += 1


def _more(row: dict[str, Any], again: dict[str, Any] | None) -> int:
    """How many more values are refused now than then, for the reason of this row."""
    counted = 0 if again is None else again["value_count"] * row["seen"]
    return int(counted - row["value_count"])


def _lock(connection: Connection, batch: Sequence[Received]) -> list[list[dict[str, Any]]]:
    """All that is kept of each message, whatever the reason, and held until the transaction ends."""
    digests = {
        digest(message, reason): number for number, message in enumerate(batch) for reason in Reason
    }
    kept: list[list[dict[str, Any]]] = [[] for _ in batch]
    for row in connection.execute(_SQL["lock_rejected"], {"digests": list(digests)}):
        kept[digests[row["digest"]]].append(row)
    return kept


def _newly_registered(connection: Connection, batch: Sequence[Received]) -> list[Received]:
    """The registrations of things that have not registered meanwhile."""
    things = [message for message in batch if message.thing is not None]
    if not things:
        return []
    ids = {"thing_ids": sorted({str(message.thing_id) for message in things})}
    known = {row["thing_id"] for row in connection.execute(_SQL["registered_things"], ids)}
    return [message for message in things if message.thing_id not in known]


def _count(outcome: _Outcome, retried: Retried) -> None:
    refused = sum(row["value_count"] for row in outcome.refused)
    absorbed = outcome.claimed - refused - outcome.stored
    tally = retried.tally
    tally.stored += outcome.stored
    tally.rejected += refused - outcome.claimed
    tally.duplicate += max(absorbed, 0)
    tally.received += max(-absorbed, 0)  # today's rules find more in it than was counted
    if outcome.left or outcome.refused:
        retried.changed += 1
    else:
        retried.settled += 1
