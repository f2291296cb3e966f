"""What axe-core finds on the pages (WCAG 2.2 A and AA and good practice), and what a first view loads."""

from pathlib import Path
from typing import Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect
from tests.browser.conftest import PANEL, Visit
from tests.browser.drawn import DRAWN, WEIGHT
from tests.browser.plant import PASSWORD

from sightline.service.recognition import CSRF

GRAVE = ("serious", "critical")
PHONE = ViewportSize(width=390, height=844)
LOOKED_AT: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LEAST_BYTES, MOST_BYTES = (
    300_000,
    1_000_000,
)  # of a first view, as they come over the wire; with less it was not weighed
PAGES = (
    *("/", "/inspections", "/inspections?show=table", "/review", "/review/agreement", "/try", "/data"),
    *("/quality", "/quality/shift", "/studies", "/studies?show=sampling", "/studies/new"),
    *("/models", "/models/cap", "/new-product", "/health", "/health/drift", "/health/storage"),
    *("/health/jobs", "/health/jobs/new?kind=train", "/health/alerts"),
    *("/admin", "/admin/keys", "/admin/webhooks", "/admin/audit", "/admin/settings", "/account"),
)

STOCKED = (  # pages of what `stocked` has made
    *("/?kiosk=1", "/data/caps/1", "/data/caps/1?view=check", "/data/caps/1?view=add", "/data/caps/1?view=export"),
    *("/data/caps/2?view=changes", "/data/caps/1?picture={picture}", "/data/caps/1/teach"),
    *("/studies?show=challenge", "/studies/{open}", "/studies/{open}/rate", "/studies/{closed}"),
    *("/models/cap/compare?a=1&b=2", "/health/jobs/{job}", "/health/alerts/rule?name=station%20silent"),
    *("/new-product?name=lid&step=collect", "/new-product?name=cap&step=look", "/new-product?name=cap&step=limit"),
    *("/new-product?name=cap&step=test", "/new-product?name=cap&step=use"),
)
LOOKS = (  # in dark colours on a phone
    *("/", "/inspections", "/quality", "/review", "/data/caps/1", "/studies/{closed}", "/models/cap", "/health"),
    *("/health/alerts/rule?name=station%20silent", "/admin", "/new-product?name=lid&step=collect"),
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_nothing_grave_to_axe_and_is_light(visit: Visit, path: str) -> None:
    page = visit(path, "ada")
    page.wait_for_function(DRAWN)
    assert _grave(page) == []
    assert LEAST_BYTES < page.evaluate(WEIGHT) < MOST_BYTES


@pytest.fixture(scope="module")
def stocked(site: str, filled: Path) -> dict[str, object]:
    """A data set in two versions, a study that is open and one that is closed, and a job; what addresses need."""
    with httpx.Client(base_url=f"{site}/api/v1", timeout=60.0) as client:
        client.post("/login", json={"name": "ada", "password": PASSWORD})
        client.headers[CSRF] = client.get("/account").json()["csrf"]

        def made(path: str, body: object) -> dict[str, object]:
            answer = client.post(path, json=body)
            assert answer.is_success, answer.text
            found: dict[str, object] = answer.json() if answer.content else {}
            return found

        files = sorted((filled / "parts").rglob("*.png"))[:3]
        digests = [client.post("/datasets/pictures", content=one.read_bytes()).json()["digest"] for one in files]
        items = [{"picture": one, "name": f"{one[:8]}.png", "split": "train", "label": "good"} for one in digests]
        for many in (2, 3):
            made("/datasets/caps/versions", {"items": items[:many]})
            made("/datasets/lid/versions", {"items": items[:many], "product": "lid"})
        rated = [{"bad": place == 0, "picture": one} for place, one in enumerate(digests)]
        studies = [made("/studies", {"name": name, "rounds": 1, "items": rated})["id"] for name in ("open", "closed")]
        verdicts = {one["id"]: "PASS" for one in client.get(f"/studies/{studies[1]}/items").json()}
        made(f"/studies/{studies[1]}/machine", {"appraiser": "cap 1", "round": 1, "verdicts": verdicts})
        made(f"/studies/{studies[1]}/close", {})
        job = made("/jobs", {"kind": "check", "params": {"dataset": "caps", "version": 1}})["id"]
    return {"picture": digests[0], "open": studies[0], "closed": studies[1], "job": job}


@pytest.mark.parametrize("path", STOCKED)
def test_a_page_of_something_made_has_nothing_grave_to_axe(visit: Visit, stocked: dict[str, object], path: str) -> None:
    page = visit(path.format(**stocked), "ada")
    page.wait_for_function(DRAWN)
    assert _grave(page) == []


@pytest.mark.parametrize("path", LOOKS)
def test_a_page_has_nothing_grave_to_axe_in_dark_colours_and_on_a_phone(
    visit: Visit, stocked: dict[str, object], path: str
) -> None:
    page = visit(path.format(**stocked), "ada", size=PHONE)
    page.wait_for_function(DRAWN)
    assert _grave(page) == []
    page.emulate_media(color_scheme="dark")
    page.reload()
    page.wait_for_function(DRAWN)
    assert _grave(page) == []


def test_the_login_and_a_part_have_nothing_grave_to_axe_and_are_light(visit: Visit) -> None:
    page = visit("/login", "")
    assert _grave(page) == []
    assert LEAST_BYTES < page.evaluate(WEIGHT) < MOST_BYTES
    page = visit("/inspections", "olga", size=PHONE)
    page.locator("a.part").first.click()
    expect(page.locator(".viewer canvas").first).to_have_attribute("data-ready", "true")
    assert _grave(page) == []
    assert LEAST_BYTES < page.evaluate(WEIGHT) < MOST_BYTES


def test_the_login_and_a_part_have_nothing_grave_to_axe_in_dark_colours_and_on_a_phone(visit: Visit) -> None:
    login, part = visit("/login", ""), visit("/inspections", "olga")
    part.locator("a.part").first.click()
    for page, ready in ((login, "#content"), (part, ".viewer canvas[data-ready=true]")):
        for size in (PANEL, PHONE):
            page.set_viewport_size(size)
            for look in LOOKED_AT:
                page.emulate_media(color_scheme=look)
                page.reload()
                expect(page.locator(ready).first).to_be_visible()
                page.wait_for_function(DRAWN)
                assert _grave(page) == [], (page.url, size, look)


def _grave(page: Page) -> list[str]:
    """What axe finds wrong, and the first place where."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response
    return [
        f"{one['impact']}: {one['id']} at {len(one['nodes'])}, first {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
    ]
