"""Every number on a page is the API's answer for the same address and moment, in both languages.

Most pages are looked at as of a past moment, which no clock changes between the two readings.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from city import MESH, City, live
from tsuji_dashboard.bins import BINS
from tsuji_dashboard.charts import summary
from tsuji_dashboard.client import Series
from tsuji_dashboard.measures import DECIMALS
from tsuji_dashboard.profile import Profile
from tsuji_dashboard.shown import SHOWN, Shown
from tsuji_dashboard.texts import LANGUAGES, Lang, text
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.analytics.quarters import TOKYO

Open = Callable[..., Page]

# Of all areas: list, shape and tooltip; of all points: tooltip.
MAP = """() => {
  const text = (element, what) => [...element.querySelectorAll(what)].map((it) => it.textContent);
  const rows = [...document.querySelectorAll("#ranking tbody tr")];
  const { areas, things } = window.tsuji.map;
  const named = [...areas].map(([code, layer]) => [code, layer.getElement()?.getAttribute("aria-label")]);
  const tips = (layers, tip) =>
    Object.fromEntries([...layers].map(([id, layer]) => [id, text(tip(layer), ".tip-value")]));
  return {
    rows: Object.fromEntries(rows.map((row) => [row.dataset.code, text(row, "td")])),
    shapes: Object.fromEntries(named.filter(([, label]) => label)),
    tips: tips(areas, window.tsuji.tips.area),
    points: tips(things, window.tsuji.tips.thing),
    ready: !window.tsuji.figure().derived || Boolean(window.tsuji.data.derivedAt),
  };
}"""


def number(value: float, decimals: int) -> str:
    """As both languages write it."""
    return f"{value:,.{decimals}f}".replace("-", "−")


def said(figure: Shown, value: float, lang: Lang, decimals: int | None = None) -> str:
    """A value as maps and lists show it."""
    bins = BINS[figure.id]
    if bins.names:
        return bins.names[bins.index(value)]
    shown = number(value, figure.figure.decimals if decimals is None else decimals)
    if not bins.turns:
        return shown
    return f"{text(f'compass.short.{int((value + 22.5) % 360 // 45)}', lang)} {shown}"


def values_of(city: City, figure: Shown, at: str) -> dict[str, Mapping[str, Any]]:
    """What the API says of each area that has a value."""
    what, key = ("derived", "derived") if figure.derived else ("snapshot", "figures")
    asked = {"figures": figure.id} if figure.derived else {}
    body = city.ask(f"/v1/area-sets/{MESH}/{what}", at=at, **asked)
    found = {area["code"]: area[key].get(figure.id) for area in body["areas"]}
    return {code: it for code, it in found.items() if it and it["value"] is not None}


def map_agrees(page: Page, city: City, figure: Shown, at: str, lang: Lang) -> int:
    """Compare all that the map shows of a figure; returns how many areas have a value."""
    known = values_of(city, figure, at)
    shown = {code: said(figure, it["value"], lang) for code, it in known.items()}
    things = city.ask(f"/v1/area-sets/{MESH}/snapshot", at=at, things="true")["things"]
    unit = figure.unit(lang)
    wanted = {
        "rows": {
            code: [shown[code], number(it["n"], 0) if it.get("n") else ""]
            for code, it in known.items()
        },
        "tips": {code: [f"{it}{unit}"] for code, it in shown.items()},
        "shapes": {
            code: f": {figure.label(lang)} {it} {unit}".rstrip() for code, it in shown.items()
        },
        "points": {it["id"]: points for it in things if (points := spoken(figure, it))},
        "ready": True,
    }

    def what_is_there() -> dict[str, Any]:
        got: dict[str, Any] = page.evaluate(MAP)
        for what in ("tips", "points"):
            got[what] = {code: tip for code, tip in got[what].items() if tip}
        for code, part in wanted["shapes"].items():  # of all that is said of it
            if part in got["shapes"].get(code, ""):
                got["shapes"][code] = part
        got["shapes"] = {code: got["shapes"].get(code) for code in shown}
        for thing_id, numbers in wanted["points"].items():
            tips = got["points"].get(thing_id, [])
            if len(tips) == len(numbers) and all(map(str.__contains__, tips, numbers)):
                got["points"][thing_id] = numbers
        return got

    comes(page, what_is_there, wanted, within=120)
    return len(known)


def spoken(figure: Shown, thing: Mapping[str, Any]) -> list[str]:
    """The numbers in a thing's tooltip."""
    latest = thing["latest"]
    return [
        number(latest[it]["result"], DECIMALS.get(it, 0))
        for it in figure.properties
        if it in latest
    ]


