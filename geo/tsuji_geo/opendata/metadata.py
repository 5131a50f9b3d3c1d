"""Who published a file, under which licence: from a file beside it, its name, or what is known of it."""

import re
import tomllib
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from tsuji_geo.opendata.codes import read_code
from tsuji_geo.opendata.dates import read_date
from tsuji_geo.opendata.errors import DatasetError
from tsuji_geo.opendata.forms import known
from tsuji_geo.prefectures import PREFECTURES
from tsuji_platform.contract.features import StatedDate
from tsuji_platform.contract.rejection import quote

MAX_TEXT = 500
_MAX_BYTES = 65_536
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CODE_IN_NAME = re.compile(r"^(\d{6})_")
_DATE_IN_NAME = re.compile(r"(?<!\d)((?:19|20)\d{6})(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What is to be said of a dataset wherever it is shown; empty where it is not known.

    Attributes:
        id: lower-case letters, digits and hyphens; stands in URLs.
        title: Japanese name.
        title_en: English name.
        publisher: who published it.
        licence: the terms of use.
        source: where it comes from, in words or as an address.
        date: of the data.
        kind: id of its form.
    """

    id: str = ""
    title: str = ""
    title_en: str = ""
    publisher: str = ""
    licence: str = ""
    source: str = ""
    date: StatedDate | None = None
    kind: str = ""

    def __post_init__(self) -> None:
        if self.id and not _ID.fullmatch(self.id):
            raise DatasetError(
                f"dataset id {self.id!r} must be 1 to 63 lower-case letters, digits and hyphens, such "
                "as tokyo-shelters"
            )
        for one in fields(self):
            text = getattr(self, one.name)
            if isinstance(text, str) and (len(text) > MAX_TEXT or not text.isprintable()):
                raise DatasetError(
                    f"{one.name} {quote(text)} must be one line of up to {MAX_TEXT} characters"
                )

    def over(self, other: "Metadata") -> "Metadata":
        """This, and the other's where this says nothing."""
        mine = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(other, **{name: value for name, value in mine.items() if value})


def beside(path: Path, named: Path | None = None) -> Metadata:
    """Read the TOML that is named, or that stands beside a file under its name with `.toml` behind.

    Raises:
        DatasetError: it can't be read, or says something else than metadata.
    """
    file = named or path.with_name(f"{path.name}.toml")
    if named is None and not file.is_file():
        return Metadata()
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise DatasetError(f"{file} is larger than {_MAX_BYTES:,} bytes: is it metadata?")
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DatasetError(f"{file} can't be read as TOML: {error}") from error
    return _of_table(table, file)


def _of_table(table: dict[str, Any], file: Path) -> Metadata:
    names = [one.name for one in fields(Metadata)]
    for name, value in table.items():
        if name not in names:
            raise DatasetError(f"{file}: {name!r} is none of {', '.join(names)}")
        if name == "date" and isinstance(value, date):
            table[name] = StatedDate(first_day=value)
        elif not isinstance(value, str):
            raise DatasetError(f"{file}: {name} = {quote(value)} must be a text")
        elif name == "date":
            table[name] = _date(value, f"{file}: date")
    return Metadata(**table)


def by_name(path: Path) -> Metadata:
    """What a file's name tells: the table of known files, the publisher's code, a day."""
    stem = path.name.split(".")[0]
    found = known(stem)
    code = _CODE_IN_NAME.match(stem)
    publisher = found.publisher if found else ""
    if code and not publisher:
        try:
            number = read_code(code.group(1)).code
        except ValueError:
            number = ""
        if number.endswith("000"):
            publisher = PREFECTURES[number[:2]][0]
    day = _DATE_IN_NAME.search(stem)
    stated = None
    if day:
        try:
            stated = read_date(day.group(1))
        except ValueError:
            stated = None
    return Metadata(
        id=_id(stem),
        title=found.title if found else "",
        title_en=found.title_en if found else "",
        publisher=publisher,
        licence=found.licence if found else "",
        source=found.source if found else one_line(path.name),
        date=stated,
    )


def one_line(text: str) -> str:
    """A stranger's text as metadata may have it."""
    line = " ".join(text.split())
    return "".join(one for one in line if one.isprintable())[:MAX_TEXT]


def code_in_name(path: Path) -> str | None:
    """The municipality's code with which standard files begin their names, as six digits."""
    found = _CODE_IN_NAME.match(path.name)
    if not found:
        return None
    try:
        code = read_code(found.group(1)).code
    except ValueError:
        return None
    return None if code.endswith("000") else found.group(1)


def stated(text: str, what: str) -> StatedDate:
    """A date that somebody wrote.

    Raises:
        DatasetError: it is none.
    """
    return _date(text, what)


def _date(text: str, what: str) -> StatedDate:
    try:
        return read_date(text)
    except ValueError as error:
        raise DatasetError(f"{what}: {error}") from error


def _id(stem: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    return plain[:63].rstrip("-")
