"""Rules over derived figures: by the values and bands that the API shows, and none without its inputs."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from alarmed import LABEL, Alarmed
from samples import after, message, registration
from tsuji.area_sets import assign_all
from tsuji_platform.analytics.alert_thresholds import RULE_FIGURES
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.quarters import midnight
from tsuji_platform.analytics.typical import days_behind
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.store import Areas

FIGURES = [one for one in RULE_FIGURES if one in DERIVED]
NOW = after(minutes=0)
"""9:00 in Tokyo, of a Wednesday."""
WEATHER = {
    "air_temperature": 35.0, "relative_humidity": 60.0, "solar_irradiance": 900.0,
    "wind_speed": 2.0, "wind_from_direction": 90.0, "rainfall": 25.0,
}  # fmt: skip


def rule(name: str, figure: str, threshold: str, scope: str = 'areas = { set = "squares" }') -> str:
    return f'[[rule]]\nid = "{name}"\n{LABEL}figure = "{figure}"\n{scope}\nat_least = {threshold}\n'


def always(figure: str) -> str:
    """Met by any value."""
    return rule(figure.replace("_", "-"), figure, str(max(DERIVED[figure].lowest, -99)))


@pytest.fixture
def city(hub_url: str) -> Iterator[Alarmed]:
    """Weather, fine dust and a place with a capacity that is twice as full as usual, all in W."""
    city = Alarmed(hub_url, "\n".join(always(figure) for figure in FIGURES))
    city.writer.save(
        [
            registration("pole-3", *WEATHER, "pm2_5"),
            registration(
                "gate-2", "pedestrians_in", "pedestrians_out", capacity=150, effective_width_m=2.0
            ),
        ]
    )
    assign_all(Areas(city.database))
    today = date(2026, 4, 1)
    for day in days_behind(today, 1):
        count(city, midnight(day) + timedelta(hours=8), 5)
    count(city, NOW - timedelta(hours=1), 10)
    hours = [midnight(today) - timedelta(hours=h, minutes=30) for h in range(24)]
    city.writer.save([message("pole-3", one, pm2_5=36.0) for one in hours])
    city.say("pole-3", 0, **WEATHER)
    city.now = NOW
    yield city
    city.close()


def count(city: Alarmed, start: datetime, people: int) -> None:
    """An hour of a place that fills."""
    times = [start + timedelta(minutes=5 * (i + 1)) for i in range(12)]
    counts = {"pedestrians_in": float(people), "pedestrians_out": people / 5}
    city.writer.save([message("gate-2", one, 300, **counts) for one in times])


def shown(city: Alarmed) -> dict[str, dict]:
    """Derived figures as the API shows them."""
    with TestClient(create_app(Hub(city.database, lambda: city.now))) as api:
        answer = api.get("/v1/area-sets/squares/areas/W/profile")
        return answer.raise_for_status().json()["derived"]


def test_every_derived_figure_raises_alerts_at_the_value_that_the_api_shows(city: Alarmed) -> None:
    city.turn()
    values = {name: it["value"] for name, it in shown(city).items() if name in FIGURES}
    raised = {row.rule_id.replace("-", "_"): row.peak for row in city.found()}
    assert raised == {name: value for name, value in values.items() if value is not None}
    assert set(FIGURES) - raised.keys() == {"wind_chill"}  # which is not defined in the heat
    assert raised["percent_of_typical"] == 200
    assert raised["pm2_5_day_mean"] == 36
    assert raised["percent_of_capacity"] == 64
    problems = {one["document"]["id"]: one["problem"] for one in city.alerts.rules()}
    assert problems.pop("wind-chill").startswith(
        "nothing that it names has a value now: defined only up to 10"
    )
    assert set(problems.values()) == {""}


def test_things_have_derived_figures_of_their_own(city: Alarmed) -> None:
    scopes = {
        "percent-of-typical": ("percent_of_typical", "100"),
        "percent-of-capacity": ("percent_of_capacity", "60"),
        "wbgt": ("wbgt", "31"),
        "fine-dust": ("pm2_5_day_mean", "35.1"),
        "crowd": ("congestion", '"crowded"'),
    }
    rules = [rule(name, *it, scope="things = {}") for name, it in scopes.items()]
    city.begin(rules=Alarmed.read("\n".join(rules)))
    city.turn()
    assert {(row.rule_id, row.thing_id) for row in city.found(on=True)} == {
        ("percent-of-typical", "gate-2"), ("percent-of-capacity", "gate-2"), ("crowd", "gate-2"),
        ("wbgt", "pole-3"), ("fine-dust", "pole-3"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("figure", "met", "not_met"),
    [
        ("congestion", "crowded", "very_crowded"),
        ("percent_of_typical", "busier_than_usual", None),
        ("percent_of_capacity", "crowded", "full"),
        ("wbgt", "danger", None),
        ("rain_band", "heavy", "intense"),
        ("pm2_5_day_mean", "above_standard", "above_advisory"),
    ],
)
def test_a_threshold_may_name_a_band(
    city: Alarmed, figure: str, met: str, not_met: str | None
) -> None:
    rules = rule("met", figure, f'"{met}"')
    if not_met is not None:
        rules += rule("not-met", figure, f'"{not_met}"')
    city.begin(rules=Alarmed.read(rules))
    city.turn()
    assert [row.rule_id for row in city.found(on=True)] == ["met"]
    assert shown(city)[figure]["band"]["id"] == met


def test_a_figure_that_lacks_an_input_begins_and_ends_nothing_and_says_why(city: Alarmed) -> None:
    heat = Alarmed.read(rule("heat", "wbgt", '"danger"'))
    city.begin(rules=heat)
    city.turn()
    assert city.told() == [("started", "W")]
    city.say("pole-3", 61, air_temperature=10, relative_humidity=60, wind_speed=2)
    city.begin(rules=heat)  # killed; the sun was last seen too long ago: there is no estimate
    city.turn()
    (row,) = city.found(on=True)
    assert row.value_at == after(minutes=59)
    (told,) = city.alerts.rules()
    assert told["problem"] == ("nothing that it names has a value now: missing: solar irradiance")
    city.say("pole-3", 62, solar_irradiance=0)
    city.begin(rules=heat)
    city.turn()
    assert city.told() == [("started", "W"), ("ended", "W")]
    assert city.alerts.rules()[0]["problem"] == ""
