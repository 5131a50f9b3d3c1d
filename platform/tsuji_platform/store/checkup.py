"""How the database fares, for whoever watches over it: sizes, what waits, rights, backups, its clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tsuji_platform.store import queries
from tsuji_platform.store.database import Database
from tsuji_platform.store.migrate import available

_SQL = queries.load("checkup")
_COUNTED = 100_000
TABLES = (
    "observation",
    "latest",
    "rollup_5min",
    "rollup_hour",
    "rollup_day",
    "rollup_profile",
    "rejected_message",
    "changed",
    "alert_message",
    "feature",
)
"""Those that grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupLog:
    """What waits to be rolled up.

    Attributes:
        new_rows: of the log, of what is new; no more than 100,000 of both kinds are counted.
        late_rows: of what came long past its time.
        lag_s: for how long the oldest finished five minutes of what is new have waited, seconds.
    """

    new_rows: int
    late_rows: int
    lag_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The last one that was finished."""

    started: datetime
    ended: datetime
    bytes: int | None
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Who we are there.

    Attributes:
        name: of the role.
        superuser: whether it may do anything.
        connections: that are open, of all clients.
        most_connections: that the server takes.
    """

    name: str
    superuser: bool
    connections: int
    most_connections: int


class Checkup:
    """Read access to how one database fares."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def clock(self) -> datetime:
        """The database's time."""
        (row,) = self._database.rows(_SQL["clock"])
        now: datetime = row["now"]
        return now

    def rollup_log(self) -> RollupLog:
        """What waits to be rolled up."""
        (row,) = self._database.rows(_SQL["rollup_log"], {"most": _COUNTED})
        return RollupLog(
            new_rows=row["new_rows"], late_rows=row["late_rows"], lag_s=float(row["lag_s"] or 0.0)
        )

    def sizes(self) -> Mapping[str, int]:
        """Bytes of the tables that grow, with their indexes."""
        asked = {"tables": list(TABLES)}
        rows = self._database.rows(_SQL["sizes"], asked)
        (timescaledb,) = self._database.rows(_SQL["has_timescaledb"])
        if timescaledb["there"]:
            rows += self._database.rows(_SQL["hypertable_sizes"], asked)
        return {row["name"]: int(row["bytes"]) for row in rows}

    def database_size(self) -> int:
        """Bytes of the whole database."""
        (row,) = self._database.rows(_SQL["database_size"])
        return int(row["bytes"])

    def last_backup(self) -> Backup | None:
        """The last finished backup; None where there was none, or none is noted."""
        (row,) = self._database.rows(_SQL["has_backups"])
        if not row["has_backups"]:
            return None
        rows = self._database.rows(_SQL["last_backup"])
        return Backup(**rows[0]) if rows else None

    def schema(self) -> tuple[list[str], list[str]]:
        """Migrations that the database lacks, and those that this version does not know."""
        (row,) = self._database.rows(_SQL["has_migrations"])
        rows = self._database.rows(_SQL["migration_names"]) if row["has_migrations"] else []
        applied, shipped = [row["name"] for row in rows], [name for name, _ in available()]
        return (
            [name for name in shipped if name not in applied],
            [name for name in applied if name not in shipped],
        )

    def role(self) -> Role:
        """Who we are there."""
        (row,) = self._database.rows(_SQL["role"])
        return Role(**row)

    def lacking_rights(self, wanted: Mapping[str, str]) -> list[str]:
        """Of rights on tables, by name, those that we lack: `SELECT on thing`."""
        values = {"tables": list(wanted), "privileges": list(wanted.values())}
        rows = self._database.rows(_SQL["lacking_rights"], values)
        return [f"{row['privilege']} on {row['name']}" for row in rows]

    def longest_transaction_s(self) -> float:
        """For how long the oldest open transaction of another has lasted, seconds."""
        (row,) = self._database.rows(_SQL["longest_transaction"])
        return float(row["seconds"])
