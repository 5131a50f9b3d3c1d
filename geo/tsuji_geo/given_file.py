"""Looks at a file that somebody named before anything opens it: can it be read, and how large is it?"""

import os
import stat
from pathlib import Path


def size_of(path: Path, wanted: str, error: type[Exception]) -> int:
    """The size of an ordinary file that may be read, or of one that a link leads to.

    Args:
        path: as it was named.
        wanted: what should have been named, such as `a file of areas`.
        error: raised with what is wrong where it is something else, or empty.
    """
    try:
        held = path.stat()
    except FileNotFoundError:
        raise error(f"{path} is missing: name {wanted}") from None
    except OSError as trouble:
        raise error(f"{path} can't be read: {trouble.strerror or trouble}") from None
    if stat.S_ISDIR(held.st_mode):
        raise error(f"{path} is a folder: name {wanted}")
    if not stat.S_ISREG(held.st_mode):
        raise error(f"{path} is a pipe or a device: name {wanted}")
    if not os.access(path, os.R_OK):
        raise error(f"{path} can't be read: it is another user's, who does not let us")
    if held.st_size == 0:
        raise error(f"{path} is empty; was the download complete?")
    return held.st_size
