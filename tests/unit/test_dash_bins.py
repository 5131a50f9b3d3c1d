import math
import re

import pytest

from tsuji_dashboard.bins import BINS
from tsuji_dashboard.shown import SHOWN
from tsuji_dashboard.texts import text
from tsuji_platform.analytics.derived import DERIVED

OF_THEIR_OWN = ("wind_from_direction", "air_temperature", "percent_of_typical", "wbgt")
"""Directions turn, others go two ways from a middle, and heat goes from cold to hot colours."""


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_figure_has_bins():
    assert BINS.keys() == SHOWN.keys()


@pytest.mark.parametrize("figure", BINS)
def test_bins_have_a_colour_a_label_and_a_word_each(figure):
    bins = BINS[figure]
    n = 8 if bins.turns else len(bins.edges) + 1
    for theme in ("light", "dark"):
        palette = bins.palette(theme)
        assert len(palette) == len(set(palette)) == n
        assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in palette)
    for lang in ("ja", "en"):
        assert len(set(bins.labels(lang))) == n
    assert len(bins.words) in (0, n)
    assert list(bins.edges) == sorted(set(bins.edges))


@pytest.mark.parametrize("figure", [figure for figure in BINS if figure not in OF_THEIR_OWN])
def test_more_is_darker_on_light_maps_and_brighter_on_dark_ones(figure):
    steps = slice(0, 7) if figure == "rainfall" else slice(None)  # the highest rain turns violet
    light = [luminance(c) for c in BINS[figure].palette("light")[steps]]
    assert light == sorted(light, reverse=True)
    dark = [luminance(c) for c in BINS[figure].palette("dark")[steps]]
    assert dark == sorted(dark)


def test_a_limit_belongs_to_the_bin_above():
    bins = BINS["footfall"]
    assert [bins.index(v) for v in (0, 0.9, 1, 99.9, 100, 49_999, 50_000)] == [0, 0, 1, 1, 2, 6, 7]


def test_the_words_of_rain_stand_at_the_agencys_limits():
    bins = BINS["rainfall"]
    words = {limit: bins.words[bins.index(limit)] for limit in (9.9, 10, 20, 30, 50, 80)}
    assert words == {
        9.9: None,
        10: "rain.somewhat_heavy",
        20: "rain.heavy",
        30: "rain.intense",
        50: "rain.very_intense",
        80: "rain.extreme",
    }


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("figure", ["level_of_service", "wbgt", "pm2_5_day_mean"])
def test_the_legend_calls_bands_what_the_api_calls_them(figure, lang):
    bins = BINS[figure]
    for stretch in DERIVED[figure].bands:
        value = stretch.high if math.isinf(stretch.low) else stretch.low
        word = text(bins.words[bins.index(value)] or "", lang)
        called = stretch.band.label_ja if lang == "ja" else stretch.band.label
        assert word.startswith(called.removeprefix(f"{stretch.band.id}: ")), stretch


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_both_ends_of_what_is_usual_are_called_what_the_api_calls_them(lang):
    low, _, high = (it.band for it in DERIVED["percent_of_typical"].bands)
    bins = BINS["percent_of_typical"]
    called = [it.label_ja if lang == "ja" else it.label for it in (low, high)]
    assert [text(bins.low, lang), text(bins.high, lang)] == called


def test_directions_go_round():
    bins = BINS["wind_from_direction"]
    assert [bins.index(v) for v in (0, 22.4, 22.5, 180, 337.4, 337.5, 360)] == [0, 0, 1, 4, 7, 0, 0]


def test_labels_say_whole_numbers_without_overlap_and_the_rest_with_it():
    assert BINS["footfall"].labels("en")[:3] == ["0", "1–99", "100–499"]
    assert BINS["footfall"].labels("ja")[-1] == "50,000 以上"
    assert BINS["air_temperature"].labels("ja")[:2] == ["0 未満", "0–5"]
