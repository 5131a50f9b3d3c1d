"""Figures of several processes of one service, added up: by files that they share, as prometheus_client does.

`share` must be called before anything imports prometheus_client, which decides at its import whether a
process keeps its figures to itself.
"""

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

_log = logging.getLogger(__name__)
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_PREFIX = "tsuji-figures-"


def share() -> Path | None:
    """Let this process and those that it starts keep their figures where each can read all.

    Returns:
        the folder, which goes when this process ends; None where none can be made.
    """
    with suppress(KeyError):
        return Path(os.environ[_FOLDER])
    place = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    _sweep(place)
    try:
        folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place)
    except OSError as error:
        _log.warning("each process keeps its figures to itself: %s", error)
        return None
    os.environ[_FOLDER] = folder
    atexit.register(_remove, folder, os.getpid())
    return Path(folder)


def shared() -> Path | None:
    """The folder of this process and its fellows; None where it keeps its figures to itself."""
    folder = os.environ.get(_FOLDER)
    return None if folder is None else Path(folder)


def alive(folder: Path) -> Iterator[psutil.Process]:
    """The processes that have figures in a folder and still run."""
    pids = {int(file.stem.rpartition("_")[2]) for file in folder.glob("*.db")}
    owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
    if owner.isdecimal():
        pids.add(int(owner))
    for pid in sorted(pids):
        with suppress(psutil.Error):
            yield psutil.Process(pid)


def bury(folder: Path) -> None:
    """Forget what is true only while a process runs, of those that have ended."""
    from prometheus_client.multiprocess import mark_process_dead

    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not psutil.pid_exists(pid):
            with suppress(FileNotFoundError):  # somebody else does the same
                mark_process_dead(pid, str(folder))


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not what it has forked
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Remove what those left who were killed."""
    for folder in place.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
