"""A console as people use it: a server process with a filled plant, and Chromium. Whatever a page logs as an error, or
loads from elsewhere, fails its test."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)
from tests.browser.plant import PASSWORD, fill
from tests.conftest import Once
from tests.service.test_serve import running

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or ""

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
PATIENCE_MS = 30_000
REFUSALS = (401, 403, 409, 422, 429)  # by which the API tells people no
PANEL = ViewportSize(width=1366, height=768)  # px, of a panel PC


@pytest.fixture(scope="session")
def filled(once: Once) -> Path:
    """A folder with `plant` and `parts`; only read it, and copy `plant` to change it.

    SIGHTLINE_FILLED names one that was filled before.
    """
    if ready := os.environ.get("SIGHTLINE_FILLED"):
        return Path(ready)
    return once("filled", fill)


@pytest.fixture(scope="module")
def site(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a plant of this module's own."""
    folder = tmp_path_factory.mktemp("site") / "plant"
    shutil.copytree(filled / "plant", folder)
    with running("--folder", str(folder)) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module: Playwright keeps an event loop running in this thread, in which other tests have theirs."""
    if not BROWSER:
        pytest.skip("chromium is not installed")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=list(FLAGS))
        yield found
        found.close()


Visit = Callable[..., Page]
Enter = Callable[[str, str], BrowserContext]


@pytest.fixture(scope="module")
def enter(browser: Browser, site: str) -> Iterator[Enter]:
    """`enter(name, language)`: the browser of one of PEOPLE, logged in, with what it loaded for earlier tests.

    Without a name it is nobody's, and new each time.
    """
    opened: dict[tuple[str, str], BrowserContext] = {}

    def enter_(name: str, language: str) -> BrowserContext:
        if name and (name, language) in opened:
            return opened[name, language]
        context = browser.new_context(base_url=site, viewport=PANEL, locale=language)
        context.set_default_timeout(PATIENCE_MS)
        if name:
            answer = context.request.post("/api/v1/login", data={"name": name, "password": PASSWORD})
            assert answer.ok, answer.text()
        opened[name, language] = context
        return context

    yield enter_
    for context in opened.values():
        context.close()


@pytest.fixture
def visit(enter: Enter, site: str) -> Iterator[Visit]:
    """`visit(path, name)` opens a page as one of PEOPLE; `size` and `language` on demand."""
    opened, faults, known = [], [], (site, "data:", "blob:")

    def open_(path: str, name: str = "quentin", *, size: ViewportSize | None = None, language: str = "en") -> Page:
        page = enter(name, language).new_page()
        opened.append(page)
        if size is not None:
            page.set_viewport_size(size)
        page.on("console", lambda told: faults.append(told.text) if _is_fault(told) else None)
        page.on("response", lambda answer: faults.append(f"{answer.status} {answer.url}") if _failed(answer) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(known) else faults.append(asked.url))
        page.goto(path)
        expect(page.locator("#content")).to_be_visible()
        return page

    yield open_
    for page in opened:
        page.close()
    assert not faults, f"errors in the browser, or requests to elsewhere: {faults}"


def _is_fault(told: ConsoleMessage) -> bool:
    return told.type == "error" and not told.text.startswith("Failed to load resource")  # `_failed` tells which


def _failed(answer: Response) -> bool:
    return answer.status >= 400 and answer.status not in REFUSALS