def comes(page: Page, read: Callable[[], Any], wanted: Any, within: float = 90) -> None:
    """Wait until something is read: parts of a page come one after the other."""
    deadline = time.monotonic() + within
    while (got := read()) != wanted:
        assert time.monotonic() < deadline, (got, wanted)
        page.wait_for_timeout(50)


@pytest.fixture(scope="module")
def at() -> str:
    return (datetime.now(UTC) - timedelta(hours=2)).replace(microsecond=0).isoformat()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_map_and_its_panel_show_the_apis_numbers_of_each_figure(
    city: City, open_page: Open, at: str, lang: Lang
) -> None:
    cell = city.cell("pole-1")
    page = open_page(city.address(set=MESH, area=cell, at=at, lang=lang))
    expect(page.locator("#banner")).to_be_visible()
    told = {}
    for figure in SHOWN.values():
        page.evaluate("id => window.tsuji.state.set({figure: id})", figure.id)
        told[figure.id] = map_agrees(page, city, figure, at, lang)
    assert told["footfall"] >= 1
    assert told["air_temperature"] >= 2
    states = [it["state"] for it in
              city.ask(f"/v1/area-sets/{MESH}/snapshot", at=at, things="true")["things"]]  # fmt: skip
    counts = {it: states.count(it) for it in ("live", "silent", "waiting") if states.count(it)}
    for state, n in counts.items():
        expect(page.locator(f"#counts .{state}")).to_contain_text(re.compile(rf"\b{n}\b|^{n} "))
    panel_agrees(page, city, cell, at, lang)


def panel_agrees(page: Page, city: City, cell: str, at: str, lang: Lang) -> None:
    """Compare the values and charts of an area's panel."""
    area = city.ask(f"/v1/area-sets/{MESH}/areas/{cell}", at=at)
    for key, it in area["figures"].items():
        value = page.locator(f"#detail [data-figure={key}][data-value]")
        expect(value).to_have_text(said(SHOWN[key], it["value"], lang))
        expect(page.locator(f"#detail [data-figure-n={key}]")).to_contain_text(f"{it['n']}")
    for key in area["figures"]:
        body = city.ask(f"/v1/area-sets/{MESH}/areas/{cell}/series", figure=key, end=at)
        line = summary(Series.read(body), DECIMALS[key], lang)
        assert line is not None
        # The chosen figure's chart may stand in both parts of the panel until both have come.
        summaries = page.locator(f"#detail [data-chart={key}] .summary")
        comes(page, summaries.all_text_contents, [line])
    profile_agrees(page.locator("#detail"), city, cell, at)


def profile_agrees(home: Any, city: City, cell: str, at: str) -> None:
    """Compare derived figures with the merged view of the area."""
    profile = Profile.read(city.ask(f"/v1/area-sets/{MESH}/areas/{cell}/profile", at=at))
    is_any = any(it.value is not None for it in profile.derived.values())
    read = "all => Object.fromEntries(all.map(it => [it.dataset.derived, it.textContent]))"

    def agrees() -> bool:
        shown = home.locator("[data-derived]").evaluate_all(read)
        return bool(shown) is is_any and shown == {
            key: number(value, profile.derived[key].decimals)
            for key in shown
            if (value := profile.derived[key].value) is not None
        }

    comes(home.page, agrees, True)


@pytest.mark.parametrize(
    ("lang", "thing", "other"), [("en", "counter-east", "pole-1"), ("ja", "pole-1", "counter-east")]
)
def test_the_page_of_an_area_shows_the_apis_numbers_in_words_charts_and_tables(
    city: City, open_page: Open, at: str, lang: Lang, thing: str, other: str
) -> None:
    cell, compared = city.cell(thing), city.cell(other)
    query = {"set": MESH, "area": cell, "compare": compared, "at": at, "lang": lang}
    page = open_page(str(httpx.URL(f"{city.processes.dashboard_url}/area", params=query)))
    expect(page.locator("[data-chart=compare] .main-svg").first).to_be_visible()
    area = city.ask(f"/v1/area-sets/{MESH}/areas/{cell}", at=at)
    read = "all => Object.fromEntries(all.map(it => [it.dataset.figure, it.textContent]))"
    comes(
        page,
        lambda: page.locator(".now [data-figure]").evaluate_all(read),
        {key: said(SHOWN[key], it["value"], lang) for key, it in area["figures"].items()},
    )
    profile_agrees(page.locator(".derived-part"), city, cell, at)
    end = datetime.fromisoformat(at)
    keys = [key for key in ("footfall", "air_temperature", "rainfall") if key in area["figures"]]
    series = {key: asked(city, cell, key, end - timedelta(hours=24), end, 900) for key in keys}
    assert rows(page, ".history") == table([its["values"] for its in series.values()],
                                           [FIGURES[key].decimals for key in keys],
                                           next(iter(series.values()))["times"])  # fmt: skip
    east = asked(city, city.cell("counter-east"), "footfall", end - timedelta(hours=24), end, 900)
    assert rows(page, "#area-compared") == table([east["values"]], [0], east["times"])
    if thing == "counter-east":
        whole = asked(city, cell, "footfall", end - timedelta(days=28), end, 3_600)
        assert [row[1:] for row in rows(page, ".heat", text_first=False)] == heat(whole)
        day = end.astimezone(TOKYO).replace(hour=0, minute=0, second=0)
        today = asked(city, cell, "footfall", min(day, end - timedelta(minutes=15)), end, 900)
        counted = {row[0]: row[1] for row in rows(page, ".today")}
        for moment, value in zip(today["times"], today["values"], strict=True):
            ended = datetime.fromisoformat(moment).astimezone(TOKYO)
            if ended > day:  # at midnight ended a step of the day before
                assert counted[f"{ended:%H:%M}"] == ("–" if value is None else number(value, 0))


