"""Withheld counts look like what they are, in the panel and in its charts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import plotly.io
import pytest

from tsuji_dashboard.charts import chart
from tsuji_dashboard.client import Area, Series, Thing
from tsuji_dashboard.detail import AreaDetail, Selection, ThingDetail
from tsuji_dashboard.texts import LANGUAGES, Lang, text
from tsuji_dashboard.views import panel

NOON = datetime(2026, 4, 1, 3, tzinfo=UTC)
STEP = timedelta(minutes=15)


def series_body(*values: float | None, suppressed: tuple[int, ...] = ()) -> dict[str, Any]:
    """What the API answers, with the steps of these numbers withheld."""
    times = [NOON + STEP * (i + 1) for i in range(len(values))]
    gaps = [
        {
            "start": (times[i] - STEP).isoformat(),
            "end": times[i].isoformat(),
            "reason": "suppressed",
        }
        for i in suppressed
    ]
    return {
        "figure": "footfall",
        "unit_label": "people / 15 min",
        "start": NOON.isoformat(),
        "end": times[-1].isoformat(),
        "step_s": 900,
        "times": [time.isoformat() for time in times],
        "values": list(values),
        "gaps": gaps,
    }


def area_body(**footfall: Any) -> dict[str, Any]:
    time = NOON.isoformat()
    return {
        "area_set": "m",
        "code": "1",
        "name": "西口",
        "things": [],
        "figures": {"footfall": {"time": time, "n": 2, **footfall}},
        "time": time,
    }


def selected(kind: str, lang: Lang) -> Selection:
    chosen = Selection.read(
        {"kind": kind, "id": "1", "set": "m", "figure": "footfall", "lang": lang}
    )
    assert chosen is not None
    return chosen


def shown(parts: list[Any]) -> str:
    return json.dumps(
        [json.loads(plotly.io.json.to_json_plotly(it)) for it in parts], ensure_ascii=False
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_suppressed_figure_has_a_tile_without_a_number(lang: Lang) -> None:
    area = Area.read(area_body(value=None, suppressed=True, left_out=3))
    assert area.figures["footfall"].value is None
    series = Series.read(series_body(None, None, suppressed=(0, 1)))
    detail = AreaDetail(area=area, things=(), measures=("footfall",), series={"footfall": series})
    said = shown(panel(detail, selected("area", lang)).body)
    assert '"data-value": ""' in said
    assert text("suppressed", lang) in said
    assert text("chart.empty", lang) not in said


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_figure_says_how_many_small_counts_it_leaves_out(lang: Lang) -> None:
    area = Area.read(area_body(value=41.0, left_out=12))
    series = Series.read(series_body(12, None, None, 30, suppressed=(1,)))
    detail = AreaDetail(area=area, things=(), measures=("footfall",), series={"footfall": series})
    said = shown(panel(detail, selected("area", lang)).body)
    assert '"data-value": "41.0"' in said
    assert text("left_out", lang, n="12") in said
    assert text("chart.suppressed", lang, n="1") in said


def test_a_withheld_step_and_a_silent_one_are_told_apart() -> None:
    series = Series.read(series_body(12, None, None, 30, suppressed=(1,)))
    assert series.suppressed == {NOON + 2 * STEP}
    hover = chart(series, decimals=0, lang="ja", theme="light").data[0].hovertext
    assert "少数のため非表示" in hover[1]
    assert "–</b>" in hover[2]


def test_a_things_withheld_result_is_no_number() -> None:
    thing = Thing.read(
        {
            "id": "1",
            "name": "1",
            "kind": "footfall_counter",
            "state": "live",
            "datastreams": ["pedestrians"],
            "latest": {
                "pedestrians": {"result": None, "time": NOON.isoformat(), "suppressed": True}
            },
        }
    )
    detail = ThingDetail(thing=thing, measures=("pedestrians",), series={})
    said = shown(panel(detail, selected("thing", "ja")).body)
    assert '"data-value": ""' in said
    assert "None" not in said
