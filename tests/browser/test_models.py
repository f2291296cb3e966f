"""Models: a threshold is moved and promoted, taken back, and two versions are compared."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit
from tests.browser.plant import PASSWORD
from tests.service.server import sight

from sightline.service.recognition import CSRF


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


def test_a_band_that_people_look_at_stays_and_a_limit_beyond_all_scores_is_shown(visit: Visit, tmp_path: Path) -> None:
    page = visit("/models")
    path, headers = (
        "/api/v1/models/banded/versions",
        {"X-CSRF-Token": page.locator('meta[name="csrf"]').get_attribute("content") or ""},
    )
    file = sight(tmp_path / "banded.sight").read_bytes()  # its good scores are 40 to 78
    assert page.request.post(path, data=file, headers=headers).ok
    wish = {"reject": 900, "review": 500, "reason": "people look at doubtful ones"}
    assert page.request.post(f"{path}/1/thresholds", data=wish, headers=headers).ok
    page.goto("/models/banded?version=2")
    scale = page.locator(".scores .plot").bounding_box()
    assert scale is not None
    for kind in ("now", "chosen", "review"):
        mark = page.locator(f".scores .mark.{kind}").bounding_box()
        assert mark is not None
        assert scale["x"] < mark["x"] < scale["x"] + scale["width"], kind
    expect(page.get_by_text("Parts from 500.000 up to the threshold go to a person")).to_be_visible()
    drag_threshold(page, 0.95, 0.9)
    expect(page.locator(".figure").first).not_to_have_text("900.000")
    page.get_by_role("button", name="Use this threshold").click()
    give_reason(page, "a little stricter", "Make it")
    expect(page.get_by_role("heading", name="banded 3")).to_be_visible()
    expect(page.get_by_text("REVIEW if 500 <= score")).to_be_visible()
    expect(page.get_by_text("Parts from 500.000 up to the threshold go to a person")).to_be_visible()


def test_two_versions_are_compared_on_what_the_line_saw(visit: Visit) -> None:
    page = visit("/models/cap/compare?a=1&b=2")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("They agree")).to_be_visible(timeout=90_000)
    expect(page.get_by_role("table")).to_contain_text("PASS")
    expect(page.get_by_text("it is not known which of the two is right")).to_be_visible()
    page.reload()
    expect(page.get_by_text("They agree")).to_be_visible()


@contextmanager
def logged_in(site: str) -> Iterator[httpx.Client]:
    """A program that changes things in somebody's name."""
    with httpx.Client(base_url=site, timeout=60.0) as client:
        client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
        client.headers[CSRF] = client.get("/api/v1/account").json()["csrf"]
        yield client


def test_models_of_two_names_are_compared(visit: Visit, site: str, filled: Path) -> None:
    with logged_in(site) as client:
        sent = client.post("/api/v1/models/lid/versions", content=(filled / "other.sight").read_bytes())
        assert sent.status_code == 201, sent.text
    page = visit("/models/lid")
    page.get_by_role("button", name="Compare").click()  # it has one version only
    page.wait_for_url("**/models/lid/compare")
    page.goto("/models/cap/compare?a=1&b=1&other=lid")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("They agree")).to_be_visible(timeout=90_000)
    expect(page.get_by_role("table")).to_contain_text("cap 1 ↓ / lid 1 →")
    page.get_by_role("combobox", name="With model").click()
    page.get_by_role("option", name="cap").click()
    page.wait_for_url("**/models/cap/compare?a=1&b=1")
    expect(page.get_by_role("combobox", name="With version")).to_have_value(re.compile("[23]"))  # not the one above


def test_the_report_of_an_evaluation_is_taken_along(visit: Visit, site: str, filled: Path) -> None:
    with logged_in(site) as client:
        settings = client.get("/api/v1/settings").json()
        (plant,) = (json.loads(one["value"]) for one in settings if (one["section"], one["key"]) == ("store", "folder"))
        shutil.copytree(filled / "parts", Path(plant) / "data" / "parts")
        params = {"model": "cap/1", "data": "parts"}
        job = client.post("/api/v1/jobs", json={"kind": "validate", "params": params}).json()["id"]
    page = visit(f"/health/jobs/{job}")
    expect(page.locator(".verdict", has_text="done")).to_be_visible(timeout=90_000)
    page.goto("/models/cap?version=1")
    with page.expect_download() as download:
        page.get_by_role("link", name="Report of the evaluation").click()
    assert "<title>parts: " in download.value.path().read_text("utf-8")


def test_an_operator_sees_models_and_changes_none(visit: Visit) -> None:
    page = visit("/models/cap?version=2", "olga")
    expect(page.get_by_role("heading", name="cap 2")).to_be_visible()
    for name in ("Promote", "Withdraw", "Use this threshold", "Evaluate"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.goto("/new-product")
    expect(page.get_by_role("alert")).to_contain_text("manage")
