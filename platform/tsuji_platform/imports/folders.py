"""The files of folders: an export is imported by the name that it was given."""

from pathlib import Path

import orjson

from tsuji_platform.imports.blocks import STDIN
from tsuji_platform.imports.files import ENDINGS, is_named
from tsuji_platform.imports.rows import ImportFileError

_ABOUT = "_tsuji.json"
_DRAFT = "made-by-tsuji-export"


def files_of(path: Path, *, by_name: bool) -> list[Path]:
    """A file itself, and of a folder the files within, in the order of their names.

    What begins with `_` or `.` is about others, and what imports kept apart was refused already.

    Args:
        path: of a file or a folder.
        by_name: whether only files of a folder are meant whose names say their format.

    Raises:
        ImportFileError: where a folder holds nothing to import, or nothing can be told of the path.
    """
    try:
        is_folder = str(path) != STDIN and path.is_dir()
    except OSError as error:  # another's folder above it, or a name that is too long
        raise ImportFileError(f"{path} can't be read: {error.strerror or error}") from error
    return _within(path, by_name) if is_folder else [path]


def _within(folder: Path, by_name: bool) -> list[Path]:
    try:
        if (folder / _DRAFT).exists() and not (folder / _ABOUT).exists():
            raise ImportFileError(f"{folder} is an export that has not ended: wait, or export anew")
        _check_step(folder)
        held = sorted(path for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        raise ImportFileError(f"{folder} can't be read: {error.strerror or error}") from error
    found = [
        path
        for path in held
        if not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)
        and ".rejected" not in path.name
        and (is_named(path) or not by_name)
    ]
    if not found:
        raise ImportFileError(
            f"{folder} holds no file to import: their names end with {', '.join(ENDINGS)}, or are of "
            "the format that --format says"
        )
    return found


def _check_step(folder: Path) -> None:
    """Sums of exports are no observations."""
    try:
        step = orjson.loads((folder / _ABOUT).read_bytes()).get("step", "raw")
    except (FileNotFoundError, ValueError, AttributeError):
        return
    if step != "raw":
        raise ImportFileError(
            f"{folder} holds sums by {step!s:.20}, which are no observations: export with --step raw"
        )
