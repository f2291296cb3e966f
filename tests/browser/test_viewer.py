"""Looking into a picture, drawing on it, and deciding on the page of one part."""

import time
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import PATIENCE_MS, Visit

PHONE = {"width": 390, "height": 844}


def part(page: Page, verdict: str) -> dict[str, Any]:
    """The last part of this verdict; the page is shown, too."""
    listed = page.request.get(f"/api/v1/inspections?verdict={verdict}&limit=1").json()
    found: dict[str, Any] = page.request.get(f"/api/v1/inspections/{listed['items'][0]['id']}").json()
    page.goto(f"/inspections/{found['inspection']['id']}")
    expect(canvas(page)).to_have_attribute("data-ready", "true")
    return found


def canvas(page: Page) -> Locator:
    return page.locator(".viewer-stage canvas")


def seen(page: Page) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in canvas(page).evaluate("it => ({...it.dataset})").items()
        if name != "ready"
    }


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a place of the picture is on the screen."""
    box, view = canvas(page).bounding_box(), seen(page)
    assert box is not None
    return box["x"] + view["left"] + x * view["scale"], box["y"] + view["top"] + y * view["scale"]


def colour(page: Page, x: float, y: float) -> list[int]:
    """That the canvas has at a place of the picture."""
    view = seen(page)
    spot = [view["left"] + x * view["scale"], view["top"] + y * view["scale"]]
    found: list[int] = canvas(page).evaluate(
        "(it, [x, y]) => [...it.getContext('2d').getImageData(Math.round(x), Math.round(y), 1, 1).data]", spot
    )
    return found


def drawn(page: Page) -> None:
    """Wait until what was asked for is on the canvas."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def drag(page: Page, *points: tuple[float, float]) -> None:
    """Along places of the picture."""
    page.mouse.move(*at(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*at(page, *point), steps=8)
    page.mouse.up()


def test_a_picture_is_looked_into_to_a_pixel_and_marked(visit: Visit) -> None:
    page = visit("/", "quentin")
    found = part(page, "REJECT")
    (view,) = found["inspection"]["views"]
    finding = found["defects"][0]
    middle = finding["x"] + finding["width"] / 2, finding["y"] + finding["height"] / 2
    overlay = page.get_by_role("slider", name="Overlay")
    overlay.fill("0")
    drawn(page)
    plain = colour(page, *middle)
    overlay.fill("1")
    drawn(page)
    deadline_s = time.monotonic() + PATIENCE_MS / 1000
    while colour(page, *middle) == plain:
        assert time.monotonic() < deadline_s, "the overlay lies over it"
        drawn(page)
    overlay.fill("0")

    page.locator(".viewer-stage").focus()
    page.mouse.move(*at(page, 60, 60))
    for _ in range(12):
        page.mouse.wheel(0, -400)
    page.wait_for_function("() => document.querySelector('.viewer-stage canvas').dataset.scale >= 64")
    drawn(page)
    one = [colour(page, 60 + dx, 60 + dy) for dx in (0.1, 0.9) for dy in (0.1, 0.9)]
    assert one == [one[0]] * 4, "a pixel is one colour to its edges"
    page.keyboard.press("0")
    expect(canvas(page)).not_to_have_attribute("data-scale", "64")

    page.keyboard.press("b")
    drag(page, (40, 50), (90, 80))
    page.keyboard.press("r")
    drag(page, (120, 60), (160, 60))
    save = page.get_by_role("button", name="Save the marks")
    expect(save).to_be_enabled()
    page.keyboard.press("b")
    drag(page, (10, 10), (30, 30))
    page.keyboard.press("Control+z")
    save.click()
    expect(page.get_by_text("Saved: 2")).to_be_visible()
    labels = page.request.get(f"/api/v1/pictures/{view['picture']}/labels").json()
    box, mask = (next(one for one in labels if one["kind"] == kind) for kind in ("box", "mask"))
    assert box["geometry"]["box"] == pytest.approx([40, 50, 90, 80], abs=1)
    runs = mask["geometry"]["runs"]
    assert sum(runs[1::2]) == pytest.approx(12 * 40 + 3.14 * 36, rel=0.1), "a stroke 12 wide and 40 long"

    page.get_by_role("button", name="Move").click()
    page.mouse.click(*at(page, 65, 65))
    page.keyboard.press("Delete")
    save.click()
    expect(page.get_by_text("Saved: 1")).to_be_visible()
    left = page.request.get(f"/api/v1/pictures/{view['picture']}/labels").json()
    assert [one["kind"] for one in left] == ["mask"]


def test_a_box_a_polygon_and_a_mask_are_drawn_by_keys_alone(visit: Visit) -> None:
    page = visit("/", "quentin")
    found = part(page, "REJECT")
    (view,) = found["inspection"]["views"]
    keys, told = page.keyboard, page.locator(".viewer-status [role=status]")
    page.locator(".viewer-stage").focus()
    step = max(1, round(4 / seen(page)["scale"]))

    def go(*directions: str) -> None:
        for direction in directions:
            keys.press(direction)

    keys.press("b")
    expect(page.locator(".viewer-hint")).to_contain_text("Space sets a corner")
    go("Space", "Shift+ArrowRight", "Shift+ArrowDown", "ArrowDown")
    expect(told).to_contain_text(", ")
    keys.press("Escape")
    expect(told).to_contain_text("Dropped")
    go("Enter", "Shift+ArrowRight", "Shift+ArrowDown", "ArrowDown", "Enter")
    expect(told).to_contain_text("Box")
    keys.press("p")
    go("Space", "Shift+ArrowLeft", "Space", "Shift+ArrowUp", "Space")
    expect(told).to_contain_text("Corner 3")
    keys.press("Enter")
    expect(told).to_contain_text("Polygon")
    keys.press("r")
    go(".", ",", "Space", "Shift+ArrowUp", "Space")
    expect(told).to_contain_text("Brush")

    page.get_by_role("button", name="Save the marks").click()
    expect(page.get_by_text("Saved: 3")).to_be_visible()
    labels = page.request.get(f"/api/v1/pictures/{view['picture']}/labels").json()
    left, top, right, bottom = next(one["geometry"]["box"] for one in labels if one["kind"] == "box")
    assert (right - left, bottom - top) == (10 * step, 11 * step)
    (outline,) = [one["geometry"]["parts"][0]["outline"] for one in labels if one["kind"] == "polygon"]
    assert len(outline) == 3
    assert any(one["kind"] == "mask" and sum(one["geometry"]["runs"][1::2]) >= 10 * step for one in labels)
    for one in labels:
        deleted = page.evaluate("(id) => sightline.ask('DELETE', `/labels/${id}`)", one["id"])
        assert deleted["removed_s"]


def test_the_map_is_shown_with_its_threshold_and_a_good_part_beside(visit: Visit) -> None:
    page = visit("/", "olga", size=PHONE)
    found = part(page, "REJECT")
    page.get_by_role("slider", name="Map").fill("1")
    legend = page.locator(".viewer-legend")
    expect(legend).to_contain_text("Threshold")
    page.get_by_label("Colours").select_option("blue-orange")
    page.get_by_role("switch", name="A good part beside it").click()
    expect(page.locator(".viewer-name.second")).to_contain_text("PASS")
    before = seen(page)["scale"]
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function(f"() => document.querySelector('.viewer-stage canvas').dataset.scale > {before}")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text(found["inspection"]["serial"])


def test_a_part_is_decided_and_the_decision_taken_back(visit: Visit) -> None:
    page = visit("/", "quentin")
    found = part(page, "PASS")["inspection"]
    expect(page.get_by_role("heading", level=1)).to_have_text(found["serial"])
    expect(page.get_by_text("Nobody has decided yet.")).to_be_visible()
    page.get_by_label("Note").first.fill("a hair, not a scratch")
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(page.get_by_role("cell", name="a hair, not a scratch")).to_be_visible()
    page.get_by_role("button", name="Take my decision back").click()
    expect(page.get_by_text("Nobody has decided yet.")).to_be_visible()

    page.get_by_role("button", name="Hold").click()
    page.get_by_label("Reason").fill("complaint 4711")
    page.get_by_role("button", name="Place the hold").click()
    expect(page.get_by_text("The pictures are held.")).to_be_visible()
    assert page.request.get("/api/v1/holds").json()[0]["serial"] == found["serial"]
    page.get_by_role("button", name="Escape").click()
    page.get_by_label("Where it was found").fill("customer")
    page.get_by_role("button", name="Report the escape").click()
    expect(page.get_by_text("The escape is reported.")).to_be_visible()
    assert page.request.get("/api/v1/escapes").json()[0]["inspection_id"] == found["id"]
