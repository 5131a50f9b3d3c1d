import re
import tomllib
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest

import tsuji_dashboard
from tsuji_dashboard.bins import BINS
from tsuji_dashboard.profile_views import credited
from tsuji_dashboard.texts import (
    TABLES,
    TEXTS,
    choose,
    is_japanese,
    kind_label,
    reason_label,
    text,
    unit_label,
    words,
)
from tsuji_geo.boundaries import N03_LICENCE, N03_SOURCE
from tsuji_geo.prefectures import PREFECTURES
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.contract import Reason

PACKAGE = Path(tsuji_dashboard.__file__).parent
SOURCES = {
    path.name: path.read_text(encoding="utf-8")
    for pattern in ("*.py", "pages/*.py", "assets/*.js")
    for path in PACKAGE.glob(pattern)
    if path.name != "texts.py"
}
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
BUILT = {
    # keys that are put together out of parts
    r"unit\..+",
    r"kind\..+",
    r"usual\.(weekday|saturday|holiday)",
    r"reason\..+",
    r"state\..+",
    r"live\..+",
    r"counts\..+",
    r"banner\.(away|lost)",
    r"compass(\.short)?\.\d",
    r"chart\.(footfall|rainfall)",
    r"detail\.(no_figures|history)(_past)?",
    r"detail\.unknown_(area|thing)",
    r"figures\.(people|weather|environment)",
    r"level\.[A-F]",
    r"rule\..+",
    r"derived_source\..+",
    r"count\.(people|households|places)",
    r"area\.(range\..+|band)",
    r"weekday\.[0-6]",
    r"duration\.(min|h|d)",
    r"health\.(ok|degraded|down|stored_n|rejected_n|duplicate|corrected|waiting|stuck|step)",
    r"health\.evaluator\.(ok|silent|none)",
    r"flag\..+",
    r"place\..+",
    r"usual_band\..+",
    r"credited\..+",
}


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_every_text_is_in_both_languages_with_the_same_fields(key):
    japanese, english = TEXTS[key]
    assert japanese.strip()
    assert english.strip()
    assert fields(japanese) == fields(english)


def test_no_text_stands_in_two_places():
    assert len(TEXTS) == sum(len(table) for table in TABLES)


def test_every_reason_has_its_words():
    assert {f"reason.{reason.value}" for reason in Reason} <= TEXTS.keys()
    assert reason_label("of_tomorrow", "ja") == "of_tomorrow"


@pytest.mark.parametrize("key", TEXTS)
def test_english_texts_hold_no_japanese(key):
    if not key.startswith("language."):
        assert not JAPANESE.search(TEXTS[key][1])


def test_every_text_that_is_asked_for_exists():
    asked = set()
    for source in SOURCES.values():
        asked |= set(re.findall(r"""\b(?:t|text|button)\(\s*["']([\w.]+)["']""", source))
    assert len(asked) > 60
    assert asked <= TEXTS.keys()


def test_no_text_is_left_over():
    everything = "\n".join(SOURCES.values())
    left = [
        key
        for key in TEXTS
        if f'"{key}"' not in everything and not any(re.fullmatch(built, key) for built in BUILT)
    ]
    assert left == []


def test_the_words_of_bins_exist():
    for bins in BINS.values():
        for key in (*bins.words, bins.low, bins.high, bins.note):
            assert not key or key in TEXTS


def test_a_missing_field_is_an_error():
    with pytest.raises(KeyError):
        text("age.s", "en")
    assert text("age.s", "ja", n=3) == "3秒前"


def test_unit_words_are_translated_and_symbols_are_not():
    assert unit_label("people/h", "ja") == "人/時"
    assert unit_label("°C", "ja") == "°C"
    known = {figure.unit_label for figure in FIGURES.values()}
    assert {label for label in known if re.search("[a-z]{4}", label)} <= {
        key.removeprefix("unit.") for key in TEXTS
    }


def test_unknown_kinds_are_shown_as_they_are():
    assert kind_label("smart_pole", "ja") == "スマートポール"
    assert kind_label("<b>", "en") == "<b>"


def test_the_sources_that_imports_know_have_english_names():
    known = tomllib.loads(files("tsuji_geo.opendata").joinpath("known.toml").read_text("utf-8"))
    built_in = [it["publisher"] for rows in known.values() for it in rows]
    built_in += [N03_SOURCE, N03_LICENCE, "JIS X 0410 地域メッシュ"]
    built_in += [name for name, _ in PREFECTURES.values()]
    for name in built_in:
        assert not is_japanese(text(f"credited.{name}", "en")), name
        assert credited(name, "ja") == name


def test_what_has_no_english_name_is_marked_as_japanese():
    assert credited("CC BY 4.0", "en") == "CC BY 4.0"
    assert credited("東京都", "en") == "Tokyo Metropolitan Government"
    unknown = credited("ある町の観光協会", "en")
    assert (unknown.children, unknown.lang) == ("ある町の観光協会", "ja")


def test_the_browser_gets_the_whole_table():
    assert words("en").keys() == TEXTS.keys()


@pytest.mark.parametrize(
    ("asked", "accept", "chosen"),
    [
        ("en", "ja", "en"),
        ("ja", "en-US", "ja"),
        (None, "en-US,en;q=0.9", "en"),
        (None, "fr, ja;q=0.8, en;q=0.9", "en"),
        (None, "fr, en;q=0", "ja"),
        (None, None, "ja"),
        ("xx", "", "ja"),
        (None, "en;q=oops", "ja"),
    ],
)
def test_language_is_the_asked_one_else_the_browsers_else_japanese(asked, accept, chosen):
    assert choose(asked, accept) == chosen
