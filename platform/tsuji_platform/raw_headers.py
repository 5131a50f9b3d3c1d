"""Headers of answers as ASGI has them: what every answer passes works on the bytes themselves."""

from collections.abc import Iterable, Mapping

from starlette.types import Message, Scope

Header = tuple[bytes, bytes]
"""Name in small letters, value."""


def raw(headers: Mapping[str, str]) -> tuple[Header, ...]:
    """The same as bytes."""
    return tuple(
        (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
    )


def is_given(scope: Scope, *names: bytes) -> bool:
    """Whether a request has one of these headers."""
    return any(name in names for name, _ in scope["headers"])


def put(start: Message, headers: Iterable[Header]) -> None:
    """Put headers on an answer, in place of its own of those names.

    Args:
        start: its `http.response.start`.
        headers: to put there.
    """
    new = dict(headers)
    start["headers"] = [one for one in start.get("headers", ()) if one[0] not in new]
    start["headers"].extend(new.items())


def put_missing(start: Message, headers: Iterable[Header]) -> None:
    """Put those headers on an answer that it does not bring itself.

    Args:
        start: its `http.response.start`.
        headers: to put there.
    """
    said = list(start.get("headers", ()))
    there = {name for name, _ in said}
    said.extend(one for one in headers if one[0] not in there)
    start["headers"] = said
