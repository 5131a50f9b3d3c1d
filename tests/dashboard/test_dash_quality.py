"""A reading that looks wrong says so in the panel of its sensor, for as long as it does."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from city import MESH, City, live

Open = Callable[..., Page]
STUCK = {
    "en": "Unchanged for 6 h or more: the sensor may be stuck",
    "ja": "6時間以上変化していません(故障の疑い)",
}


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_stuck_value_is_marked_in_the_readers_language(
    city: City, open_page: Open, lang: str
) -> None:
    assert city.ask("/v1/health")["quality"]["stuck"] >= 1
    page = open_page(city.address(set=MESH, thing="pole-hostile", lang=lang))
    expect(page.locator("#detail .odd")).to_have_text(STUCK[lang])
    expect(page.locator("#detail .odd")).to_be_visible()


def test_nothing_is_marked_at_a_past_moment_and_nothing_that_is_well(
    city: City, open_page: Open
) -> None:
    at = city.ask("/v1/things/pole-hostile")["last_observed_at"]
    page = open_page(city.address(set=MESH, thing="pole-hostile", at=at, lang="en"))
    expect(page.locator("#detail [data-property=air_temperature]")).to_have_text("21.5")
    expect(page.locator("#detail .odd")).to_have_count(0)
    page = open_page(city.address(set=MESH, thing="counter-east", lang="en"))
    expect(page.locator("#detail [data-property=pedestrians_in]")).not_to_be_empty()
    expect(page.locator("#detail .odd")).to_have_count(0)


def test_a_mark_goes_with_its_reading(city: City, open_page: Open) -> None:
    address = city.address(set=MESH, thing="pole-hostile", lang="en")
    page = open_page(address)
    live(page)
    number, mark = page.locator("#detail [data-property=air_temperature]"), page.locator(".odd")
    expect(mark).to_have_text(STUCK["en"])
    for _ in range(3):  # a leap is one from readings of the last half hour
        city.publish("pole-hostile", air_temperature=21.4)
    expect(number).to_have_text("21.4")
    expect(mark).to_be_hidden()
    city.publish("pole-hostile", air_temperature=45)
    expect(number).to_have_text("45.0")
    page.reload()
    live(page)
    expect(mark).to_have_text("A sudden leap: the value may be wrong")
    expect(mark).to_be_visible()
    city.publish("pole-hostile", air_temperature=21.5)
    expect(number).to_have_text("21.5")
    expect(mark).to_be_hidden()
