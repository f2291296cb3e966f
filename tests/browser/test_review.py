"""Reviewing by keyboard alone."""

from typing import Any

from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit

REVIEWED = 20


def api(page: Page, path: str) -> Any:
    answer = page.context.request.get(f"/api/v1{path}")
    assert answer.ok, answer.text()
    return answer.json()


def standing(page: Page, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api(page, f"/reviews?reviewer={name}")
    return found


def press(page: Page, keys: str, told: str) -> None:
    """Keys, then wait for the notice."""
    for key in keys:
        page.keyboard.press(key)
    expect(page.get_by_role("status").filter(has_text=told)).to_be_visible()


def ready(page: Page) -> None:
    """Keys are listened to, and the part is seen."""
    page.wait_for_function("window.sightline?.listening")
    expect(page.locator(".viewer canvas")).to_have_attribute("data-ready", "true")


def serial(page: Page) -> str:
    return page.locator(".story h2").inner_text()


def test_twenty_parts_are_reviewed_by_keyboard_and_the_last_one_is_taken_back(visit: Visit) -> None:
    page = visit("/review", "quentin")
    ready(page)
    said = {}
    for number in range(REVIEWED):
        called = serial(page)
        if number % 2:
            press(page, "p", f"{called}: PASS")
            said[called] = ("PASS", "")
        else:
            press(page, "1r", f"{called}: REJECT, crack")
            said[called] = ("REJECT", "crack")
        expect(page.locator(".story h2, .desk + .notice").first).not_to_have_text(called)
    inspections = {one["id"]: one["serial"] for one in api(page, "/inspections?limit=500")["items"]}
    found = {inspections[one["inspection_id"]]: (one["verdict"], one["label"]) for one in standing(page, "quentin")}
    assert found == said
    assert len(found) == REVIEWED
    assert all(one["seconds"] >= 0 for one in standing(page, "quentin"))

    press(page, "u", f"Taken back: {called}")
    expect(page.locator(".story h2")).to_have_text(called)
    assert len(standing(page, "quentin")) == REVIEWED - 1


def test_a_new_kind_is_typed_and_a_brush_mask_labelled_and_taken_back(visit: Visit) -> None:
    page = visit("/review?needed=2", "ada")
    expect(page.get_by_text("What the other one says is not shown.")).to_be_visible()
    ready(page)
    called = serial(page)
    page.keyboard.press("n")
    page.get_by_role("dialog").get_by_label("Name").fill("smear")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="smear")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Brush")).to_have_attribute("aria-pressed", "true")
    box = page.locator(".viewer canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Clear")).to_be_enabled()
    press(page, "p", "You drew on this part")
    press(page, "r", f"{called}: REJECT, smear")

    (review,) = standing(page, "ada")
    detail = api(page, f"/inspections/{review['inspection_id']}")
    picture = detail["inspection"]["views"][0]["picture"]
    (label,) = api(page, f"/pictures/{picture}/labels")
    assert (label["kind"], label["label"], label["author"]) == ("mask", "smear", "ada")
    assert sum(label["geometry"]["runs"][1::2]) > 100  # px of the stroke

    press(page, "u", "Taken back")
    assert standing(page, "ada") == api(page, f"/pictures/{picture}/labels") == []


def test_what_another_settled_meanwhile_is_told_and_agreement_is_shown(visit: Visit) -> None:
    page = visit("/review", "olga")
    ready(page)
    called = serial(page)
    found = api(page, f"/inspections?serial={called}")["items"][0]["id"]
    other = visit("/review/agreement", "quentin")
    csrf = other.locator('meta[name="csrf"]').get_attribute("content") or ""
    answer = other.context.request.post(
        f"/api/v1/inspections/{found}/reviews", data={"verdict": "PASS"}, headers={"X-CSRF-Token": csrf}
    )
    assert answer.ok, answer.text()
    press(page, "r", "settled by quentin meanwhile")
    assert standing(page, "olga") == []
    other.reload()
    expect(other.get_by_role("cell", name="quentin")).to_be_visible()
    expect(other.get_by_text("No part was looked at by two people")).to_be_visible()
