import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import plotly.io
import pytest

from tsuji_dashboard.client import Area, Place, Reading, Series, Thing, path
from tsuji_dashboard.detail import AreaDetail, Neighbour, Selection, ThingDetail
from tsuji_dashboard.pages.map import page_data
from tsuji_dashboard.shown import SHOWN
from tsuji_dashboard.views import Panel, other_charts, panel, trouble
from tsuji_platform.analytics.figures import FIGURES

HOSTILE = "<img src=x onerror=alert(1)>"
NOW = datetime.now(UTC)
PAST = "2026-04-01T00:00:00Z"


def series(of: str, *values: float | None) -> Series:
    return Series(
        of=of,
        unit_label="people / 15 min",
        start=NOW - timedelta(hours=24),
        end=NOW,
        step_s=900,
        times=tuple(NOW - timedelta(minutes=15 * i) for i in range(len(values)))[::-1],
        values=values,
    )


COUNTER = Neighbour(
    id="c1",
    name=HOSTILE,
    name_en=HOSTILE,
    kind="footfall_counter",
    state="silent",
    measures=frozenset({"pedestrians_in"}),
    last_observed_at=(NOW - timedelta(hours=30)).isoformat(),
)
CELL = Area(
    area_set="m",
    code="533945254",
    name="メッシュ 533945254",
    name_en="Mesh 533945254",
    things=("c1",),
    figures={},
    time=NOW,
)
SILENT = AreaDetail(
    area=CELL,
    things=(COUNTER,),
    measures=("footfall",),
    series={"footfall": series("footfall", None)},
)
COUNTING = AreaDetail(
    area=replace(CELL, figures={"footfall": Reading(value=1234, time=NOW, n=1)}),
    things=(COUNTER,),
    measures=("footfall", "air_temperature"),
    series={"footfall": series("footfall", 300, None, 500)},
)
FAR = ThingDetail(
    thing=Thing(
        id="c1",
        name=HOSTILE,
        name_en=HOSTILE,
        kind="footfall_counter",
        state="live",
        owner=None,
        datastreams=("pedestrians_in",),
        longitude=144.96,
        latitude=-37.81,
        last_observed_at=NOW,
        latest={},
        areas=(),
    ),
    measures=("pedestrians_in",),
    series={"pedestrians_in": None},
)


def chosen(kind: str = "area", lang: str = "en", **more: str) -> Selection:
    known = Selection.read({"kind": kind, "set": "m", "id": "c1", "lang": lang, **more})
    assert known is not None
    return known


def shown(found: Panel | list[object]) -> str:
    parts = [*found.body, *found.foot] if isinstance(found, Panel) else found
    return json.dumps(json.loads(plotly.io.json.to_json_plotly(parts)), ensure_ascii=False)


def test_an_area_whose_sensors_are_silent_says_so_instead_of_showing_an_empty_chart():
    said = shown(panel(SILENT, chosen()))
    assert "The sensors of this area have sent no value within 60 minutes." in said
    assert "The sensor was last heard at" in said
    assert '"Graph"' not in said


def test_an_area_without_sensors_says_so():
    empty = AreaDetail(area=replace(CELL, things=()), things=(), measures=(), series={})
    assert "ここ" not in shown(panel(empty, chosen(lang="ja")))
    assert "このエリアにはセンサーがない" in shown(panel(empty, chosen(lang="ja")))


def test_values_are_left_to_the_browser_which_keeps_them_live():
    said = shown(panel(COUNTING, chosen(figure="footfall")))
    assert '"data-figure": "footfall"' in said
    assert '"data-value": "1234"' in said
    assert "800 in total" in said
    assert FIGURES["footfall"].method in said


def test_a_past_moment_is_named():
    said = shown(panel(COUNTING, chosen(at=PAST)))
    assert re.search(r"At 1 Apr (2026 )?09:00", said)  # with its year once that is another
    assert "The 24 hours before" in said
    assert "at=2026-04-01T00%3A00%3A00Z" in said


