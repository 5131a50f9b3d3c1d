"""Remembers how far a replay has come, so that the same command goes on there after any end."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tsuji_simulators.tape.message import TapeError
from tsuji_simulators.tape.player import Position

_BEGINNING = 65_536


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    what: str
    passes: int
    messages: int


def fingerprint(files: Sequence[Path], choice: str) -> str:
    """Stands for what is replayed: which files, in which order, and what of them.

    Of each file only the beginning counts, so that it may grow meanwhile.

    Raises:
        TapeError: where one can't be read.
    """
    whole = hashlib.sha256(choice.encode())
    for path in files:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.sha256(file.read(_BEGINNING)).digest())
        except OSError as error:
            raise TapeError(f"{path} can't be read: {error.strerror or error}") from error
    return whole.hexdigest()


class StateFile:
    """Where a replay stands, in a file that is never half written.

    Args:
        path: the file; made where it is missing.
        what: from `fingerprint`.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what

    def load(self) -> Position:
        """Where to go on; the beginning where there is no file.

        Raises:
            TapeError: it can't be read, or is of another replay.
        """
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return Position()
        except (OSError, ValueError) as error:
            raise TapeError(f"{self._path} can't be read as a replay's state: {error}") from error
        if kept.what != self._what:
            raise TapeError(
                f"{self._path} is of a replay of other files, or of another part of them: remove it to "
                "begin anew, or name another"
            )
        return Position(passes=kept.passes, messages=kept.messages)

    def save(self, position: Position) -> None:
        """Remember a position."""
        kept = _Kept(what=self._what, passes=position.passes, messages=position.messages)
        draft = self._path.with_name(f"{self._path.name}.new")
        try:
            draft.write_bytes(msgspec.json.encode(kept))
            draft.replace(self._path)
        except OSError as error:
            raise TapeError(f"{self._path} can't be written: {error.strerror or error}") from error

    def forget(self) -> None:
        """The replay is complete: the next one begins anew."""
        self._path.unlink(missing_ok=True)
