"""A clock that tests can move under a running process: libfaketime, fetched where it is not installed."""

import fcntl
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tsuji_platform.runtime.account import service_account
from tsuji_platform.runtime.apt import Apt
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.home import programs_folder

_LIBRARY = "libfaketime.so.1"
_INSTALLED = (
    "usr/lib/*/faketime",
    "usr/lib/faketime",
    "usr/lib64/faketime",
    "usr/local/lib/faketime",
)


def _in(root: Path) -> Path | None:
    found = [path for folder in _INSTALLED for path in sorted(root.glob(f"{folder}/{_LIBRARY}"))]
    return found[0] if found else None


def _library() -> Path:
    """Where the library is; it has to be of this system's release, whose C library it goes with."""
    installed = _in(Path("/"))
    if installed is not None:
        return installed
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    tree = programs_folder() / f"libfaketime-{release}"
    service_account().make_way(programs_folder())
    with (programs_folder() / ".libfaketime.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            try:
                _fetch(release, tree)
            except (SetupError, OSError, subprocess.SubprocessError) as error:
                pytest.fail(
                    f"tests that move the clock need libfaketime; install it. Here: {error}"
                )
    found = _in(tree)
    if found is None:
        pytest.fail(f"no {_LIBRARY} is in {tree}; remove that folder and try again")
    return found


def _fetch(release: str, tree: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".libfaketime.part-", dir=tree.parent) as work:
        apt = Apt.first_that_works(release, Path(work), ["libfaketime"])
        wanted = [one for one in apt.resolve(["libfaketime"]) if one.name == "libfaketime"]
        (package,) = apt.download(wanted)
        unpacked = Path(work) / "tree"
        subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)
        shutil.move(unpacked, tree)


class ShiftedClock:
    """How far the clock of some processes is off, changed while they run; monotonic time stays right.

    Args:
        folder: for the file that tells them.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.shift(0)
        self.environment = {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",  # looked at every time
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",  # what is killed would leave its piece of memory behind
        }

    def shift(self, seconds: int) -> None:
        """Move the clock to so many seconds ahead of the real one, or behind it."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)