def asked(
    city: City, cell: str, figure: str, start: datetime, end: datetime, step: int
) -> dict[str, Any]:
    """A series of the API's."""
    span = {"start": start.isoformat(), "end": end.isoformat(), "step": f"{step}"}
    where = f"/v1/area-sets/{MESH}/areas/{cell}/series"
    found: dict[str, Any] = city.ask(where, figure=figure, **span)
    return found


def rows(page: Page, section: str, *, text_first: bool = True) -> list[list[str]]:
    """What the table behind a chart says, without its head."""
    page.locator(f"{section} .as-table summary").click()
    expect(page.locator(f"{section} .as-table tr").nth(1)).to_be_visible()
    read = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    found: list[list[str]] = page.locator(f"{section} .as-table tbody tr").evaluate_all(read)
    assert text_first or len(found) == 7
    return found


def table(
    columns: Sequence[Sequence[float | None]], decimals: Sequence[int], times: Sequence[str]
) -> list[list[str]]:
    """Series side by side, as a table."""
    return [
        [
            f"{datetime.fromisoformat(moment).astimezone(TOKYO):%-m/%-d %H:%M}",
            *(
                "–" if values[i] is None else number(values[i] or 0, digits)
                for values, digits in zip(columns, decimals, strict=True)
            ),
        ]
        for i, moment in enumerate(times)
    ]


def heat(series: Mapping[str, Any]) -> list[list[str]]:
    """Mean counts by weekday and hour."""
    found: dict[tuple[int, int], list[float]] = {}
    for moment, value in zip(series["times"], series["values"], strict=True):
        if value is not None:
            begun = datetime.fromisoformat(moment).astimezone(TOKYO) - timedelta(hours=1)
            found.setdefault((begun.weekday(), begun.hour), []).append(value)
    return [
        [
            number(sum(its) / len(its), 0) if (its := found.get((day, hour))) else "–"
            for hour in range(24)
        ]
        for day in range(7)
    ]


def test_the_panels_of_alerts_and_of_the_data_show_the_apis_numbers(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, panel="health", lang="ja"))
    live(page)
    panel = page.locator("#side")
    expect(panel.locator("table").nth(1)).to_be_visible()
    ingest = city.ask("/v1/health")["ingest"]
    parts = ("received", "stored", "duplicate", "corrected", "rejected", "waiting")
    counted = panel.locator("section").nth(1).locator("td")
    expect(counted).to_have_text([number(ingest[part], 0) for part in parts])
    snapshot = city.ask(f"/v1/area-sets/{MESH}/snapshot")["areas"]
    for key in FIGURES:
        known = sum(area["figures"].get(key, {}).get("value") is not None for area in snapshot)
        row = panel.locator("tr", has_text=SHOWN[key].label("ja")).first
        expect(row.locator("td").first).to_have_text(number(known, 0))
    page.evaluate("window.tsuji.state.set({panel: 'alerts'})")
    on = city.ask("/v1/alerts", state="on")["items"]
    ended = city.ask("/v1/alerts", state="ended", limit="50")["items"]
    expect(panel.locator("h3 small").first).to_have_text(f"{len(on)}")
    expect(panel.locator(".alert")).to_have_count(len(on) + len(ended))


def test_the_map_within_another_page_shows_the_apis_numbers(
    city: City, open_page: Open, at: str
) -> None:
    query = {"set": MESH, "figure": "air_temperature", "at": at, "lang": "en"}
    page = open_page(str(httpx.URL(f"{city.processes.dashboard_url}/embed", params=query)))
    page.locator("#ranking details").evaluate("it => { it.open = true; }")
    assert map_agrees(page, city, SHOWN["air_temperature"], at, "en") == 2
