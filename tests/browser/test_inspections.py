"""Finding parts among those that were inspected."""

import csv
import io
import re

from playwright.sync_api import expect
from tests.browser.conftest import Visit


def test_parts_are_searched_filtered_and_exported(visit: Visit) -> None:
    page = visit("/inspections?within=all")
    parts = page.locator(".gallery .part")
    expect(page.locator(".tile").first).to_contain_text("116")  # of 120, 4 are of the audit sample
    expect(parts.first).to_contain_text("C-0121")

    page.get_by_role("combobox", name="Verdict").click()
    page.get_by_role("option", name="REJECT").click()
    expect(page).to_have_url("/inspections?within=all&verdict=REJECT")
    expect(parts.locator(".verdict.reject").first).to_be_visible()
    expect(parts.locator(".verdict.pass")).to_have_count(0)
    rejected = parts.count()

    parts.first.hover()
    expect(parts.first.locator(".over")).to_be_visible()
    page.get_by_role("button", name="Table").click()
    rows = page.locator(".table tbody tr")
    expect(rows).to_have_count(rejected)

    page.reload()  # what was chosen is in the address
    expect(rows).to_have_count(rejected)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    found = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8"))))
    assert {row["verdict"] for row in found} == {"REJECT"}
    assert len(found) == rejected

    page.get_by_label("Serial number").fill("C-0999")
    expect(page.get_by_text("There is no such part.")).to_be_visible()
    page.get_by_label("Serial number").fill(found[0]["serial"])
    expect(rows).to_have_count(1)
    rows.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"/inspections/{found[0]['id']}\\?.*verdict=REJECT"))
    page.go_back()
    expect(rows).to_have_count(1)


def test_back_and_forward_take_filters_off_and_on_again(visit: Visit) -> None:
    page = visit("/inspections?within=all")
    rejected = page.request.get("/api/v1/inspections?verdict=REJECT&limit=1").json()["items"][0]["serial"]
    begin, end = rejected[:4], rejected[4:]
    cards = page.locator(".gallery .part")
    expect(cards).to_have_count(60)
    page.get_by_role("combobox", name="Verdict").click()
    page.get_by_role("option", name="REJECT").click()
    expect(cards.locator(".verdict.pass")).to_have_count(0)
    serial = page.get_by_label("Serial number")
    serial.click()
    page.keyboard.type(begin, delay=600)  # slower than what waits for the next letter
    expect(page).to_have_url(f"/inspections?within=all&serial={begin}&verdict=REJECT")
    page.keyboard.press("Enter")
    page.keyboard.type(end, delay=600)
    expect(page).to_have_url(f"/inspections?within=all&serial={rejected}&verdict=REJECT")
    page.get_by_role("button", name="Table").click()
    rows = page.locator(".table tbody tr")
    expect(rows).to_have_count(1)
    rows.get_by_role("link").click()
    page.wait_for_url("**/inspections/*?**")

    page.go_back()  # from another page, which loads this one anew
    expect(rows).to_have_count(1)
    page.go_back()
    expect(page).to_have_url(f"/inspections?within=all&serial={rejected}&verdict=REJECT")
    expect(cards).to_have_count(1)
    page.go_back()
    expect(serial).to_have_value(begin)
    page.go_back()
    expect(page).to_have_url("/inspections?within=all&verdict=REJECT")
    expect(serial).to_have_value("")
    expect(page.get_by_role("combobox", name="Verdict")).to_have_value("REJECT")
    expect(cards.locator(".verdict.reject").first).to_be_visible()
    expect(cards.locator(".verdict.pass")).to_have_count(0)
    page.go_back()
    expect(page).to_have_url("/inspections?within=all")
    expect(page.get_by_role("combobox", name="Verdict")).to_have_value("all")
    expect(cards).to_have_count(60)
    page.go_forward()
    expect(page).to_have_url("/inspections?within=all&verdict=REJECT")
    expect(cards.locator(".verdict.pass")).to_have_count(0)


def test_maps_are_laid_over_what_is_there_or_being_loaded(visit: Visit) -> None:
    page = visit("/inspections?within=all")
    items = page.request.get("/api/v1/inspections?limit=30").json()
    page.goto(f"/inspections?within=all&before={items['next']}")
    expect(page.locator(".gallery .part").first).to_contain_text(
        page.request.get(f"/api/v1/inspections?limit=1&before={items['next']}").json()["items"][0]["serial"]
    )
    page.get_by_role("switch", name="Maps").click()
    expect(page).to_have_url(f"/inspections?within=all&before={items['next']}&overlay=on")
    page.get_by_role("combobox", name="Verdict").click()
    page.get_by_role("option", name="REJECT").click()
    page.get_by_role("switch", name="Maps").click()
    expect(page.locator(".gallery .part .verdict.reject").first).to_be_visible()
    expect(page.locator(".gallery .part .verdict.pass")).to_have_count(0)
    expect(page).to_have_url("/inspections?within=all&verdict=REJECT")


def test_older_and_newer_lead_through_the_list_that_a_part_was_opened_from(visit: Visit) -> None:
    page = visit("/inspections?within=all&verdict=REJECT")
    cards = page.locator(".gallery .part")
    expect(cards.nth(2)).to_be_visible()
    addresses = [str(cards.nth(place).get_attribute("href")) for place in range(3)]
    assert all("verdict=REJECT" in address for address in addresses)
    cards.first.click()
    for title, address in (("Older", addresses[1]), ("Older", addresses[2]), ("Newer", addresses[1])):
        page.get_by_role("link", name=title).click()
        expect(page).to_have_url(address)


def test_older_parts_come_as_one_scrolls(visit: Visit) -> None:
    page = visit("/inspections?within=all", size={"width": 390, "height": 844})
    parts = page.locator(".gallery .part")
    expect(parts).to_have_count(60)
    parts.last.scroll_into_view_if_needed()
    page.mouse.wheel(0, 2000)
    expect(parts).to_have_count(120)
    expect(parts.last).to_contain_text("C-0002")


def test_a_rejected_part_is_beside_the_good_places_that_it_looked_most_like(visit: Visit) -> None:
    page = visit("/inspections?within=all&verdict=REJECT", language="de")
    page.locator(".gallery .part").first.click()
    page.get_by_role("button", name="Die Gutbilder zeigen").click()
    first = page.locator("figure.alike").first
    expect(first.locator("figcaption")).to_have_text(re.compile(r"^Das sah am ehesten aus wie \d{3}\.png$"))
    for name in ("Dieses Teil", "Gutteil"):
        expect(first.get_by_role("img", name=name)).to_have_js_property("naturalWidth", 192)
    piece, place = (first.locator(which).first.bounding_box() for which in ("img", "i"))
    assert piece is not None
    assert place is not None
    assert piece["x"] <= place["x"] < piece["x"] + piece["width"]
    assert place["width"] < piece["width"] / 4  # one patch of eight across
    assert page.locator("figure.alike").count() <= 3
