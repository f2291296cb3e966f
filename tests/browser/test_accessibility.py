"""What axe-core finds on the pages (WCAG 2.2 A and AA and good practice), and what a first view loads."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect
from tests.browser.conftest import Visit

GRAVE = ("serious", "critical")
PHONE = ViewportSize(width=390, height=844)
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

# what all that a page consists of weighs, compressed as it came, be it from the browser's cache this time; to each come
# 300 bytes of head, as in the specification of Resource Timing
WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, one) => sum + one.encodedBodySize + 300, 0)"""
DRAWN = """() => window.did_handshake
  && [...document.querySelectorAll(".chart")].every((one) => one.querySelector("svg, canvas"))"""


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_nothing_grave_to_axe_and_is_light(visit: Visit, path: str) -> None:
    page = visit(path, "ada")
    page.wait_for_function(DRAWN)
    assert _grave(page) == []
    assert LEAST_BYTES < page.evaluate(WEIGHT) < MOST_BYTES


def test_the_login_and_a_part_have_nothing_grave_to_axe_and_are_light(visit: Visit) -> None:
    page = visit("/login", "")
    assert _grave(page) == []
    assert LEAST_BYTES < page.evaluate(WEIGHT) < MOST_BYTES
    page = visit("/inspections", "olga", size=PHONE)
    page.locator("a.part").first.click()
    expect(page.locator(".viewer canvas").first).to_have_attribute("data-ready", "true")
    assert _grave(page) == []
    assert LEAST_BYTES < page.evaluate(WEIGHT) < MOST_BYTES


def _grave(page: Page) -> list[str]:
    """What axe finds wrong, and the first place where."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response
    return [
        f"{one['impact']}: {one['id']} at {len(one['nodes'])}, first {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
    ]
