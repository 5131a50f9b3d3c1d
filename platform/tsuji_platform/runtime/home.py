"""Where data, programs, logs and sockets live, so that two project folders never collide."""

import fcntl
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tsuji_platform.runtime.account import Account, service_account
from tsuji_platform.runtime.basics import SetupError

ROOT_DATA = Path("/var/lib/tsuji")
"""Where root's data lives when its own data folder is closed to the servers' user."""
_LOCK = "up.lock"
_SOCKET_LIMIT = 107 - len("/.s.PGSQL.5432")
"""Longest folder that a PostgreSQL socket fits in: the kernel takes 107 bytes for a socket's path."""


class InstanceBusyError(SetupError):
    """Another `tsuji up` runs on the same data."""


def data_folder() -> Path:
    """Return the folder of everything of Tsuji's that belongs to this user."""
    own = platformdirs.user_data_path("tsuji", appauthor=False)
    if os.geteuid() == 0 and not service_account().may_enter(own):
        return ROOT_DATA
    return own


def programs_folder() -> Path:
    """Return the folder of downloaded programs, which all instances of this user share."""
    return data_folder() / "programs"


def instance_name(project: Path) -> str:
    """Name a project folder's instance: readable, and different for every folder."""
    resolved = project.resolve()
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", resolved.name)[:40] or "root"
    return f"{readable}-{_digest(resolved)}"


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The data of one project folder.

    Attributes:
        home: its folder.
        account: the user that its private servers run as.
    """

    home: Path
    account: Account

    @classmethod
    def locate(cls, home: str | Path | None = None, project: Path | None = None) -> "Instance":
        """Say where the data lives, without creating anything.

        Args:
            home: the setting `TSUJI_HOME`; None chooses a folder by the project's.
            project: the project's folder; None takes the current one.
        """
        if home:
            path = Path(home).expanduser().resolve()
        else:
            path = data_folder() / "instances" / instance_name(project or Path.cwd())
        return cls(home=path, account=service_account())

    @property
    def database_folder(self) -> Path:
        """The private database."""
        return self.home / "database"

    @property
    def broker_folder(self) -> Path:
        """The private broker."""
        return self.home / "broker"

    @property
    def log_folder(self) -> Path:
        """One log per process."""
        return self.home / "log"

    @property
    def socket_folder(self) -> Path:
        """Where the database's socket is; outside the home where the home's path is too long."""
        inside = self.home / "run"
        if len(os.fsencode(inside)) <= _SOCKET_LIMIT:
            return inside
        name = f"tsuji-{os.geteuid()}-{_digest(self.home)}"
        session = os.environ.get("XDG_RUNTIME_DIR", "")
        if session and not self.account.is_other:
            short = Path(session) / name
            if Path(session).is_dir() and len(os.fsencode(short)) <= _SOCKET_LIMIT:
                return short
        return Path(tempfile.gettempdir()) / name

    def create(self) -> "Instance":
        """Make the folders, each open to those only who need it.

        Raises:
            SetupError: where the home cannot be written, or the servers' user cannot reach it.
        """
        try:
            # Another user only has to pass through to its own folders. What was there before, such as
            # a folder that TSUJI_HOME names, keeps its permissions.
            mode = 0o711 if self.account.is_other else 0o700
            for folder in (self.home, self.database_folder, self.broker_folder):
                self.account.make_way(folder, mode)
            self.account.make_way(self.log_folder, 0o700)
        except OSError as error:
            raise SetupError(
                f"cannot write to {self.home} ({error.strerror}); "
                "set TSUJI_HOME to a folder that you own"
            ) from error
        barrier = self.account.barrier(self.home)
        if barrier is not None:
            raise SetupError(
                f"the private database runs as user {self.account.name or self.account.uid} and "
                f"cannot pass through {barrier}: set TSUJI_HOME to a folder that other users may "
                f"enter, or allow it with: chmod o+x {barrier}"
            )
        self._create_socket_folder()
        return self

    def _create_socket_folder(self) -> None:
        folder = self.socket_folder
        try:
            folder.mkdir(mode=0o700)
            self.account.give(folder)
        except FileExistsError:
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (
                self.account.uid,
                os.geteuid(),
            ):
                raise SetupError(
                    f"{folder} is not a folder of {self.account.name or self.account.uid}: somebody "
                    "else made it. Remove it, or set TSUJI_HOME to a shorter path"
                ) from None
            self.account.give(folder)
            folder.chmod(0o700)

    def holder(self) -> int | None:
        """Return the process that holds the instance now, None where it is free."""
        try:
            with (self.home / _LOCK).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = (self.home / _LOCK).read_text().strip()
            return int(text) if text.isdigit() else 0
        except OSError:
            pass
        return None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the instance for one `tsuji up`; the kernel lets go even on kill -9.

        Raises:
            InstanceBusyError: where another process holds it.
        """
        with (self.home / _LOCK).open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise InstanceBusyError(
                    f"Tsuji is already running on {self.home} (process {holder}): use that one, "
                    f"stop it with Ctrl-C in its terminal or `kill {holder}`, or give this one its "
                    "own data with TSUJI_HOME=FOLDER and its own ports"
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield
