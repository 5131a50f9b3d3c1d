"""Cells that hold numbers, coordinates or marks, as offices write them; names are never touched."""

import re
import unicodedata
from dataclasses import dataclass

from tsuji_platform.contract.rejection import quote

MISSING = frozenset({"", "-", "--", "---", "...", "…", "・", "・・・", "n/a", "na", "null", "none",
                     "不明", "未定", "なし", "未設定", "該当なし", "x", "***", "*"})  # fmt: skip
"""What stands in a cell, narrowed and in lower case, where there is no value."""

MAX_COUNT = 2_000_000_000
"""More than the world's largest country; nothing that a municipality counts is more."""

_PLAINER = str.maketrans(
    dict.fromkeys("−‐‑‒–—―─ーｰ", "-") | dict.fromkeys("\u200b\u2060\ufeff", "")
)
"""Dashes of all sorts, and what can't be seen."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_AROUND = re.compile(
    r"^(?:約|およそ|最大)?(.*?)(?:人|名|床|台|基|室|世帯|箇所|か所|個|km2|km²)?(?:程度|以上)?$"
)
_DEGREES = re.compile(
    r"(\d{1,3})(?:°|度)(\d{1,2})(?:'|′|分)(?:(\d{1,2}(?:\.\d+)?)(?:\"|″|′′|''|秒)?)?", re.ASCII
)
_HEMISPHERE = re.compile(r"^(?:北緯|東経|[NE])\s*|\s*[NE]$")
_YES = frozenset(
    {"1", "○", "◯", "〇", "●", "◎", "有", "有り", "あり", "はい", "可", "true", "yes", "y", "t"}
)
_NO = frozenset({"0", "×", "✕", "無", "無し", "いいえ", "不可", "false", "no", "n", "f"})


@dataclass(frozen=True, slots=True)
class Read:
    """A number, and what had to be done to see it.

    Attributes:
        value: the number.
        wide: whether full-width characters were narrowed.
        cleaned: whether words, units or separators were left out.
    """

    value: float
    wide: bool = False
    cleaned: bool = False


def narrow(text: str) -> str:
    """Full-width digits, letters, points and dashes as ASCII; spaces around are dropped."""
    if text.isascii():
        return text.strip().lstrip("'")
    return unicodedata.normalize("NFKC", text).translate(_PLAINER).strip().lstrip("'")


def is_missing(text: str) -> bool:
    """Whether a cell of numbers says that there is no value."""
    return narrow(text).lower() in MISSING


def read_count(text: str) -> Read | None:
    """Read a whole number that is not negative; None where the cell says that there is none.

    `1,200`, `１２００`, `約1200人` and Excel's `1200.0` are read.

    Raises:
        ValueError: something else; the message quotes it.
    """
    if is_missing(text):
        return None
    read = read_number(text)
    if read.value < 0 or read.value > MAX_COUNT or not read.value.is_integer():
        raise ValueError(f"{quote(text)} is not a whole number from 0 to {MAX_COUNT:,}")
    return read


def read_number(text: str) -> Read:
    """Read a decimal number.

    Raises:
        ValueError: something else; the message quotes it.
    """
    plain = narrow(text)
    wide = _has_wide(text)
    if _NUMBER.fullmatch(plain):
        return Read(float(plain), wide, plain.endswith(".0"))
    around = _AROUND.match(plain)
    inner = around.group(1).strip() if around else ""
    if _GROUPED.fullmatch(inner):
        return Read(float(inner.replace(",", "")), wide, True)
    if _NUMBER.fullmatch(inner):
        return Read(float(inner), wide, True)
    raise ValueError(f"{quote(text)} is not a number")


def read_degrees(text: str) -> Read | None:
    """Read a latitude or longitude, decimal or in degrees, minutes and seconds; None for a missing one.

    Raises:
        ValueError: something else; the message quotes it.
    """
    if is_missing(text):
        return None
    wide = _has_wide(text)
    plain = narrow(text)
    bare = _HEMISPHERE.sub("", plain).strip()
    if _NUMBER.fullmatch(bare):
        return Read(float(bare), wide, bare != plain)
    parts = _DEGREES.fullmatch(re.sub(r"\s", "", bare))
    if parts:
        degrees, minutes, seconds = (float(part or 0) for part in parts.groups())
        if minutes < 60 and seconds < 60:
            return Read(degrees + minutes / 60 + seconds / 3600, wide, True)
    raise ValueError(f"{quote(text)} is not a coordinate in degrees")


def read_mark(text: str) -> bool | None:
    """Read a mark such as 1, ○ or 有; None for an empty cell.

    Raises:
        ValueError: something else; the message quotes it.
    """
    plain = narrow(text).lower()
    if plain in _YES:
        return True
    if plain in _NO:
        return False
    if plain in MISSING:
        return None
    raise ValueError(f"{quote(text)} is neither a yes (1, ○, 有) nor a no (0, ×, 無)")


def _has_wide(text: str) -> bool:
    return not text.isascii() and any(unicodedata.east_asian_width(one) == "F" for one in text)
