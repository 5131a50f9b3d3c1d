"""Reads files that hold secrets: whole, small, and never waiting for what is no file at all."""

import os
import stat
from contextlib import suppress
from pathlib import Path

_LARGEST = 65_536
"""Octets: no secret is longer, and no other file is taken for one by mistake."""


class SecretFileError(Exception):
    """The file can't be used; the text goes on behind its name, and quotes nothing of what it holds."""


def text_of(file: Path) -> str:
    """What a file holds.

    Args:
        file: an ordinary file, or a link to one, as Kubernetes makes them.

    Raises:
        SecretFileError: it is something else, too long, or no UTF-8.
    """
    try:
        with open(file, "rb", opener=_without_waiting) as opened:
            _need_ordinary(os.fstat(opened.fileno()))
            octets = opened.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        raise SecretFileError(f"can't be read: {_reason(error)}") from None
    if len(octets) > _LARGEST:
        raise SecretFileError(f"is longer than {_LARGEST:,} bytes, as no secret is")
    try:
        return octets.decode("utf-8-sig")  # editors of Windows begin with a mark
    except UnicodeDecodeError:
        raise SecretFileError("holds no UTF-8") from None


def _without_waiting(path: str, flags: int) -> int:
    """To open a pipe would be to wait for whoever writes into it."""
    return os.open(path, flags | os.O_NONBLOCK)


def need_ordinary(file: Path) -> None:
    """Make sure that a library which opens a file, where there is one, does not wait.

    Raises:
        SecretFileError: it is no ordinary file.
    """
    with suppress(OSError, ValueError):  # the library says that, too
        _need_ordinary(file.stat())


def _need_ordinary(held: os.stat_result) -> None:
    if not stat.S_ISREG(held.st_mode):
        raise SecretFileError("is no ordinary file: name one, not a pipe, a folder or a device")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
