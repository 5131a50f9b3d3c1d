"""Files of alert rules: what they mean, and how each mistake is named."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tsuji_platform.analytics.alert_rules import (
    Rule,
    RulesError,
    Source,
    load,
    of_document,
    parse,
    schema,
)
from tsuji_platform.analytics.alert_thresholds import RULE_FIGURES
from tsuji_platform.analytics.derived import DERIVED

_DOCS = Path(__file__).resolve().parents[2] / "docs"
GOOD = """
[[rule]]
id = "hot"
label = { ja = "暑い", en = "Hot" }
observed_property = "air_temperature"
things = { kind = "smart_pole" }
at_least = 35
"""


def changed(**keys: str) -> str:
    """The good rule with keys changed; an empty value leaves one out."""
    told = dict(line.split(" = ", 1) for line in GOOD.strip().splitlines()[1:])
    told |= {key.rstrip("_"): text for key, text in keys.items()}
    return "\n".join(["[[rule]]", *(f"{key} = {text}" for key, text in told.items() if text)])


def test_a_rule_is_read_whole() -> None:
    text = changed(clears_below="33.5", for_='"5m"', clears_after='"90s"', gap='"2h"')
    (rule,) = parse(text, "it").rule
    condition = rule.condition
    assert (condition.threshold, condition.clear, condition.above) == (35, 33.5, True)
    assert condition.hold == timedelta(minutes=5)
    assert condition.clear_hold == timedelta(seconds=90)
    assert condition.gap == timedelta(hours=2)
    assert (rule.source, rule.unit) == (Source.OBSERVATIONS, "Cel")
    assert of_document(rule.document()) == rule


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"id": '"Hot!"'}, "'Hot!'"),
        ({"id": ""}, "rule 1 (without id): id: Field required"),
        ({"label": '{ ja = "暑い" }'}, "label.en"),
        ({"label": '{ ja = "暑い", en = "" }'}, "label.en"),
        ({"label": '{ ja = "暑い", en = "a\\u0000b" }'}, "label.en"),
        ({"observed_property": '"temperature"'}, "'temperature' is not one of air_temperature"),
        ({"observed_property": '"wind_from_direction"'}, "direction"),
        ({"observed_property": ""}, "exactly one of"),
        ({"figure": '"footfall"'}, "it has observed_property and figure"),
        ({"observed_property": "", "figure": '"crowding"'}, "'crowding' is not one of footfall"),
        (
            {"observed_property": "", "figure": '"wind_vector_from_direction"'},
            "is a direction, which no threshold divides; take one of footfall, air_temperature",
        ),
        ({"observed_property": "", "figure": '"footfall"', "at_least": "-1"}, "0 or more {person}"),
        ({"observed_property": "", "figure": '"air_temperature"', "at_least": "70"}, "-50 to 60 Cel"),
        ({"observed_property": "", "figure": '"level_of_service"', "at_least": "7"}, "1 to 6 1"),
        (
            {"observed_property": "", "figure": '"wbgt"', "at_least": '"hot"'},
            "at_least 'hot' is no number and not one of warning, severe_warning, danger",
        ),
        (
            {"observed_property": "", "figure": '"wbgt"', "at_least": '"caution"'},
            "'caution' leaves no value out or none in; take one of warning, severe_warning, danger",
        ),
        (
            {"observed_property": "", "figure": '"wind_chill"', "at_least": '"danger"'},
            "at_least 'danger' must be a number: wind_chill has no bands",
        ),
        (
            {"observed_property": "", "figure": '"percent_of_typical"', "clears_below": '"as_usual"'},
            "either all numbers or all names",
        ),
        ({"at_least": "true"}, "must be a number, or in quotes the name of a band, got true"),
        ({"areas": '{ set = "squares" }'}, "either areas or things"),
        ({"things": ""}, "either areas or things"),
        ({"things": "", "areas": '{ set = "squares" }'}, "observed_property is for things"),
        ({"things": "", "areas": '{ set = "a/b" }'}, "'a/b'"),
        ({"things": '{ ids = [] }'}, "things.ids"),
        ({"things": '{ ids = ["no/id"] }'}, "'no/id'"),
        ({"things": '{ name = "pole" }'}, "things.name: there is no such key; there are ids, kind"),
        ({"at_least": ""}, "either at_least or at_most"),
        ({"at_least": '"35"'}, "'35'"),
        ({"at_least": "nan"}, "at_least"),
        ({"at_least": "70"}, "70 is outside of what air_temperature can be, -50 to 60 Cel"),
        ({"at_most": "5"}, "either at_least or at_most"),
        ({"clears_below": "36"}, "the clearing threshold 36 lies beyond the threshold 35"),
        ({"clears_above": "36"}, "clears_above does not go with at_least"),
        ({"for_": "5"}, 'such as "90s", "5m"'),
        ({"for_": '"5 minutes"'}, "'5 minutes'"),
        ({"for_": '"8d"'}, "seven days"),
        ({"gap": '"0s"'}, "gap must be longer"),
        ({"threshold": "35"}, "threshold: there is no such key; there are id, label, observed_property"),
        ({"observed_property": "", "silent_intervals": "3"}, "at_least means nothing for silence"),
        (
            {"observed_property": "", "silent_intervals": "3", "at_least": "", "for_": '"5s"'},
            "at least 30s",
        ),
        ({"observed_property": "", "silent_intervals": "0.5", "at_least": ""}, "0.5"),
    ],
)  # fmt: skip
def test_every_mistake_is_named_with_its_place_and_value(keys: dict[str, str], named: str) -> None:
    with pytest.raises(RulesError) as refused:
        parse(changed(**keys), "rules.toml")
    assert str(refused.value).startswith("rules.toml: rule 1 (")
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("figure", "keys", "threshold", "clear"),
    [
        ("wbgt", {"at_least": '"danger"', "clears_below": '"severe_warning"'}, 31, 28),
        ("wbgt", {"at_most": '"warning"', "clears_above": "28.5"}, 27.9, 28.5),
        ("rain_band", {"at_least": '"somewhat_heavy"'}, 10, 10),
        ("pm2_5_day_mean", {"at_least": '"above_advisory"'}, 70.1, 70.1),
        ("pm2_5_day_mean", {"at_most": '"within_standard"'}, 35, 35),
        ("percent_of_capacity", {"at_least": '"full"', "clears_below": '"crowded"'}, 80, 60),
        ("percent_of_capacity", {"at_most": '"free"'}, 29, 29),
        ("level_of_service", {"at_least": '"E"', "clears_below": '"D"'}, 5, 4),
        ("congestion", {"at_least": '"very_crowded"'}, 4, 4),
        ("percent_of_typical", {"at_most": '"quieter_than_usual"'}, 1, 1),
    ],
)
def test_the_name_of_a_band_stands_for_its_edge(
    figure: str, keys: dict[str, str], threshold: float, clear: float
) -> None:
    named = {"observed_property": "", "figure": f'"{figure}"', "at_least": ""} | keys
    (rule,) = parse(changed(**named), "it").rule
    assert (rule.condition.threshold, rule.condition.clear) == (threshold, clear)
    assert of_document(rule.document()) == rule
    assert rule.unit == ("1" if rule.by_place else DERIVED[figure].unit)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[rule]", "is no TOML"),
        ("rule = 5", "rule"),
        ("rule = " + "[" * 20_000, "nested too deeply"),
        ("[[rules]]", "rules: there is no such key; there are rule"),
        (GOOD + GOOD, "several rules have the id 'hot'"),
        (GOOD + 'gap = "x"\n' + GOOD.replace('"hot"', "5"), "rule 2"),
    ],
)
def test_what_is_no_file_of_rules_is_refused(text: str, named: str) -> None:
    with pytest.raises(RulesError, match=r"^rules\.toml") as refused:
        parse(text, "rules.toml")
    assert named in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"missing\.toml"):
        load(str(tmp_path / "missing.toml"))
    (tmp_path / "cp932.toml").write_bytes("label = '暑い'".encode("cp932"))
    with pytest.raises(RulesError, match="UTF-8"):
        load(str(tmp_path / "cp932.toml"))


def test_a_label_decides_nothing_and_all_else_does() -> None:
    def digest(**keys: str) -> str:
        (rule,) = parse(changed(**keys), "it").rule
        return rule.digest()

    assert digest(label='{ ja = "猛暑", en = "Very hot" }') == digest()
    others = [{"at_least": "36"}, {"things": "{}"}, {"for_": '"1m"'}, {"clears_below": "34"}]
    assert len({digest(), *(digest(**keys) for keys in others)}) == 1 + len(others)


def test_the_set_that_comes_with_tsuji_is_good_and_claims_to_be_no_official_warning() -> None:
    rules = load("demonstration").rule
    assert {rule.source for rule in rules} == set(Source)
    labels = " ".join(f"{rule.label.ja} {rule.label.en} {rule.id}" for rule in rules)
    assert "警戒アラート" not in labels
    assert "警報" not in labels


def test_the_schema_in_the_documentation_is_that_of_the_code() -> None:
    kept = json.loads((_DOCS / "alerts.schema.json").read_text(encoding="utf-8"))
    assert kept == schema(), "run `tsuji alerts schema > docs/alerts.schema.json`"


def test_every_key_is_documented() -> None:
    text = (_DOCS / "alerts.md").read_text(encoding="utf-8")
    names = [field.alias or name for name, field in Rule.model_fields.items()]
    assert [name for name in names if f"`{name}`" not in text] == []
    derived = [name for name in RULE_FIGURES if name in DERIVED]
    assert [name for name in derived if f"`{name}`" not in text] == []
