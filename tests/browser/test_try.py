"""Trying a model on pictures of one's own."""

import base64
import re
from pathlib import Path

from playwright.sync_api import expect
from tests.browser.conftest import Visit
from tests.browser.test_models import logged_in
from tests.service.server import wait_for

from sightline.datasets.opening import open_dataset
from sightline.joint_training import train_products
from sightline.synthesis.assembly import Drive
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig

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


def test_a_part_is_tried_as_each_product_of_a_model_with_several_banks(
    visit: Visit, site: str, filled: Path, tmp_path: Path
) -> None:
    plain = PartConfig(size=128, drive=Drive.SLOT, text="SB-9")
    write_dataset(tmp_path / "lid", plain, Counts(good_train=8, good_test=2, per_defect=0), seed=5)
    datasets = {name: open_dataset(path) for name, path in (("cap", filled / "parts"), ("lid", tmp_path / "lid"))}
    train_products(datasets, tmp_path / "line.sight", "separate", TrainConfig())
    with logged_in(site) as client:
        sent = client.post("/api/v1/models/line/versions", content=(tmp_path / "line.sight").read_bytes())
        assert sent.status_code == 201, sent.text
        assert client.post("/api/v1/models/line/versions/1/promote", json={"reason": "two products"}).is_success
        wait_for(lambda: client.get("/v2/models/line/ready").is_success)
    page = visit("/try?model=line", "olga")
    product = page.get_by_label("Product")
    assert product.get_by_role("option").all_inner_texts() == ["cap", "lid"]
    tried, part = page.locator(".tried li").first, filled / "parts/train/good/000.png"
    for name, verdict in (("cap", "PASS"), ("lid", "REJECT")):  # another product among those of the line stands out
        product.select_option(name)
        page.evaluate(DROP, [[[f"as {name}.png", encoded(part)]]])
        expect(tried).to_contain_text(f"as {name}.png")
        expect(tried).to_contain_text(verdict)
        expect(page.locator(".facts")).to_contain_text(re.compile(f"Product\\s*{name}"))

    page = visit("/models/line?version=1")
    thresholds = []
    for name in ("lid", "cap"):
        page.get_by_role("combobox", name="Product").click()
        page.get_by_role("option", name=name).click()
        page.wait_for_url(f"**/models/line?*product={name}*")
        thresholds.append(page.locator(".figure").first.inner_text())
    assert thresholds[0] != thresholds[1]


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
