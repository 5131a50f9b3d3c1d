"""Which user the private servers run as: PostgreSQL refuses root, so root lends them an ordinary one."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

_CANDIDATES = ("tsuji", "nobody")
"""A user named tsuji is an administrator's way to choose; nobody is there on nearly every system."""
_OVERFLOW_ID = 65_534


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of the operating system.

    Attributes:
        uid: its number.
        gid: its primary group.
        name: its name, empty where the system knows none.
    """

    uid: int
    gid: int
    name: str

    @property
    def is_other(self) -> bool:
        """Whether a process has to switch to it."""
        return self.uid != os.geteuid()

    def give(self, path: Path) -> None:
        """Make the account own a file or folder; without effect where it is our own."""
        if self.is_other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def make_way(self, folder: Path, mode: int = 0o755) -> None:
        """Make a folder and its parents, passable for the account whatever our umask is."""
        missing = [part for part in (folder, *folder.parents) if not part.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for part in missing:
            part.chmod(mode if part == folder else 0o755 if self.is_other else 0o700)

    def may_enter(self, folder: Path) -> bool:
        """Whether the account can reach things inside `folder`; parts that do not exist yet pass."""
        return self.barrier(folder) is None

    def barrier(self, folder: Path) -> Path | None:
        """Return the first part of `folder` that the account cannot pass, None where there is none."""
        resolved = folder.resolve()
        for part in (*reversed(resolved.parents), resolved):
            try:
                status = part.stat()
            except FileNotFoundError:
                return None
            except PermissionError:
                return part
            if status.st_uid == self.uid:
                needed = stat.S_IXUSR
            elif status.st_gid == self.gid:
                needed = stat.S_IXGRP
            else:
                needed = stat.S_IXOTH
            if not status.st_mode & needed:
                return part
        return None


def own_account() -> Account:
    """Return the user that this process runs as."""
    uid = os.geteuid()
    return Account(uid=uid, gid=os.getegid(), name=name_of(uid))


def service_account() -> Account:
    """Return the user for the private servers: ourselves, or as root an ordinary one."""
    if os.geteuid() != 0:
        return own_account()
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=name)
    return Account(uid=_OVERFLOW_ID, gid=_OVERFLOW_ID, name=name_of(_OVERFLOW_ID))


def name_of(uid: int) -> str:
    """Return the user's name, empty where the system knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""
