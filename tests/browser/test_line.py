"""The live page, and the station's own: parts come by themselves, and what is lost is told and mended."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.browser.conftest import PATIENCE_MS, Visit
from tests.browser.plant import PASSWORD
from tests.line.parts import outcome
from tests.service.test_serve import Running, running
from tests.store.lines import Teller

from sightline.devices.plc import Answer
from sightline.line.board import Backlog, Board
from sightline.line.case import Case
from sightline.line.events import Part as StationPart
from sightline.line.faults import Fault
from sightline.line.german import TEXTS as GERMAN
from sightline.line.metrics import Metrics
from sightline.line.origin import Origin, Origins
from sightline.line.outcome import Kind, Outcome
from sightline.line.status import StatusServer
from sightline.records import Frame, Verdict

Report = Callable[..., None]


@pytest.fixture(scope="module")
def report(site: str) -> Iterator[Report]:
    """`report(station, *parts)` brings parts in, as that station would."""
    with httpx.Client(base_url=site, headers={"Origin": site}) as ada:
        login = {"name": "ada", "password": PASSWORD}
        ada.post("/api/v1/login", json=login).raise_for_status()
        ada.headers["X-CSRF-Token"] = ada.get("/api/v1/account").json()["csrf"]
        key = ada.post("/api/v1/keys", json={"name": "stations", "role": "station"}).raise_for_status().json()["key"]
        silent = {"kind": "station silent", "params": {"after_s": 1}}  # as those of the plant's folder are
        ada.put("/api/v1/alerts/rules/station silent", json=silent).raise_for_status()
    tellers: dict[str, Teller] = {}
    named = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    with httpx.Client(base_url=site, headers=named) as client:

        def report(station: str, *parts: Outcome) -> None:
            lines = tellers.setdefault(station, Teller(station)).tell(*parts)
            client.post("/api/v1/ingest", content="\n".join(lines)).raise_for_status()

        yield report


def part(serial: str, verdict: Verdict = Verdict.PASS) -> Outcome:
    return outcome(1, serial=serial, verdict=verdict, unix_s=time.time())


def cell(page: Page, serial: str) -> Any:
    return page.locator(f'.lastParts [data-serial="{serial}"]')


def test_parts_appear_by_themselves(visit: Visit, report: Report) -> None:
    page = visit("/")
    expect(page.get_by_label("Last part", exact=True).locator(".word")).not_to_be_empty()
    report("saw-1", part("L-1", Verdict.REJECT))
    expect(cell(page, "L-1")).to_be_visible()
    expect(cell(page, "L-1")).to_have_attribute("aria-label", "L-1: REJECT, dent")
    expect(page.get_by_label("Last part", exact=True)).to_contain_text("REJECT")
    report("saw-1", part("L-2", Verdict.FAULT), part("L-3"))
    expect(cell(page, "L-3")).to_be_visible()
    expect(page.locator(".faults")).to_contain_text(Fault.UNFIT.cure)
    expect(page.locator(".stopped [data-serial]").first).to_have_attribute("data-serial", "L-2")
    cell(page, "L-1").click()
    expect(page).to_have_url(re.compile("/inspections/[0-9a-f-]{36}$"))
    page.go_back()
    expect(cell(page, "L-3")).to_be_visible()


def test_a_page_of_one_station_shows_its_parts_only(visit: Visit, report: Report) -> None:
    report("saw-2", part("M-1"))
    page = visit("/?station=saw-2&kiosk=1", language="de")
    expect(page.get_by_role("navigation")).to_have_count(0)
    expect(page.get_by_label("Letztes Teil")).to_contain_text("GUT")
    report("saw-3", part("M-2", Verdict.REJECT))
    report("saw-2", part("M-3", Verdict.REJECT))
    expect(page.get_by_label("Letztes Teil")).to_contain_text("AUSSCHUSS")
    expect(page.locator('[data-serial="M-3"]').first).to_be_attached()
    expect(page.locator('[data-serial="M-2"]')).to_have_count(0)
    expect(page.locator(".tile.reject .value").first).to_have_text("1")


def test_pictures_that_a_busy_server_refused_are_asked_for_again(visit: Visit) -> None:
    page, refused = visit("/"), set[str]()

    def refuse_once(route: Route) -> None:
        if (url := route.request.url) in refused:
            route.continue_()
            return
        refused.add(url)
        route.fulfill(status=429)

    page.route("**/api/v1/pictures/*?size=thumb", refuse_once)
    with page.expect_request("**/api/v1/pictures/*?size=thumb") as asked:
        page.reload()
    of_it = f"[...document.images].some((one) => one.src === {asked.value.url!r} && one.naturalWidth > 0)"
    page.wait_for_function(of_it, timeout=PATIENCE_MS)


def test_an_alarm_is_acknowledged(visit: Visit, report: Report) -> None:
    page = visit("/", "olga")
    button = page.get_by_role("button", name="Acknowledge: press-1")
    button.click()
    expect(button).to_have_count(0)
    expect(page.get_by_label("Alarms")).to_contain_text("olga takes care of it.")


def test_the_first_page_of_a_new_plant_leads_to_its_first_product(browser: Browser, tmp_path: Path) -> None:
    with running("--dev", "--folder", str(tmp_path / "plant")) as server, page_of(browser) as page:
        page.goto(server.url)
        page.get_by_role("link", name="Begin with a new product").click()
        expect(page.get_by_label("Name of the product")).to_be_visible()
        tell(server, Teller("saw-1"), part("N-1"))
        page.goto(server.url)
        expect(cell(page, "N-1")).to_be_visible()
        expect(page.get_by_role("link", name="Begin with a new product")).to_have_count(0)


def test_a_lost_server_is_told_and_the_page_heals_when_it_is_back(browser: Browser, tmp_path: Path) -> None:
    with running("--dev", "--folder", str(tmp_path / "plant")) as server, page_of(browser) as page:
        page.goto(f"{server.url}/?station=saw-1")
        expect(page.get_by_text("No part has come yet").first).to_be_visible()
        page.evaluate("window.before = true")
        server.process.kill()
        server.process.wait()
        expect(page.locator("#lost")).to_contain_text("Connection lost", timeout=5_000)
        with running("--dev", "--folder", str(tmp_path / "plant"), "--port", str(server.port)) as again:
            expect(page.locator("#lost")).to_be_empty(timeout=PATIENCE_MS)
            page.wait_for_function("!window.before")  # it was loaded anew, as the server knows nothing of it
            expect(page.get_by_text("No part has come yet").first).to_be_visible()
            assert page.url.endswith("/?station=saw-1")
            tell(again, Teller("saw-1"), part("N-1"))
            expect(cell(page, "N-1")).to_be_visible()


def test_a_network_that_was_away_costs_nothing_of_the_page(browser: Browser, site: str, report: Report) -> None:
    with page_of(browser) as page:
        page.request.post(f"{site}/api/v1/login", data={"name": "olga", "password": PASSWORD})
        page.goto(f"{site}/?station=saw-4")
        expect(page.get_by_label("Last part", exact=True)).to_be_visible()
        page.evaluate("window.before = true")
        page.context.set_offline(True)
        expect(page.locator("#lost")).to_contain_text("Connection lost", timeout=5_000)
        page.context.set_offline(False)
        expect(page.locator("#lost")).to_be_empty(timeout=PATIENCE_MS)
        report("saw-4", part("O-1"))
        expect(cell(page, "O-1")).to_be_visible()
        assert page.evaluate("window.before")


@contextmanager
def page_of(browser: Browser) -> Iterator[Page]:
    """One whose errors are expected."""
    context = browser.new_context(locale="en")
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def tell(server: Running, teller: Teller, *parts: Outcome) -> None:
    content = "\n".join(teller.tell(*parts))
    httpx.post(
        f"{server.url}/api/v1/ingest", content=content, headers={"Content-Type": "application/x-ndjson"}
    ).raise_for_status()


# --- the station's own page


class Shown:
    """A station without its devices."""

    def __init__(self) -> None:
        self.board = Board("saw-1")

    def status(self) -> dict[str, Any]:
        return self.board.status()

    def overlay(self, part: int) -> bytes | None:
        return self.board.overlay(part)

    def metrics(self) -> bytes:
        return Metrics().page()


def decide(board: Board, number: int, verdict: Verdict = Verdict.PASS) -> None:
    case = Case(
        part=StationPart(
            sequence=number,
            part_id=number,
            serial="",
            challenge=False,
            recipe=3,
            encoder=None,
            encoder_before=None,
            since_s=0.0,
            deadline_s=0.0,
        ),
        setup=None,
        outcome_id="",
        kind=Kind.PRODUCTION,
        chance=0.5,
        unix_s=0.0,
        due_s=0.0,
    )
    case.frames["top"] = Frame(pixels=np.full((48, 64, 3), 90, np.uint8), bit_depth=8)
    board.decided(outcome(number, serial=f"P-{number}", verdict=verdict, unix_s=time.time()), case, 0.084)


def test_the_stations_own_page_tells_its_state_parts_and_faults(browser: Browser) -> None:
    shown = Shown()
    shown.board.backlog = Backlog(records=12, pictures=None, error="the server cannot be reached")
    shown.board.now(Answer(ready=True), Fault.NONE, "cap", 3)
    decide(shown.board, 1)
    decide(shown.board, 2, Verdict.FAULT)
    with closing(StatusServer(shown)) as server, page_of(browser) as page:
        faults: list[str] = []
        page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
        page.on("request", lambda asked: None if asked.url.startswith(server.url) else faults.append(asked.url))
        page.goto(server.url)
        expect(page.get_by_role("status")).to_have_text("READY")
        expect(page.locator(".part").first).to_contain_text("FAULT")
        expect(page.locator(".part").filter(has_text="P-1").get_by_role("img")).to_be_visible()
        expect(page.locator("#faults")).to_contain_text(Fault.UNFIT.cure)
        expect(page.locator("#counts")).to_contain_text("12records wait for the plant server")
        decide(shown.board, 3, Verdict.REJECT)
        expect(page.locator(".part").first).to_contain_text("P-3")
        page.get_by_role("button", name="Deutsch").click()
        shown.board.now(Answer(), Fault.CAMERA_LOST, "cap", 3)
        expect(page.get_by_role("status")).to_have_text("NICHT BEREIT")
        expect(page.locator("#cure")).to_have_text(GERMAN[Fault.CAMERA_LOST.cure])
        assert faults == []
        port = int(server.url.rstrip("/").rpartition(":")[2])
        server.close()
        expect(page.get_by_role("status")).to_have_text("KEINE VERBINDUNG", timeout=5_000)
        with closing(StatusServer(shown, port=port)):
            expect(page.get_by_role("status")).to_have_text("NICHT BEREIT")


def test_lot_and_tool_are_said_at_the_station(browser: Browser, tmp_path: Path) -> None:
    shown, origins = Shown(), Origins(tmp_path / "origin.json")
    origins.change(lot="L-1", tool="cavity 1")
    shown.board.origins = origins
    shown.board.now(Answer(ready=True), Fault.NONE, "cap", 3)
    with closing(StatusServer(shown, origins=origins)) as server, page_of(browser) as page:
        page.goto(server.url)
        lot = page.get_by_label("Lot", exact=True)
        expect(lot).to_have_value("L-1")
        lot.fill("L-4711")
        page.wait_for_event("response")
        page.wait_for_event("response")
        expect(lot).to_have_value("L-4711")  # what one types stays, whatever the station says meanwhile
        page.get_by_role("button", name="From the next part on").click()
        expect(page.get_by_text("Parts are of these from now on.")).to_be_visible()
        expect(page.get_by_text("Lot L-4711 · Tool cavity 1")).to_be_visible()
        assert origins.now == Origin(lot="L-4711", tool="cavity 1")
        page.context.set_offline(True)
        lot.fill("L-4712")
        page.get_by_role("button", name="From the next part on").click()
        expect(page.get_by_text("Nothing was changed.")).to_be_visible()
        expect(lot).to_have_value("L-4712")
