"""Reads JSON from strangers, with limits on its size and depth that hold before anything else looks at it."""

import re
from itertools import accumulate
from typing import Any

import orjson

from tsuji_platform.contract.rejection import Reason, RejectedError, quote

MAX_PAYLOAD_BYTES = 262_144
MAX_DEPTH = 32
"""How deep objects and arrays may stand in each other; the formats that are read need seven."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _STEPS)


def load_json(payload: bytes) -> Any:
    """Read JSON (RFC 8259, UTF-8); of a key that an object holds twice the last value counts.

    Raises:
        RejectedError: `oversize` (too many bytes, too deep) or `broken_json`.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RejectedError(
            Reason.OVERSIZE, f"payload of {len(payload)} bytes is over {MAX_PAYLOAD_BYTES}"
        )
    maybe_deep = payload.count(b"[") + payload.count(b"{") > MAX_DEPTH
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        if maybe_deep and _depth_of_text(payload) > MAX_DEPTH:
            raise _too_deep() from error
        raise RejectedError(Reason.BROKEN_JSON, f"not JSON: {quote(str(error), 160)}") from error
    if maybe_deep and _is_too_deep(document):
        raise _too_deep()
    return document


def _too_deep() -> RejectedError:
    return RejectedError(
        Reason.OVERSIZE, f"objects and arrays stand more than {MAX_DEPTH} deep in each other"
    )


def _is_too_deep(document: Any) -> bool:
    """Level by level, so that no depth exhausts Python's own stack."""
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


def _depth_of_text(payload: bytes) -> int:
    """How deep a text goes that no parser takes."""
    brackets = _STRING.sub(b"", payload).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)
