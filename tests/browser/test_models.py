"""Models: a threshold is moved and promoted, taken back, and two versions are compared."""

import re

from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit


def give_reason(page: Page, reason: str, action: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=action).click()


def drag_threshold(page: Page, begin: float, end: float) -> None:
    """With the mouse, over shares of the slider's width."""
    place = page.locator(".threshold")
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + begin * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], middle, steps=5)
    page.mouse.up()


def test_a_threshold_is_moved_promoted_and_rolled_back(visit: Visit) -> None:
    page = visit("/models")
    page.get_by_role("link", name="cap 1").click()
    expect(page.get_by_role("heading", name="cap 1")).to_be_visible()
    cells = page.get_by_role("group", name="What becomes of the parts")
    expect(cells).to_contain_text(re.compile("Good parts rejected ?0"))
    drag_threshold(page, 0.9, 0.02)
    expect(cells).to_contain_text(re.compile("Good parts rejected ?24"))
    drag_threshold(page, 0.02, 0.98)
    expect(cells).to_contain_text(re.compile("Good parts rejected ?0"))
    page.get_by_role("button", name="Use this threshold").click()
    give_reason(page, "fewer good ones rejected", "Make it")
    expect(page.get_by_role("heading", name="cap 3")).to_be_visible()
    expect(page.get_by_text("set by hand by quentin")).to_be_visible()
    page.get_by_role("button", name="Promote").click()
    give_reason(page, "tried on a shift", "Promote")
    expect(page.get_by_text("quentin: tried on a shift")).to_be_visible()
    expect(page.get_by_text("Current", exact=True)).to_be_visible()
    page.get_by_role("button", name="Roll back").click()
    give_reason(page, "it passed a scratch", "Roll back")
    expect(page.get_by_role("heading", name="cap 1")).to_be_visible()
    expect(page.get_by_text("quentin: it passed a scratch")).to_be_visible()


def test_two_versions_are_compared_on_what_the_line_saw(visit: Visit) -> None:
    page = visit("/models/cap/compare?a=1&b=2")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("They agree")).to_be_visible(timeout=90_000)
    expect(page.get_by_role("table")).to_contain_text("PASS")
    expect(page.get_by_text("it is not known which of the two is right")).to_be_visible()
    page.reload()
    expect(page.get_by_text("They agree")).to_be_visible()


def test_an_operator_sees_models_and_changes_none(visit: Visit) -> None:
    page = visit("/models/cap?version=2", "olga")
    expect(page.get_by_role("heading", name="cap 2")).to_be_visible()
    for name in ("Promote", "Withdraw", "Use this threshold", "Evaluate"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.goto("/new-product")
    expect(page.get_by_role("alert")).to_contain_text("manage")
