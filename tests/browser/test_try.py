"""Trying a model on pictures of one's own."""

import base64
from pathlib import Path

from playwright.sync_api import expect
from tests.browser.conftest import Visit

# makes a drop event of files in the page, as a file manager does
DROP = """([files]) => {
  const data = new DataTransfer();
  for (const [name, content] of files)
    data.items.add(new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], name));
  const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector(".drop").dispatchEvent(drop);
}"""


def test_dropped_pictures_are_judged_and_what_is_no_picture_is_told(visit: Visit, filled: Path) -> None:
    page = visit("/try", "olga")
    expect(page.get_by_text("Drop a picture of a part")).to_be_visible()
    parts = filled / "parts" / "test"
    good, bad = next((parts / "good").iterdir()), next((parts / "crack").iterdir())
    page.evaluate(DROP, [[[f"{path.parent.name}.png", encoded(path)] for path in (good, bad)]])
    tried = page.locator(".tried li")
    expect(tried).to_have_count(2)
    expect(tried.first).to_contain_text("crack.png")
    expect(tried.first).to_contain_text("REJECT")
    expect(tried.last).to_contain_text("PASS")
    shown = page.get_by_role("region", name="crack.png")
    expect(shown.locator("svg g")).not_to_have_count(0)  # where it is
    expect(page.locator(".facts")).to_contain_text("cap 1")
    alike = page.get_by_role("region", name="What it looked most like").locator("figure").first
    expect(alike).to_contain_text("This looked most like 0")  # a training picture's name
    expect(alike.get_by_role("img", name="Good part")).to_have_js_property("naturalWidth", 192)
    slider = shown.get_by_label("Heat map")
    slider.fill("0.25")
    expect(shown.locator("canvas")).to_have_css("opacity", "0.25")

    tried.last.get_by_role("button").click()
    expect(page.get_by_text("No defect was found.")).to_be_visible()
    expect(page.locator("figure.alike")).to_have_count(0)  # nothing to explain

    page.locator("input[type=file]").first.set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"this is no picture"}
    )
    expect(page.get_by_role("alert").filter(has_text="picture")).to_be_visible()
    expect(page.locator(".tried li").first).to_contain_text("notes.txt")


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
