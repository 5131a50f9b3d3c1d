"""Municipality codes as files hold them: five or six digits, zeros lost, made numbers by Excel."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tsuji_geo.opendata.cells import narrow
from tsuji_geo.prefectures import PREFECTURES, check_digit
from tsuji_platform.contract.rejection import quote

_DIGITS = re.compile(r"\d{1,6}", re.ASCII)
_EXCEL = re.compile(r"(\d{1,6})\.0+", re.ASCII)
_SCIENTIFIC = re.compile(r"\d\.(?:\d{4}e\+?0?4|\d{5}e\+?0?5)", re.ASCII)
"""With all its digits: what is shown as 1.31E+04 may have been any code from 13050 to 13149."""
_CITIES = (
    "01100", "04100", "11100", "12100", "13100", "14100", "14130", "14150", "15100", "22100", "22130",
    "23100", "26100", "27100", "27140", "28100", "33100", "34100", "40100", "40130", "43100",
)  # fmt: skip
"""Designated cities, and Tokyo's 23 wards together: their wards have the codes that follow."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was read.

    Attributes:
        code: five digits; of a prefecture its number and 000.
        completed: whether zeros or digits had to be restored.
    """

    code: str
    completed: bool = False


def read_code(text: str, *, prefecture: str | None = None, six_digits: bool = False) -> Code:
    """Read a municipality code (全国地方公共団体コード, JIS X 0401/0402).

    Six digits end in a check digit, which must be right. Five digits may be a six-digit code that lost
    its leading zero: 12025 is Hakodate (012025), since no code continues with 0. Where both readings
    are possible (12106: a ward of Chiba, or Iwamizawa's 012106), the row's prefecture decides, then the
    other codes of the column.

    Args:
        text: the cell.
        prefecture: two digits, where the row names it.
        six_digits: whether the column's other codes have six digits.

    Raises:
        ValueError: no such code; the message says why.
    """
    plain = narrow(text).lower()
    digits = _digits(plain)
    if digits is None:
        raise ValueError(f"code {quote(text)} is not five or six digits")
    changed = digits != plain
    if len(digits) == 6:
        code = digits[:5]
        if not _is_possible(code):
            raise ValueError(f"code {quote(text)} is of no municipality or prefecture")
        if digits[5] != check_digit(code):
            raise ValueError(
                f"code {quote(text)} should end in the check digit {check_digit(code)}"
            )
        return Code(code, changed)
    if len(digits) == 5:
        return _five(text, digits, prefecture, six_digits, changed)
    if len(digits) == 3:
        raise ValueError(f"code {quote(text)} is not five or six digits")
    code = digits.zfill(5) if len(digits) == 4 else f"{digits.zfill(2)}000"
    if not _is_possible(code):
        raise ValueError(f"code {quote(text)} is of no municipality or prefecture")
    return Code(code, True)


def has_six_digits(cells: Iterable[str]) -> bool:
    """Whether codes of a column are of the six-digit form, some with their leading zero lost."""
    six = False
    for cell in cells:
        digits = _digits(narrow(cell).lower())
        if digits is None or len(digits) < 5:
            continue
        if len(digits) == 5 and _is_possible(digits):
            if not _is_six_without_zero(digits):
                return False
            continue
        six = True
    return six


def span(code: str) -> tuple[str, str]:
    """First and last code of what lies within a code: wards of a city, municipalities of a prefecture."""
    if code.endswith("000"):
        return f"{code[:2]}001", f"{code[:2]}999"
    if code not in _CITIES:
        return code, code
    later = [one for one in _CITIES if one > code and one[:2] == code[:2]]
    return code, f"{int(later[0]) - 1:05d}" if later else f"{code[:2]}199"


def _digits(plain: str) -> str | None:
    if _DIGITS.fullmatch(plain):
        return plain
    excel = _EXCEL.fullmatch(plain)
    if excel:
        return excel.group(1)
    if _SCIENTIFIC.fullmatch(plain):
        return plain.partition("e")[0].replace(".", "")
    return None


def _five(text: str, digits: str, prefecture: str | None, six_digits: bool, changed: bool) -> Code:
    readings = []
    if _is_possible(digits):
        readings.append(Code(digits, changed))
    if _is_six_without_zero(digits):
        readings.append(Code(f"0{digits[:4]}", True))
    if not readings:
        raise ValueError(
            f"code {quote(text)} is of no municipality or prefecture, with or without a zero before it"
        )
    if prefecture is not None:
        named = [one for one in readings if one.code[:2] == prefecture]
        readings = named or readings
    return readings[-1] if six_digits else readings[0]


def _is_possible(code: str) -> bool:
    return code[:2] in PREFECTURES and (code[2] != "0" or code.endswith("000"))


def _is_six_without_zero(digits: str) -> bool:
    code = f"0{digits[:4]}"
    return _is_possible(code) and digits[4] == check_digit(code)