def test_the_other_charts_come_apart_and_one_that_failed_is_told():
    charts = shown(other_charts(COUNTING, chosen(lang="ja")))
    assert "24時間の推移" in charts
    assert "この推移は読み込めませんでした" in charts
    assert "人/15分" not in charts


def test_a_cell_is_named_after_what_stands_in_it():
    said = shown(panel(SILENT, chosen()))
    assert f"Near {HOSTILE}" in said
    assert "Mesh cell 533945254" in said


def test_a_municipality_keeps_its_name():
    ward = replace(CELL, code="13104", name="新宿区", name_en="Shinjuku City")
    said = shown(panel(AreaDetail(area=ward, things=(COUNTER,), measures=(), series={}), chosen()))
    assert "Shinjuku City" in said
    assert "Near" not in said


def test_what_was_rejected_lately_is_told_with_its_reasons():
    one = replace(FAR, thing=replace(FAR.thing, refused=(("future_time", 12),)))
    assert "過去24時間に拒否されたメッセージ: 12件(時刻が未来)" in shown(
        panel(one, chosen("thing", lang="ja"))
    )
    several = (("bad_time", 3), ("implausible_value", 1200), ("of_tomorrow", 3))
    more = replace(FAR, thing=replace(FAR.thing, refused=several))
    assert (
        "Rejected messages in the last 24 hours: 1,206 (implausible value: 1,200, "
        "unreadable time: 3, of_tomorrow: 3)" in shown(panel(more, chosen("thing")))
    )
    assert "24 hours: 1,206" not in shown(panel(more, chosen("thing", at=PAST)))
    assert "Rejected" not in shown(panel(FAR, chosen("thing")))


def test_a_thing_outside_every_area_is_shown_with_its_position_and_what_failed():
    said = shown(panel(FAR, chosen("thing", "ja")))
    assert "-37.81000, 144.96000" in said
    assert "登録されたどのエリアにも含まれません" in said
    assert "この推移は読み込めませんでした" in said


def test_a_thing_names_its_areas_as_links():
    place = Place(area_set="m", code="1&2", name="甲", name_en="A")
    said = shown(panel(replace(FAR, thing=replace(FAR.thing, areas=(place,))), chosen("thing")))
    assert "area=1%262" in said
    assert '"data-area": "1&2"' in said


@pytest.mark.parametrize("key", ["detail.unknown_area", "detail.unknown_thing", "detail.away"])
def test_trouble_is_told(key):
    assert "c1" in shown(trouble(key, chosen()))


@pytest.mark.parametrize("data", [None, {}, {"kind": "area"}, {"kind": "else", "id": "x"}])
def test_nothing_sensible_selected_is_nothing(data):
    assert Selection.read(data) is None


def test_a_selection_takes_only_what_it_knows():
    read = chosen(lang="xx", theme="blue", at="yesterday")
    assert (read.lang, read.theme, read.at) == ("ja", "light", None)


def test_ids_from_addresses_cannot_leave_their_place_in_the_path():
    assert path("things", "../area-sets?x") == "/v1/things/..%2Farea-sets%3Fx"


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_the_page_brings_bins_and_words_for_every_figure(lang):
    page = json.loads(json.dumps(page_data(lang, "https://tiles/{z}/{x}/{y}.png")))
    assert [figure["id"] for figure in page["figures"]] == list(SHOWN)
    for figure in page["figures"]:
        assert len(figure["labels"]) == len(figure["colours"]["light"])
        assert set(figure["properties"]) <= page["properties"].keys()


def test_a_reading_that_looks_wrong_says_so_beside_its_value():
    odd = Reading(value=3, time=NOW, quality=("stuck", "step", "of a later version"))
    thing = replace(FAR.thing, latest={"pedestrians_in": odd})
    said = shown(panel(replace(FAR, thing=thing), chosen("thing")))
    assert "Unchanged for 6 h or more: the sensor may be stuck" in said
    assert "A sudden leap: the value may be wrong" in said
    assert "later version" not in said
    assert "Unchanged" not in shown(panel(replace(FAR, thing=thing), chosen("thing", at=PAST)))
