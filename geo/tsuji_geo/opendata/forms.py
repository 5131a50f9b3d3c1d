"""Which columns are recognised, and which form of dataset they make: the table in `forms.toml`."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal, cast

FieldType = Literal["text", "count", "number", "mark", "date"]

_BRACKETS = re.compile(r"\([^()]*\)$")
_UNSEEN = re.compile(r"[\s\u200b-\u200d\u2060\ufeff]")
"""Spaces, and what is not even that: files that were joined have byte order marks inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldForm:
    """A column that only some forms have.

    Attributes:
        type: how its cells are read.
        names: what it is called, the best first.
    """

    type: FieldType
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A kind of dataset.

    Attributes:
        id: stands in the API, such as `evacuation_space`.
        title: Japanese name.
        title_en: English name.
        files: what names of such files contain.
        signs: columns that files of other forms rarely have.
        fields: its own columns, by our names.
    """

    id: str
    title: str
    title_en: str
    files: tuple[str, ...]
    signs: tuple[str, ...]
    fields: Mapping[str, FieldForm]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a published file."""

    file: str
    title: str
    title_en: str
    publisher: str
    licence: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A header that was recognised.

    Attributes:
        names: of all columns, each once.
        places: for each recognised column, by our name, where it stands; the best first.
    """

    names: tuple[str, ...]
    places: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def cell(self, name: str, cells: Sequence[str]) -> str:
        """The first of the columns of our name that is filled in, without spaces around; else empty."""
        for place in self.places.get(name, ()):
            text = cells[place].strip()
            if text:
                return text
        return ""

    def recognised(self) -> dict[str, list[str]]:
        """The file's names by ours."""
        return {name: [self.names[place] for place in at] for name, at in self.places.items()}


def plain(name: str) -> str:
    """A column's name as it is compared."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", name)).lower()


@cache
def _table() -> tuple[dict[str, tuple[str, ...]], tuple[Form, ...]]:
    text = files(__package__).joinpath("forms.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    common = {name: tuple(names) for name, names in table["common"].items()}
    forms = tuple(
        Form(
            id=row["id"],
            title=row["title"],
            title_en=row["title_en"],
            files=tuple(row["files"]),
            signs=tuple(row["signs"]),
            fields={
                name: FieldForm(type=cast(FieldType, kind), names=tuple(names))
                for name, (kind, *names) in row["fields"].items()
            },
        )
        for row in table["form"]
    )
    return common, forms


def common() -> Mapping[str, tuple[str, ...]]:
    """The columns of all forms: names by ours."""
    return _table()[0]


def forms() -> dict[str, Form]:
    """All forms by id."""
    return {form.id: form for form in _table()[1]}


@cache
def known_files() -> tuple[Known, ...]:
    """Published files that are known."""
    text = files(__package__).joinpath("known.toml").read_text(encoding="utf-8")
    return tuple(Known(**row) for row in tomllib.loads(text)["known"])


def known(file_name: str) -> Known | None:
    """What is known of a file of this name."""
    return next((one for one in known_files() if file_name.startswith(one.file)), None)


def form_of(header: Sequence[str], file_name: str) -> Form:
    """The form of a table: by what its file is called, then by its columns."""
    there = {name for cell in header for name in _spellings(cell)}
    best, points = forms()["other"], 0
    for form in forms().values():
        signs = sum(plain(sign) in there for sign in form.signs)
        named = any(_is_word(one, file_name.lower()) for one in form.files)
        if signs + 3 * named > points:
            best, points = form, signs + 3 * named
    return best


def columns_of(
    header: Sequence[str], form: Form, given: Mapping[str, str] | None = None
) -> Columns:
    """Recognise a header.

    Args:
        header: the cells of the header.
        form: whose columns are looked for, with those that all forms have.
        given: the file's name of a column by ours, before any other.

    Raises:
        ValueError: a column that is given is not there.
    """
    at: dict[str, list[int]] = {}
    for spelling in (0, 1):  # a whole name before one that has something in brackets behind it
        for place, cell in enumerate(header):
            for name in _spellings(cell)[spelling : spelling + 1]:
                at.setdefault(name, []).append(place)
    wanted = dict(common()) | {name: one.names for name, one in form.fields.items()}
    for ours, theirs in (given or {}).items():
        if ours not in wanted:
            raise ValueError(f"{ours!r} is not one of {', '.join(wanted)}")
        if plain(theirs) not in at:
            raise ValueError(f"there is no column {theirs!r} but {', '.join(header)}")
        wanted[ours] = (theirs,)
    places = {
        ours: tuple(dict.fromkeys(place for one in names for place in at.get(plain(one), [])))
        for ours, names in wanted.items()
    }
    return Columns(names=_unique(header), places={ours: at for ours, at in places.items() if at})


def _is_word(word: str, text: str) -> bool:
    """Whether a word stands in a text, and not within another one."""
    return re.search(f"(?<![a-z]){re.escape(word)}(?![a-z])", text) is not None


def _spellings(cell: str) -> tuple[str, ...]:
    whole = plain(cell)
    bare = _BRACKETS.sub("", whole)
    return (whole,) if bare in (whole, "") else (whole, bare)


def _unique(header: Sequence[str]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    next_number: dict[str, int] = {}
    for place, cell in enumerate(header, start=1):
        unique = name = " ".join(cell.split()) or f"column_{place}"
        number = next_number.get(name, 2)
        while unique in names:
            unique, number = f"{name}_{number}", number + 1
        next_number[name] = number
        names[unique] = None
    return tuple(names)
