"""Numbers ingests that are started alike, so that each has an id of its own and its successor the same.

The broker keeps an ingest's backlog under its id. Replicas such as those of `docker compose up --scale`
get no number that outlives them; a lock on a file does, and the kernel lets go of it even on kill -9.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.settings import IngestSettings

_MOST = 100


@contextmanager
def slot(folder: Path) -> Iterator[int]:
    """Hold the smallest number from 1 on that no other process holds in this folder.

    Args:
        folder: shared by those that are to have different numbers, on one machine; made where missing.

    Raises:
        SetupError: where it can't be written, or a hundred are held.
    """
    number, file = _take(folder)
    with file:
        yield number


def _take(folder: Path) -> tuple[int, TextIO]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, _MOST + 1):
            file = (folder / f"{number}.lock").open("a")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
            else:
                return number, file
    except OSError as error:
        raise SetupError(
            f"cannot take a number in {folder} ({error.strerror}); set TSUJI_INGEST_SLOTS to a folder "
            "that this user may write to, or give each ingest a TSUJI_INGEST_ID of its own"
        ) from error
    raise SetupError(
        f"{_MOST} processes hold a number in {folder} already: give some TSUJI_INGEST_SLOTS of their own"
    )


@contextmanager
def numbered(settings: IngestSettings) -> Iterator[IngestSettings]:
    """The same settings, with an id of this process's own where TSUJI_INGEST_SLOTS names a folder."""
    if settings.ingest_slots is None:
        yield settings
        return
    with slot(settings.ingest_slots) as number:
        yield settings.model_copy(update={"ingest_id": f"{settings.ingest_id}-{number}"})
