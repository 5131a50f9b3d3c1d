"""Layers of open data and the search: places with details and credit, found by name and by keyboard."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from city import MESH, City, live, until

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
    field.fill("nothing of this name")
    expect(page.locator("#search-list")).to_have_text("見つかりません")
    page.keyboard.press("Escape")
    expect(page.locator("#search-list")).to_be_hidden()
