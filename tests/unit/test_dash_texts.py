import re
from pathlib import Path
from string import Formatter

import pytest

import tsuji_dashboard
from tsuji_dashboard.bins import BINS
from tsuji_dashboard.texts import (
    TEXTS,
    choose,
    kind_label,
    reason_label,
    text,
    unit_label,
    words,
)
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
}


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_every_text_is_in_both_languages_with_the_same_fields(key):
    japanese, english = TEXTS[key]
    assert japanese.strip()
    assert english.strip()
    assert fields(japanese) == fields(english)


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
