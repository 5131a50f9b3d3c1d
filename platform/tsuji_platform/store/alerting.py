"""What the evaluator of alerts reads and writes: one turn is one transaction, states and events together.

Any number of evaluators may run, in any processes. In one database one of them holds the office: it
renews its name in every turn, and another takes over once that is older than `LEASE`. Each turn holds
a lock until its transaction ends and looks at the name under it, so that one who was frozen and wakes
up finds that it is no longer the one, before it has written anything.

What begins or ends, what is to be said of it, and the states that led to it are committed together. A
state that only moved on may be written later: who takes over finds the observations again, and
comes to the same state.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.store import queries
from tsuji_platform.store.alert_past import AlertPast
from tsuji_platform.store.alert_turn import Turn
from tsuji_platform.store.session import Session

_SQL = queries.load("alerts")
LEASE = timedelta(seconds=10)
"""Who has not renewed its name for so long no longer evaluates."""
_BREAK = timedelta(seconds=60)


class AlertOffice:
    """One evaluator's way into the database; used by one thread at a time.

    Args:
        url: PostgreSQL address.
        holder: whose evaluator it is: the ingest's id. An earlier run under the same is over.
        targets: who is to be told of alerts.
        typical_weeks: from which typical values are taken.
        gate: withholds small counts from what is said of alerts.
    """

    def __init__(
        self,
        url: str,
        holder: str,
        targets: Sequence[str],
        *,
        typical_weeks: int = 8,
        gate: Gate = OPEN,
    ) -> None:
        self._gate = gate
        self._session = Session(url, f"tsuji {holder} alerts")
        self._holder = holder
        self._run = uuid4().hex
        self._targets = list(targets)
        self.past = AlertPast(url, typical_weeks)

    def close(self) -> None:
        """Let the connections go; the next turn opens others."""
        self._session.close()
        self.past.close()

    @contextmanager
    def turn(self, problem: str = "") -> Iterator[Turn | None]:
        """One transaction of the evaluator; None while another one holds the office.

        Args:
            problem: what an operator has to mend, empty where nothing.

        Raises:
            StoreError: nothing of the turn was kept.
        """
        with self._session.transaction() as connection:
            connection.execute(_SQL["limit_alert_idleness"])
            # first without the lock, so that those who only stand by are in nobody's way
            if not self._may_hold(
                connection.execute(_SQL["evaluator"], {"lease": LEASE}).fetchone()
            ):
                yield None
                return
            (row,) = connection.execute(_SQL["lock_alerts"]).fetchall()
            before = connection.execute(_SQL["evaluator"], {"lease": LEASE}).fetchone()
            if not row["mine"] or not self._may_hold(before):
                yield None
                return
            mine = before is not None and before["run"] == self._run
            values = {"holder": self._holder, "run": self._run, "problem": problem}
            connection.execute(_SQL["hold_evaluator"], values)
            yield Turn(
                connection,
                self._targets,
                self.past,
                fresh=not mine,
                broken=before is None or before["seen_ago"] > _BREAK,
                gate=self._gate,
                judged_until=None if before is None else before["judged_until"],
                listening_since=None if before is None else before["listening_since"],
            )
            connection.execute(_SQL["hold_on"])

    def _may_hold(self, before: dict[str, Any] | None) -> bool:
        """Whether the office is ours already, or free, or of an earlier run of ours."""
        return before is None or before["holder"] == self._holder or not before["alive"]
