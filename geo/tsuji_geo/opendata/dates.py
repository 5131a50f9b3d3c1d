"""Dates as Japanese offices write them: 2025/1/1, 令和7年1月1日, R7.1.1, 20250101."""

import re
from datetime import date

from tsuji_geo.opendata.cells import narrow
from tsuji_platform.contract.features import Precision, StatedDate
from tsuji_platform.contract.rejection import quote

_ERAS = {
    "令和": date(2019, 5, 1), "R": date(2019, 5, 1), "平成": date(1989, 1, 8), "H": date(1989, 1, 8),
    "昭和": date(1926, 12, 25), "S": date(1926, 12, 25), "大正": date(1912, 7, 30),
    "T": date(1912, 7, 30), "明治": date(1868, 1, 25), "M": date(1868, 1, 25),
}  # fmt: skip
_SEPARATED = re.compile(
    r"(?P<era>令和|平成|昭和|大正|明治|[RHSTM])?\.?(?P<year>\d{1,4}|元)"
    r"(?:(?:年|[-/.])(?:度)?(?:(?P<month>\d{1,2})(?:(?:月|[-/.])(?:(?P<day>\d{1,2})日?)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})?", re.ASCII)
_BEHIND = re.compile(r"(?:\s*(?:\([^()]*\)|現在|時点|(?<=\d)T\d.*| \d{1,2}:\d{2}.*))+$")
_FIRST, _LAST = 1868, 2200


def read_date(text: str) -> StatedDate:
    """Read a date, a month or a year.

    Years of an era may go on behind its end (平成32年), as forecasts of the time did, but not before its
    beginning.

    Raises:
        ValueError: no such date; the message quotes it.
    """
    plain = _BEHIND.sub("", re.sub(r"(?<=\D) (?=\d)", "", narrow(text))).strip()
    compact = _COMPACT.fullmatch(plain)
    if compact:
        year, month, day = compact.groups()
        return _made(text, int(year), int(month), int(day) if day else None)
    parts = _SEPARATED.fullmatch(plain)
    if parts is None:
        raise ValueError(
            f"{quote(text)} is not a date, such as 2025-04-01, 2025/4/1 or 令和7年4月1日"
        )
    era = parts["era"]
    year = 1 if parts["year"] == "元" else int(parts["year"])
    if era is None and (parts["year"] == "元" or len(parts["year"]) != 4):
        raise ValueError(f"{quote(text)} names a year without its era or century")
    begin = _ERAS[era.upper()] if era else None
    if begin is not None and not 1 <= year <= 99:
        raise ValueError(f"{quote(text)} is not a year of its era")
    if begin is not None:
        year += begin.year - 1
    month, day = (int(part) if part else None for part in (parts["month"], parts["day"]))
    made = _made(text, year, month, day)
    if begin is not None and _last_day_before(made, begin):
        raise ValueError(f"{quote(text)} lies before its era began ({begin.isoformat()})")
    return made


def _made(text: str, year: int, month: int | None, day: int | None) -> StatedDate:
    precision: Precision = "year" if month is None else "month" if day is None else "day"
    if not _FIRST <= year <= _LAST:
        raise ValueError(f"{quote(text)} is outside the years {_FIRST} to {_LAST}")
    try:
        first = date(year, month or 1, day or 1)
    except ValueError:
        raise ValueError(f"{quote(text)} is a day that there is not") from None
    return StatedDate(first_day=first, precision=precision)


def _last_day_before(made: StatedDate, begin: date) -> bool:
    if made.precision == "day":
        return made.first_day < begin
    if made.precision == "month":
        return (made.first_day.year, made.first_day.month) < (begin.year, begin.month)
    return made.first_day.year < begin.year
