"""Every word on the screen, in Japanese and English side by side, so that neither is forgotten."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from tsuji_dashboard.words import area, bands, detail, frame, share, side, sources, the_map, units

Lang = Literal["ja", "en"]
LANGUAGES: tuple[Lang, ...] = get_args(Lang)
DEFAULT: Lang = "ja"
_TURNING = re.compile(r"[\u0590-\u08ff\u202a-\u202e\u2066-\u2069]")
_JAPANESE = re.compile(r"[\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff]")

TABLES = tuple(
    table.TEXTS for table in (frame, the_map, bands, sources, detail, area, side, share, units)
)
"""The tables that `words` holds, each of one page or panel."""
TEXTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {key: both for table in TABLES for key, both in table.items()}
)
"""Every text by key, as (Japanese, English)."""


def text(key: str, lang: Lang, **fields: str | int) -> str:
    """The text of `key` in `lang` with its {fields} filled in.

    Raises:
        KeyError: for a key that isn't in the table, or a field that the text needs and didn't get.
    """
    return TEXTS[key][LANGUAGES.index(lang)].format(**fields)


def isolated(name: str) -> str:
    """A name within a sentence: one that runs from right to left must not turn the sentence round."""
    return f"\u2068{name}\u2069" if _TURNING.search(name) else name


def is_japanese(said: str) -> bool:
    """Whether kana or kanji stand in a text."""
    return bool(_JAPANESE.search(said))


def words(lang: Lang) -> dict[str, str]:
    """The whole table in one language, for the browser."""
    column = LANGUAGES.index(lang)
    return {key: both[column] for key, both in TEXTS.items()}


def unit_label(label: str, lang: Lang) -> str:
    """The API's unit label in the reader's language; units that aren't words stay as they are."""
    key = f"unit.{label}"
    return text(key, lang) if key in TEXTS else label


def kind_label(kind: str, lang: Lang) -> str:
    """What a kind of thing is called; an unknown kind is shown as it was registered."""
    key = f"kind.{kind}"
    return text(key, lang) if key in TEXTS else kind


def reason_label(reason: str, lang: Lang) -> str:
    """Why a message was rejected; a reason that is not known here is shown as it is."""
    key = f"reason.{reason}"
    return text(key, lang) if key in TEXTS else reason


def choose(asked: str | None, accept_language: str | None) -> Lang:
    """The language to show: the one asked for, else the browser's first that we have, else Japanese."""
    for lang in LANGUAGES:
        if asked == lang:
            return lang
    wanted = []
    for place, part in enumerate((accept_language or "").split(",")):
        tag, _, parameters = part.strip().partition(";")
        name, _, weight = parameters.strip().partition("=")
        try:
            quality = float(weight) if name.strip() == "q" else 1.0
        except ValueError:
            quality = 0.0
        wanted.append((-quality, place, tag.strip().lower().split("-")[0]))
    for quality, _, tag in sorted(wanted):
        for lang in LANGUAGES:
            if tag == lang and quality < 0:
                return lang
    return DEFAULT
