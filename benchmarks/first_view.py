"""How soon a page of the console stands complete in a browser that has never seen it, and what it loads for that.

    python benchmarks/first_view.py [--rounds 5] [--pages / /quality]

A server with a login, a model and three days of parts on this machine, and Chromium at the size of a panel PC. In each
round every page is opened in a browser of its own, whose cache is empty, and once more in the same. Times run from the
navigation's start by the page's own clock: *painted* to the first text or picture, *complete* to when the page is
connected, nothing on it waits for its figures, and every chart and picture is drawn. Targets: complete in less than
1 s, with less than 1 MB.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the tests' plant

from tests.browser.drawn import DRAWN, WEIGHT
from tests.browser.plant import fill

from live import enter, launched, serving
from sightline.service.rights import Role
from tables import RESULTS, Cell, write_table

NAME = "vera"
PANEL = ViewportSize(width=1366, height=768)  # px
PART = "/inspections/{part}"
PAGES = (
    *("/login", "/", "/inspections", PART, "/review", "/try", "/data", "/quality", "/quality/shift", "/studies"),
    *("/models", "/models/cap", "/new-product", "/health", "/health/drift", "/admin"),
)
SECOND_MS, MEGABYTE = 1000.0, 1e6
PATIENCE_MS = 60_000.0
# looks at each frame, so that the time is that of the frame that showed it
_WATCH = f"""
window.completeAt = 0;
const drawn = {DRAWN};
const ready = () => [...document.querySelectorAll(".viewer canvas")].every((one) => one.dataset.ready === "true");
const look = () => {{
  if (drawn() && ready()) window.completeAt = performance.now(); else requestAnimationFrame(look);
}};
requestAnimationFrame(look);
"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_FILES = "() => performance.getEntriesByType('resource').length + 1"


@dataclass(slots=True)
class Views:
    """What was measured of one page."""

    painted_ms: list[float] = field(default_factory=list)
    complete_ms: list[float] = field(default_factory=list)
    again_ms: list[float] = field(default_factory=list)
    weight: float = 0.0  # bytes, the most
    files: int = 0

    def row(self, page: str) -> dict[str, Cell]:
        return {
            "page": page,
            "painted ms": float(np.median(self.painted_ms)),
            "complete ms": float(np.median(self.complete_ms)),
            "worst ms": max(self.complete_ms),
            "again ms": float(np.median(self.again_ms)),
            "kB": self.weight / 1e3,
            "files": self.files,
            "rounds": len(self.complete_ms),
        }


def look(browser: Browser, url: str, address: str, views: Views) -> None:
    """Open it in a new browser, and once more."""
    context = _entered(browser, url, as_somebody=address != "/login")
    page = context.new_page()
    page.add_init_script(_WATCH)
    views.complete_ms.append(_complete_ms(page, address))
    views.painted_ms.append(float(page.wait_for_function(_PAINTED, timeout=PATIENCE_MS).json_value()))
    views.weight = max(views.weight, float(page.evaluate(WEIGHT)))
    views.files = max(views.files, int(page.evaluate(_FILES)))
    views.again_ms.append(_complete_ms(page, address))
    context.close()


def _entered(browser: Browser, url: str, *, as_somebody: bool) -> BrowserContext:
    context = browser.new_context(base_url=url, viewport=PANEL)
    if as_somebody:
        enter(context, NAME)
    return context


def _complete_ms(page: Page, address: str) -> float:
    page.goto(address, wait_until="commit")
    page.wait_for_function("window.completeAt > 0", timeout=PATIENCE_MS)
    return float(page.evaluate("window.completeAt"))


def rows(pages: Sequence[str], rounds: int) -> Iterator[dict[str, Cell]]:
    """One for each page, after all rounds, as every round looks at all of them."""
    found = {page: Views() for page in pages}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fill(folder)
        server = stack.enter_context(serving(folder / "plant", Role.ADMINISTRATOR, NAME))
        browser = launched(stack.enter_context(sync_playwright()))
        stack.callback(browser.close)
        part = _a_part(browser, server.url)
        for warm in (True, *[False] * rounds):  # the server builds and compresses what it sends the first time
            for page, views in found.items():
                look(browser, server.url, page.format(part=part), Views() if warm else views)
    yield from (views.row(page) for page, views in found.items())


def _a_part(browser: Browser, url: str) -> str:
    """The id of the newest one that was rejected."""
    context = _entered(browser, url, as_somebody=True)
    answer = context.request.get("/api/v1/inspections?verdict=REJECT&limit=1")
    assert answer.ok, answer.text()
    part: str = answer.json()["items"][0]["id"]
    context.close()
    return part


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", nargs="+", default=PAGES, help="addresses")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = list(rows(options.pages, options.rounds))
    late = sum(float(str(row["complete ms"])) >= SECOND_MS for row in found)
    heavy = sum(float(str(row["kB"])) * 1e3 >= MEGABYTE for row in found)
    notes = [
        f"Medians over the rounds. Of {len(found)} pages {late} take 1 s or longer, and {heavy} weigh 1 MB or more. "
        "again: in the same browser, which has kept what does not change. The server, the browser and whatever else "
        "runs share this one machine."
    ]
    command = " ".join(["python benchmarks/first_view.py", *sys.argv[1:]])
    page = write_table(options.out, "first-view", found, title="A first view", command=command, notes=notes)
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
