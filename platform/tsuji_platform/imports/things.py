"""Reads a file that describes things: what each would say of itself, with its id beside it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from tsuji_platform.contract import RejectedError, Thing, decode_thing
from tsuji_platform.contract.rejection import quote
from tsuji_platform.imports.rows import ImportFileError


def load_things(path: Path) -> Mapping[str, Thing]:
    """Things by id.

    Args:
        path: JSON: an array of objects, one object a line, or an object by id; each as in a thing's own
            message, with `thing_id`.

    Raises:
        ImportFileError: where it can't be read, or one of them is none.
    """
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise ImportFileError(f"{path} can't be read: {error.strerror or error}") from error
    things: dict[str, Thing] = {}
    for place, document in _documents(data, path):
        thing_id = document.pop("thing_id", None)
        try:
            if not isinstance(thing_id, str):
                raise ImportFileError(f"{path}: {place} has no thing_id")
            things[thing_id] = decode_thing(thing_id, orjson.dumps(document))
        except RejectedError as error:
            raise ImportFileError(f"{path}: {place}: {error.rejection.detail}") from error
    if not things:
        raise ImportFileError(f"{path} describes no thing")
    return things


def _documents(data: bytes, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        whole = orjson.loads(data)
    except orjson.JSONDecodeError:
        whole = _lines(data, path)
    if isinstance(whole, dict) and "thing_id" not in whole:
        whole = [
            one | {"thing_id": name} if isinstance(one, dict) else one
            for name, one in whole.items()
        ]
    for number, one in enumerate(whole if isinstance(whole, list) else [whole], 1):
        if not isinstance(one, dict):
            raise ImportFileError(f"{path}: thing {number} must be an object, got {quote(one)}")
        yield f"thing {number}", one


def _lines(data: bytes, path: Path) -> list[Any]:
    documents = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                documents.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise ImportFileError(f"{path}: line {number} is not JSON: {error}") from error
    return documents
