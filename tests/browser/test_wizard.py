"""A new product, walked through by somebody who has some pictures of good parts."""

import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit

from sightline.console.product.finishing import CAMERAS, CONTROLLERS, recipe_text

LEARNING_MS = 300_000
LONGEST_S = 600.0  # that a person has for all of it


def test_a_new_product_goes_from_a_name_to_a_model_in_use(
    visit: Visit, filled: Path, record_property: Callable[[str, object], None]
) -> None:
    begun_s = time.monotonic()
    good = sorted((filled / "parts/train/good").glob("*.png"))[:11]
    page = visit("/new-product")
    page.get_by_label("Name of the product").fill("Ring 30 mm")
    expect(page.get_by_text("It will be known as Ring-30-mm.")).to_be_visible()
    page.get_by_role("button", name="Next").click()

    page.get_by_label("Choose pictures").set_input_files([*good, good[0].with_name("000.png")])
    expect(page.get_by_text("11 of 50")).to_be_visible()
    page.get_by_role("button", name="Leave out 010.png").click()
    expect(page.get_by_text("10 of 50")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("11 of 50")).to_be_visible()
    page.reload()
    expect(page.get_by_text("11 of 50")).to_be_visible()
    page.get_by_role("button", name="Next").click()

    page.get_by_role("button", name="Train").click()
    expect(page.get_by_role("button", name="They are all good")).to_be_visible(timeout=LEARNING_MS)
    expect(page.get_by_role("img", name="Scores of the good pictures")).to_be_visible()
    page.get_by_role("button", name="They are all good").click()

    page.get_by_label("1 in 20").click()
    expect(page.get_by_text("With 11 pictures no more than")).to_be_visible()
    page.get_by_role("button", name="Next").click()

    page.get_by_label("Choose a picture").set_input_files(filled / "parts/test/missing_component/000.png")
    expect(page.get_by_text("REJECT", exact=True)).to_be_visible()
    page.get_by_role("button", name="It is right: next").click()

    page.get_by_role("button", name="Put into use").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("a new part")
    dialog.get_by_role("button", name="Put into use").click()
    expect(page.get_by_text("Ring-30-mm is ready.")).to_be_visible()
    took_s = time.monotonic() - begun_s
    record_property("took_s", took_s)
    assert took_s < LONGEST_S
    page.get_by_role("button", name="Try pictures").click()
    page.wait_for_url("**/try?model=Ring-30-mm")
    expect(page.get_by_label("Model")).to_have_value("Ring-30-mm")
    page.goto("/models")
    expect(page.get_by_role("row", name="Ring-30-mm")).to_contain_text("Current")


def test_of_a_stations_parts_those_that_passed_are_taken_and_others_by_hand(visit: Visit) -> None:
    page = visit("/new-product?name=cap&step=collect")
    found = page.request.get("/api/v1/inspections?station=press-1&limit=20").json()["items"]
    pictures = {
        passed: {view["picture"] for part in found for view in part["views"] if (part["verdict"] == "PASS") is passed}
        for passed in (True, False)
    }
    page.get_by_role("button", name="Take its last 20").click()
    expect(page.get_by_text(f"{len(pictures[True])} of 50")).to_be_visible()
    expect(page.get_by_text(f"{len(pictures[False])} parts did not pass.")).to_be_visible()
    asked = page.locator(".part").filter(has_text="REJECT").first
    asked.get_by_role("button").click()
    expect(page.get_by_text(f"{len(pictures[True]) + 1} of 50")).to_be_visible()
    expect(page.get_by_text(f"{len(pictures[False]) - 1} parts did not pass.")).to_be_visible()
    page.get_by_role("switch", name="Take each new part").click()
    page.get_by_role("button", name="Leave out press-1").first.click()
    expect(page.get_by_text("1 left out.")).to_be_visible()
    expect(page.get_by_text(f"{len(pictures[True])} of 50")).to_be_visible()


def change(page: Page, path: str, body: dict[str, object]) -> None:
    token = page.locator('meta[name="csrf"]').get_attribute("content") or ""
    assert page.request.post(f"/api/v1{path}", data=body, headers={"X-CSRF-Token": token}).ok


def test_a_second_model_goes_into_use_with_the_recipe_that_there_is(visit: Visit) -> None:
    page = visit("/models")
    recipe = recipe_text("cap", 7, [*CAMERAS][1], [*CONTROLLERS][1])
    change(page, "/recipes/cap/versions", {"text": recipe})
    change(page, "/recipes/cap/versions/1/release", {"reason": "set up"})
    page.goto("/new-product?name=cap&step=use&version=2")
    expect(page.get_by_text("Stations run version 1 of its recipe.")).to_be_visible()
    expect(page.get_by_role("textbox", name="The recipe as text")).to_have_value(recipe)
    page.get_by_role("button", name="Put into use").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("a better one")
    dialog.get_by_role("button", name="Put into use").click()
    expect(page.get_by_text("cap is ready.")).to_be_visible()
    assert [one["version"] for one in page.request.get("/api/v1/recipes/cap/versions").json()] == [1]
    assert page.request.get("/api/v1/models/cap/versions/2").json()["status"] == "current"


def test_what_errors_cost_is_shown_after_the_page_is_there(visit: Visit, filled: Path) -> None:
    page = visit("/models")
    token = page.locator('meta[name="csrf"]').get_attribute("content") or ""
    picture = (filled / "parts/test/missing_component/000.png").read_bytes()
    stored = page.request.post("/api/v1/pictures", data=picture, headers={"X-CSRF-Token": token}).json()["digest"]
    bad = {"picture": stored, "name": "bad.png", "label": "defect", "split": "test"}
    change(page, "/datasets/cap/versions/from-newest", {"product": "cap", "add": [bad]})
    address = "/new-product?name=cap&step=limit&by=cost&version=1"
    sent = page.request.get(address).text()
    assert "Judging 1 pictures" in sent
    assert "What becomes of the parts" not in sent
    page.goto(address)
    expect(page.get_by_role("group", name="What becomes of the parts")).to_be_visible()
    expect(page.get_by_text("Judging 1 pictures")).to_have_count(0)
