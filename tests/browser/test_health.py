"""Health: somebody starts a job and cancels it, takes care of an alert, and changes a rule."""

import json
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visit
from tests.browser.plant import PASSWORD

from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig


@pytest.fixture(scope="module")
def parts(site: str) -> Path:
    """Pictures in the folder that this module's server learns from."""
    with httpx.Client(base_url=site) as client:
        client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
        settings = client.get("/api/v1/settings").json()
    (plant,) = (json.loads(one["value"]) for one in settings if (one["section"], one["key"]) == ("store", "folder"))
    folder = Path(plant) / "data" / "many"
    write_dataset(folder, PartConfig(), Counts(good_train=24, good_test=1, per_defect=0), seed=1)
    return folder


def test_a_job_is_started_looked_at_and_cancelled(visit: Visit, parts: Path) -> None:
    page = visit("/health/jobs")
    page.get_by_role("button", name="Start a job").click()
    page.wait_for_url("**/health/jobs/new")
    page.get_by_label("Kind").click()
    page.get_by_role("option", name="search").click()
    page.wait_for_url("**/new?kind=search")
    page.get_by_label("Data *").fill(parts.name)
    page.get_by_label("Minutes").fill("20")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/health/jobs/*-*")
    expect(page.locator(".verdict", has_text="running")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Cancel the job").click()
    expect(page.locator(".verdict", has_text="cancelled")).to_be_visible()
    page.get_by_role("button", name="Start again").click()
    expect(page.get_by_label("Minutes")).to_have_value("20")
    page.goto("/health/jobs?state=cancelled")
    expect(page.get_by_role("link", name="search")).to_be_visible()


def test_an_alert_is_taken_care_of_and_its_rule_changed(visit: Visit) -> None:
    page = visit("/health/alerts/rule?name=station%20silent")
    page.get_by_label("After (s)").fill("4000000000")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("give a number from")).to_be_visible()  # the server's own words
    page.get_by_label("After (s)").fill("1")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/health/alerts")
    expect(page.get_by_role("row").filter(has_text="After (s): 1")).to_be_visible()
    waiting = page.get_by_role("row").filter(has_text="press-1")
    while not waiting.count():  # the watch looks every ten seconds
        page.reload()
        expect(page.get_by_role("heading", name="Rules")).to_be_visible()
    waiting.get_by_role("button", name="I take care").click()
    expect(waiting).to_contain_text("known")
    expect(waiting).to_contain_text("quentin")


def test_the_server_its_stations_and_storage_are_shown_to_an_operator(visit: Visit) -> None:
    page = visit("/health", "olga")
    expect(page.get_by_text("press-2").first).to_be_visible()
    expect(page.locator(".tile", has_text="cap/1")).to_be_visible()
    seen = page.locator("dl", has_text="Last seen").first
    seen.evaluate("shown => { shown.dataset.earlier = 'yes'; }")
    expect(seen).not_to_have_attribute("data-earlier", "yes")  # it is told anew while one looks
    expect(seen).to_contain_text("ago")
    page.get_by_role("link", name="Drift").click()
    expect(page.get_by_role("img", name="Scores by day")).to_be_visible()
    page.get_by_role("link", name="Storage").click()
    expect(page.get_by_role("heading", name="Holds")).to_be_visible()
    expect(page.get_by_role("button", name="Hold", exact=True)).to_have_count(0)
    page.goto("/health/alerts/rule?name=disk+nearly+full")
    expect(page.get_by_role("alert")).to_contain_text("manage")
