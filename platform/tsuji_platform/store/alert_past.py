"""What rules need of more than the last hour: over a connection of its own, opened when one needs it."""

from functools import cached_property

from tsuji_platform.store.database import Database
from tsuji_platform.store.day_inputs import DayInputs
from tsuji_platform.store.profiles import Profiles
from tsuji_platform.store.usual import UsualNow

_QUERY_S = 20.0
"""Less than the evaluator's own transaction may be idle meanwhile."""


class AlertPast:
    """Readers that see one moment each, beside the evaluator's transaction, which sees what is newest.

    Args:
        url: PostgreSQL address.
        weeks: from which typical values are taken.
    """

    def __init__(self, url: str, weeks: int) -> None:
        self._url = url
        self._weeks = weeks

    @cached_property
    def _database(self) -> Database:
        return Database(self._url, size=1, query_s=_QUERY_S)

    @cached_property
    def day(self) -> DayInputs:
        """Sums since midnight, and the day before."""
        return DayInputs(self._database)

    @cached_property
    def usual(self) -> UsualNow:
        """What is usual for the hour."""
        return UsualNow(Profiles(self._database), self._weeks)

    def close(self) -> None:
        """Let the connection go; the next question opens another."""
        for name in ("day", "usual"):
            self.__dict__.pop(name, None)
        database = self.__dict__.pop("_database", None)
        if database is not None:
            database.close()
