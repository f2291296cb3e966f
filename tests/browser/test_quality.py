"""The figures of quality, as a quality engineer reads them."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit
from tests.browser.reported import report
from tests.service.test_serve import running

from sightline.line.outcome import Kind
from sightline.records import Verdict


@pytest.fixture(scope="module")
def folder(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a third press that made a bad batch a while ago, and a fourth that made one in the week before."""
    folder = tmp_path_factory.mktemp("quality") / "plant"
    shutil.copytree(filled / "plant", folder)
    batch = [Verdict.PASS, Verdict.REJECT] * 20
    report(folder, "press-3", batch, ago_s=30 * 3600.0, kind=Kind.PRODUCTION)
    report(folder, "press-4", batch[:24], ago_s=12 * 24 * 3600.0, kind=Kind.PRODUCTION)
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with running("--folder", str(folder)) as server:
        yield server.url


def tile(page: Page, name: str) -> str:
    found = page.locator(".tile").filter(has=page.get_by_text(name, exact=True)).locator(".value").first
    expect(found).to_be_visible()
    return found.inner_text()


def test_a_time_and_a_station_are_chosen_and_what_is_unusual_is_said(visit: Visit) -> None:
    page = visit("/quality")
    assert tile(page, "Parts") == "160"
    for name in ("p-chart", "u-chart"):
        card = page.locator("section").filter(has=page.get_by_role("heading", name=re.compile(name)))
        told = re.compile("beyond 3 sigma, more than usual|what varies in these \\d+ points is chance")  # by the hour
        expect(card.get_by_role("list", name="Signals")).to_contain_text(told)
        expect(card.get_by_role("img", name=told)).to_be_visible()
    page.get_by_role("button", name="What is this: Recall estimate").click()
    expect(page.get_by_text("caught / (caught + escapes)")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Station").click()
    page.get_by_role("option", name="press-3").click()
    page.wait_for_url("**/quality?station=press-3")
    assert tile(page, "Parts") == "40"
    page.get_by_role("link", name="30 days").click()
    page.wait_for_url("**/quality?period=30d&station=press-3")
    assert tile(page, "Rejects") == "20"
    expect(page.get_by_text("a control chart needs at least").first).to_be_visible()  # one day with parts is no chart
    page.get_by_role("link", name="scratch").click()
    page.wait_for_url(re.compile(r"/inspections\?.*&station=press-3&label=scratch"))
    page.go_back()
    assert tile(page, "Rejects") == "20"


def test_the_page_is_there_before_its_figures_and_one_that_fails_empties_no_other(visit: Visit, folder: Path) -> None:
    page = visit("/health")
    sent = page.request.get("/quality").text()
    assert "Calculating" in sent
    assert "First-pass yield" not in sent
    renamed = "ALTER TABLE {} RENAME TO {}"
    try:
        with sqlite3.connect(folder / "plant.db", timeout=60.0) as database:
            database.execute(renamed.format("escapes", "lost"))
        page.goto("/quality")
        failed = page.locator("section").filter(has=page.get_by_role("heading", name="At a glance"))
        expect(failed.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("list", name="Signals")).to_have_count(2)
        expect(page.locator("[aria-busy]")).to_have_count(0)
    finally:
        with sqlite3.connect(folder / "plant.db", timeout=60.0) as database:
            database.execute(renamed.format("lost", "escapes"))


def test_a_bar_leads_to_the_parts_that_it_counts(visit: Visit) -> None:
    page = visit("/quality?period=30d&station=press-4")
    assert tile(page, "Rejects") == "12"
    page.get_by_role("link", name="scratch").click()
    page.wait_for_url("**/inspections?**")
    expect(page.locator(".gallery .part")).to_have_count(12)
    expect(page.locator(".tile.reject .value")).to_have_text("12")
    expect(page.get_by_label("From", exact=True)).not_to_have_value("")


def test_escapes_are_listed_with_their_parts_and_a_mistake_is_taken_back(visit: Visit) -> None:
    page = visit("/inspections?within=all&verdict=PASS&station=press-1")
    page.locator(".gallery .part").first.click()
    page.get_by_role("button", name="Escape", exact=True).click()
    page.get_by_role("dialog").get_by_label("Kind of defect").fill("crack")
    page.get_by_role("button", name="Report the escape").click()
    expect(page.get_by_text("The escape is reported.")).to_be_visible()
    part = page.url.partition("?")[0]
    page.goto("/quality")
    assert tile(page, "Escapes found later") == "1"
    row = page.get_by_role("region", name="Escapes found later").get_by_role("row").filter(has_text="crack")
    row.get_by_role("link").click()
    page.wait_for_url(part + "*")
    page.goto("/quality")
    row.get_by_role("button", name="Take back").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("another part")
    page.get_by_role("dialog").get_by_role("button", name="Take back").click()
    expect(row).to_have_count(0)
    assert tile(page, "Escapes found later") == "0"


def test_an_own_range_without_parts_says_so(visit: Visit) -> None:
    page = visit("/quality?period=own", size={"width": 390, "height": 844}, language="de")
    page.get_by_role("textbox", name="Von").fill("2020-01-01T06:00")
    page.get_by_role("textbox", name="Bis").fill("2020-01-02T06:00")
    page.get_by_role("button", name="Zeigen").click()
    page.wait_for_url("**since=2020-01-01T06**")
    expect(page.get_by_text("In dieser Zeit wurde kein Teil geprüft.")).to_be_visible()
    page.goto("/quality?period=own&since=2020-01-02&until=2020-01-01")
    expect(page.get_by_role("alert")).to_contain_text("einen Beginn und ein Ende danach")


def test_a_shift_report_speaks_the_consoles_language(visit: Visit) -> None:
    page = visit("/quality/shift", language="de")
    expect(page.frame_locator("#report").get_by_text("läuft noch")).to_be_visible()
    assert "language=de" in str(page.get_by_role("link", name="PDF").get_attribute("href"))


def test_a_shift_report_is_read_and_taken_along(visit: Visit) -> None:
    page = visit("/quality/shift")
    expect(page.frame_locator("#report").get_by_text("still running")).to_be_visible()
    page.get_by_role("combobox", name="Shift from").click()
    page.get_by_role("option").nth(4).click()
    page.wait_for_url("**/quality/shift?at=**")
    expect(page.frame_locator("#report").get_by_text("parts inspected").first).to_be_visible()
    expect(page.get_by_role("button", name="Print")).to_be_enabled()
    link = page.get_by_role("link", name="PDF").get_attribute("href")
    assert link
    assert "at=" in link
    pytest.importorskip("weasyprint", reason="WeasyPrint is not installed", exc_type=ImportError)
    assert page.context.request.get(link, timeout=120_000).body().startswith(b"%PDF-")
