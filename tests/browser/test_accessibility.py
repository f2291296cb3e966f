"""What axe-core finds on the pages (WCAG 2.2 A and AA and good practice), and what a first view loads."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ViewportSize, expect
from tests.browser.conftest import Visit

GRAVE = ("serious", "critical")
PHONE = ViewportSize(width=390, height=844)
MOST_BYTES = 1_400_000  # of a first view with a chart, as they come over the wire; the goal of 1 MB is missed by it
PAGES = (
    *("/", "/inspections", "/inspections?show=table", "/review", "/review/agreement", "/try", "/data"),
    *("/quality", "/quality/shift", "/studies", "/studies/new", "/models", "/models/cap", "/new-product"),
    *("/health", "/health/drift", "/health/storage", "/health/jobs", "/health/jobs/new?kind=train", "/health/alerts"),
    *("/admin", "/admin/keys", "/admin/webhooks", "/admin/audit", "/admin/settings", "/account"),
)


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_grave(visit: Visit, path: str) -> None:
    page = visit(path, "ada")
    page.wait_for_function("window.did_handshake")
    assert _grave(Axe().run(page).response) == []


def test_axe_finds_nothing_grave_on_the_login_and_on_a_part(visit: Visit) -> None:
    assert _grave(Axe().run(visit("/login", "")).response) == []
    page = visit("/inspections", "olga", size=PHONE)
    page.locator("a.part").first.click()
    expect(page.locator(".viewer").first).to_be_visible()
    assert _grave(Axe().run(page).response) == []


def test_a_first_view_is_light(visit: Visit) -> None:
    page = visit("/account", "olga")  # so that somebody is logged in; then everything is loaded anew
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    loaded: list[float] = []
    wire.on("Network.loadingFinished", lambda event: loaded.append(event["encodedDataLength"]))
    page.goto("/health")
    page.wait_for_function("window.did_handshake")
    assert 0 < sum(loaded) < MOST_BYTES


def _grave(found: dict) -> list[str]:  # type: ignore[type-arg]  # axe's own JSON
    """What is wrong, and the first place where."""
    return [
        f"{one['impact']}: {one['id']} at {len(one['nodes'])}, first {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
    ]
