"""A private PostgreSQL cluster: made, configured, run by whatever programs fit, and cleaned up after."""

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from tsuji_platform.runtime.account import Account, name_of
from tsuji_platform.runtime.basics import Progress, SetupError, quiet, tail
from tsuji_platform.runtime.files import write
from tsuji_platform.runtime.postgres import Programs
from tsuji_platform.runtime.process import (
    Child,
    Remains,
    launcher,
    process_name,
    with_argument,
    with_folder,
    with_hidden_folder,
)

NAME = "tsuji"
"""Of the role and of the database."""
_MIB = 1024 * 1024


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
            self._check_account()
            progress("creating the database")
            self._initialise()
        self._configure()

    def _check_account(self) -> None:
        if not self.account.name:
            raise SetupError(
                f"user {self.account.uid} has no name on this system, and PostgreSQL runs under a named "
                "user only: add one to /etc/passwd, or set TSUJI_DATABASE_URL"
            )

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
        done = subprocess.run(
            [*launcher(self.account), str(self.programs.bin / program), *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={**os.environ, "HOME": "/", "LC_ALL": "C"},
            timeout=300,
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
            may_start=self._remains().are_gone,
            ready=self.is_ready,
            ready_timeout_s=120,
        )

    def _remains(self) -> Remains:
        """What a server that ended badly left behind: it and its sessions work in the data folder."""

        def find() -> list[psutil.Process]:
            # Even root may not be allowed to see where another user's processes work.
            found = {*with_folder(self.data), *with_argument(str(self.data))}
            return [one for one in found if process_name(one) == "postgres"]

        def tidy() -> None:
            # It may name a zombie, or a process that has the number by now. Where a server may be that
            # cannot be seen, the file stays: PostgreSQL's own look at it is all that is left.
            if not with_hidden_folder("postgres", self.account.uid):
                (self.data / "postmaster.pid").unlink(missing_ok=True)

        return Remains(find, (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL), tidy)

    def is_ready(self) -> bool:
        """Whether the server answers; after an upgrade of TimescaleDB the data follows first.

        Raises:
            SetupError: where the data can't follow.
        """
        try:
            if self.timescaledb:
                self._follow_timescaledb()
            with psycopg.connect(self.url, connect_timeout=3, autocommit=True) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _follow_timescaledb(self) -> None:
        # The data's version of the library may be gone: it must not be loaded to ask which that was.
        unloaded = "-c timescaledb.disable_load=on"
        with psycopg.connect(
            self.url, connect_timeout=3, autocommit=True, options=unloaded
        ) as connection:
            row = connection.execute(_EXTENSION_VERSIONS).fetchone()
        if row is None or row[0] == row[1]:
            return
        with psycopg.connect(self.url, connect_timeout=3, autocommit=True) as connection:
            try:
                # It has to be the first statement of its session.
                connection.execute("ALTER EXTENSION timescaledb UPDATE")
            except psycopg.Error as error:
                raise SetupError(
                    f"the data is of TimescaleDB {row[0]} and could not be brought to {row[1]}: {error}"
                ) from error


_EXTENSION_VERSIONS = """
    SELECT e.extversion, a.default_version
    FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname
    WHERE e.extname = 'timescaledb'
"""


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
