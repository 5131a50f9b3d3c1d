"""Layers of open data and the search: places with details and credit, found by name and by keyboard."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from city import MESH, City, known, live, until
from held_questions import HeldQuestions

Open = Callable[..., Page]
SHELTERS = """\
全国地方公共団体コード,名称,名称_英語,所在地_連結表記,緯度,経度,想定収容人数
131041,西新宿小学校,Nishi-Shinjuku Elementary School,東京都新宿区西新宿1,35.6901,139.6951,500
131041,東小学校,,東京都新宿区2,35.6931,139.7051,"1,200"
"""
ID = "131041-evacuation-center"


@pytest.fixture(scope="module")
def shelters(city: City, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """A dataset of two shelters, as the API tells them."""
    path = tmp_path_factory.mktemp("open-data") / "131041_evacuation_center.csv"
    path.write_text(SHELTERS, encoding="cp932")
    path.with_name(f"{path.name}.toml").write_text(
        'publisher = "新宿区"\nlicence = "CC BY 4.0"\n', encoding="utf-8"
    )
    city.processes.run("datasets", "import", str(path)).check_returncode()
    return city.ask(f"/v1/datasets/{ID}/features")["items"]


def test_a_layer_is_switched_on_and_its_places_tell_details_and_credit(
    city: City, shelters: list[dict], open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="en", view="16/35.6915/139.7000"))
    live(page)
    page.locator("#layers summary").click()
    expect(page.locator("#layers .layer-credit")).to_have_text("新宿区 · CC BY 4.0")
    expect(page.locator(".place-mark")).to_have_count(0)
    page.locator("#layers input").check()
    expect(page.locator(".place-mark")).to_have_count(len(shelters))
    expect(page.locator("#credit")).to_contain_text("新宿区 · CC BY 4.0")
    page.wait_for_url(f"**layers={ID}**")
    page.get_by_role("button", name="Nishi-Shinjuku Elementary School").press("Enter")
    told = page.locator(".place-popup")
    expect(told.locator("h2")).to_be_focused()
    expect(told).to_contain_text("東京都新宿区西新宿1")
    expect(told).to_contain_text(f"For {shelters[0]['capacity']} people")
    expect(told).to_contain_text("新宿区 · CC BY 4.0")
    page.wait_for_url(f"**place={ID}/1**")
    page.keyboard.press("Escape")
    expect(told).to_have_count(0)
    page.wait_for_url(lambda url: "place=" not in url)
    page.locator("#layers input").uncheck()
    expect(page.locator(".place-mark")).to_have_count(0)
    page.go_back()
    expect(page.locator(".place-mark")).to_have_count(len(shelters))


def test_the_address_of_a_place_opens_it_and_an_unknown_one_is_told(
    city: City, shelters: list[dict], open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="ja", place=f"{ID}/2"))
    expect(page.locator(".place-popup h2")).to_have_text("東小学校")
    expect(page.locator(".place-popup")).to_contain_text("収容 1,200人")
    expect(page.locator("#layers input")).to_be_checked()
    page = open_page(city.address(set=MESH, lang="ja", layers=f"{ID},nowhere", place="nowhere/3"))
    expect(page.locator("#banner")).to_contain_text("layers「nowhere」")
    expect(page.locator("#banner")).to_contain_text("place「nowhere/3」")
    until(page, "() => !location.search.includes('nowhere')")


def test_areas_sensors_and_places_are_found_by_name_with_the_keyboard_alone(
    city: City, shelters: list[dict], open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="ja", layers=ID))
    live(page)
    until(page, "id => window.tsuji.layers.loaded.has(id)", ID)
    field = page.get_by_role("combobox", name="検索")
    field.focus()
    page.keyboard.type("ＳＨＩＮＪＵＫＵ east")
    option = page.get_by_role("option", name="新宿駅 東口 人流カウンター")
    expect(option).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_have_text("新宿駅 東口")
    page.wait_for_url("**thing=counter-east**")
    field.fill("西新宿小")
    page.keyboard.press("Enter")
    expect(page.locator(".place-popup h2")).to_have_text("西新宿小学校")
    field.fill(city.cell("pole-1"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**area={city.cell('pole-1')}**")
    expect(page.locator("#detail h2")).to_be_focused()  # what is typed before that would go nowhere
    for typed in ("しんじゅく", "ｼﾝｼﾞｭｸ", "Ｓｈｉｎｊｕｋｕ　east", "shinjuku-station"):
        field.fill(typed)
        expect(option).to_be_visible()
    field.fill("nothing of this name")
    expect(page.locator("#search-list")).to_have_text("見つかりません")
    page.keyboard.press("Escape")
    expect(page.locator("#search-list")).to_be_hidden()


def test_names_that_come_late_are_found_and_open_no_list_that_was_left(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    known(page)
    until(page, "() => tsuji.catalogue.sets")
    sensors: list[Route] = []
    page.route("**/hub/things.geojson", lambda route: sensors.append(route))
    held: list[Route] = []
    page.route("**/hub/area-sets/late-*/areas", lambda route: held.append(route))
    # None of the sensors is known yet, and two more area sets are listed, whose names are asked for now.
    page.evaluate(
        """() => {
          tsuji.catalogue.things = new Map();
          for (const id of ["late-1", "late-2"]) tsuji.catalogue.sets.push({id, kind: "other", areas: 1});
          document.getElementById("search-field").focus();
        }"""
    )
    field, names = page.locator("#search-field"), page.locator("#search-list")
    field.fill("smart pole 1")
    expect(names).to_have_text("Nothing found")
    page.evaluate("() => void tsuji.catalogue.loadThings()")
    come(page, sensors, 1)
    page.unroute("**/hub/things.geojson")
    for one in sensors:
        one.continue_()
    expect(page.get_by_role("option", name="Smart pole 1")).to_be_visible()
    panel = HeldQuestions(page, "detail-body")
    field.press("Enter")
    expect(names).to_be_hidden()
    come(page, held, 1)
    come(page, held, 2, answered=1)
    expect(names).to_be_hidden(timeout=1)
    panel.let_go()
    expect(page.locator("#detail h2")).to_be_focused()
    field.fill("Shinjuku")
    field.press("Tab")
    expect(names).to_be_hidden()
    with page.expect_response("**/hub/area-sets/late-2/areas"):
        held[1].fulfill(json={"features": []})
    page.wait_for_timeout(500)
    expect(names).to_be_hidden(timeout=1)


def come(page: Page, held: list[Route], n: int, answered: int = 0) -> None:
    """Answer so many of what is held, and wait until so many have been asked for."""
    for one in held[:answered]:
        one.fulfill(json={"features": []})
    while len(held) < n:
        page.wait_for_timeout(20)


# The second of two sensors of one name is marked; then names come late, and Enter chooses.
OF_ONE_NAME = """() => {
  const geometry = {type: "Point", coordinates: [139.7, 35.69]};
  for (const id of ["twin-1", "twin-2"]) {
    const properties = {id, name: "双子", name_en: "Twin", kind: "smart_pole"};
    tsuji.catalogue.things.set(id, {properties, geometry});
  }
  const chosen = [];
  tsuji.select = it => chosen.push(it.thing);
  const field = document.querySelector("#search-field");
  field.focus();
  field.value = "Twin";
  field.dispatchEvent(new Event("input"));
  const press = key => field.dispatchEvent(new KeyboardEvent("keydown", {key}));
  press("ArrowDown");
  tsuji.tell("layers");
  press("Enter");
  return chosen;
}"""


def test_names_that_come_late_leave_the_mark_where_it_is_among_those_of_one_name(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    assert page.evaluate(OF_ONE_NAME) == ["twin-2"]


def test_areas_are_found_by_how_they_sound(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, lang="ja"))
    live(page)
    named = {
        "13118": ("荒川区", "Arakawa City"),
        "13102": ("中央区", "Chuo City"),
        "13303": ("瑞穂町", "Mizuho Town"),
        "14101": ("横浜市鶴見区", "Tsurumi Ward, Yokohama"),
        "14207": ("茅ヶ崎市", "Chigasaki City"),
    }
    found = page.evaluate(
        """([named, typed]) => {
          for (const [code, [name, name_en]] of Object.entries(named)) {
            tsuji.catalogue.area.set(code, {code, name, name_en});
          }
          const field = document.querySelector("#search-field");
          return typed.map(text => {
            field.value = text;
            field.dispatchEvent(new Event("input"));
            const first = document.querySelector("#search-list .found-name");
            return first ? first.textContent : null;
          });
        }""",
        [named, list(SOUNDS)],
    )
    assert dict(zip(SOUNDS, found, strict=True)) == SOUNDS
    hidden = page.evaluate(
        """async () => {
          const field = document.querySelector("#search-field");
          field.focus();
          field.blur();
          field.focus();
          field.value = "荒川";
          field.dispatchEvent(new Event("input"));
          await new Promise(done => setTimeout(done, 400));
          return document.querySelector("#search-list").hidden;
        }"""
    )
    assert not hidden  # whoever has come back types on


SOUNDS = {
    "あらかわ": "荒川区",
    "アラカワク": "荒川区",
    "ｱﾗｶﾜ": "荒川区",
    "Ａrakawa-ku": "荒川区",
    "ARAKAWA CITY": "荒川区",
    "あらか": "荒川区",
    "ちゅうおう": "中央区",
    "Chūō": "中央区",
    "chuou-ku": "中央区",
    "みずほまち": "瑞穂町",
    "よこはまし つるみく": "横浜市鶴見区",
    "鶴見": "横浜市鶴見区",
    "茅ケ崎": "茅ヶ崎市",
    "みみずく": None,
}
"""What is typed, and the area that is found first."""
