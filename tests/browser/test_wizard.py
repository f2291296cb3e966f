"""A new product, walked through by somebody who has some pictures of good parts."""

import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from tests.browser.conftest import Visit

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
    page.goto("/models")
    expect(page.get_by_role("row", name="Ring-30-mm")).to_contain_text("Current")
