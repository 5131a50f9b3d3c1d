"""`tsuji backup` and `tsuji restore`: all of a hub's database in one file, or through a pipe."""

import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from tsuji import exit_codes, wiring
from tsuji.byte_bar import ByteBar
from tsuji.mistakes import FileTroubleError

if TYPE_CHECKING:
    from tsuji_platform.store.backup import Backup

_PIPE = "-"


def backup(
    target: Annotated[
        str, typer.Argument(metavar="FILE", help="A new file, or - for standard output.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier backup.")] = False,
) -> None:
    """Write all of the database into one archive, as it is at one moment, while the hub goes on.

    What has its name is whole: until then it ends with .partial. `tsuji restore` reads it, into TimescaleDB
    or plain PostgreSQL (docs/backup.md).
    """
    from tsuji_platform.store.backup import back_up, note
    from tsuji_platform.store.errors import StoreError

    url, started = wiring.answering_database_url(), datetime.now(UTC)
    if target == _PIPE and sys.stdout.isatty():
        raise typer.BadParameter("standard output is a terminal: name a file, or a pipe behind it")
    try:
        with _written(target, force=force) as file, ByteBar("rows") as bar:
            counted = _Counted(file)
            made = back_up(url, counted, lambda table, done: bar.show(done, None, table))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        typer.echo("tsuji: who read the backup has gone; it is not whole", err=True)
        raise typer.Exit(exit_codes.READER_GONE) from None
    shown = target if target == _PIPE else str(Path(target).resolve())
    try:
        note(url, started, counted.size, shown)
    except StoreError as error:
        typer.echo(
            f"tsuji: the backup is whole; that it was made could not be noted: {error}", err=True
        )
    _say(made, counted.size, target)


def _say(made: "Backup", size: int, target: str) -> None:
    typer.echo(
        f"{sum(made.rows.values()):,} rows of {len(made.rows)} tables, as of "
        f"{made.made_at:%Y-%m-%dT%H:%M:%SZ}, in {size:,} bytes"
        + ("" if target == _PIPE else f": {target}"),
        err=target == _PIPE,
    )


def restore(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A backup, or - for standard input.")
    ],
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Drop all that is in the database; stop the hub before."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Only read it to its end and see that it is whole."),
    ] = False,
) -> None:
    """Bring a backup back, all of it or, whatever happens, nothing; the database must be empty.

    One with Tsuji's schema or without; a backup of an older version is brought up to date.
    """
    from tsuji_platform.store.backup_archive import ArchiveReader
    from tsuji_platform.store.backup_restore import restore as bring_back

    if replace and verify:
        raise typer.BadParameter("--verify changes nothing: leave out --replace or --verify")
    url = None if verify else wiring.answering_database_url()
    with _read(source) as (file, size, name), ByteBar("backup") as bar:
        counted = _Counted(file)
        archive = ArchiveReader(counted, name)
        counted.told = lambda: bar.show(counted.size, size)
        if url is None:
            archive.verify()
            rows, migrated = {table: one.rows for table, one in archive.sums.items()}, []
        else:
            done = bring_back(url, archive, lambda _: None, replace=replace)
            rows, migrated = done.rows, done.migrated
    about = archive.about
    typer.echo(
        f"{name} is whole: {sum(rows.values()):,} rows of {len(rows)} tables, as of "
        f"{about.made_at:%Y-%m-%dT%H:%M:%SZ}, made by Tsuji {about.tsuji} of {about.database}"
    )
    if url is not None:
        typer.echo(
            "restored"
            + (f", and brought up to date: {', '.join(migrated)}" if migrated else "")
            + "; keys open what they did, and live streams begin anew"
        )


def _nothing() -> None:
    """Nobody wants to know."""


class _Counted:
    """A file whose bytes are counted."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = 0
        self.told: Callable[[], None] = _nothing

    def write(self, data: bytes, /) -> int:
        """Pass on."""
        self._file.write(data)
        self.size += len(data)
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        """Pass on."""
        data = self._file.read(size)
        self.size += len(data)
        self.told()
        return data


@contextmanager
def _written(target: str, *, force: bool) -> Iterator[IO[bytes]]:
    """The file, which gets its name when the block ends well; it holds digests of keys: its owner's alone."""
    if target == _PIPE:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what waits is no use
            raise FileTroubleError(
                f"standard output can't be written: {error.strerror or error}; what it has is not whole"
            ) from error
        return
    path = Path(target)
    _check(path, force=force)
    draft = path.with_name(path.name + ".partial")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        with os.fdopen(handle, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _make_ours(file, draft)
            file.truncate()
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                _check(path, force=force)
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except BlockingIOError:
        raise FileTroubleError(f"another backup writes {path} at this moment") from None
    except OSError as error:
        raise FileTroubleError(
            f"{path} can't be written: {error.strerror or error}; there is no backup of that name"
        ) from error


def _make_ours(file: IO[bytes], draft: Path) -> None:
    """Of a draft that lay there: nobody else may read it, and no other backup has taken it meanwhile."""
    held = os.fstat(file.fileno())
    if not stat.S_ISREG(held.st_mode) or held.st_uid != os.geteuid() or held.st_nlink > 1:
        raise FileTroubleError(f"{draft} is not ours to write: remove it")
    if not (draft.exists() and os.path.samestat(held, draft.lstat())):
        raise BlockingIOError  # which has just given it its name
    os.fchmod(file.fileno(), 0o600)


def _check(path: Path, *, force: bool) -> None:
    if path.name in ("", "..") or path.is_dir():
        raise FileTroubleError(f"{str(path)!r} is no name for a file: write one")
    if not path.parent.is_dir():
        raise FileTroubleError(f"there is no folder {path.parent}: make it first")
    if path.exists() and not path.is_file():
        raise FileTroubleError(f"{path} is no ordinary file: write one, or - for standard output")
    if path.exists() and not force:
        raise FileTroubleError(f"{path} is there already: --force replaces it")


@contextmanager
def _read(source: str) -> Iterator[tuple[IO[bytes], int | None, str]]:
    if source == _PIPE:
        yield sys.stdin.buffer, None, "standard input"
        return
    path = Path(source)
    try:
        if not path.is_file():
            raise FileTroubleError(f"{path} is not a file")
        with path.open("rb") as file:
            yield file, path.stat().st_size, str(path)
    except OSError as error:
        raise FileTroubleError(f"{path} can't be read: {error.strerror or error}") from error
