"""Data sets: brought in, looked through, labelled, exported; and a class taught from five pictures."""

import json
import zipfile
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit
from tests.browser.plant import PASSWORD
from tests.test_teaching import CONFIG, write_picture

from sightline.datasets.labelled import open_classes
from sightline.service.recognition import CSRF
from sightline.supervised import train_classifier

JOB_MS = 90_000  # in which a job's process starts and is done


@pytest.fixture
def archive(filled: Path, tmp_path: Path) -> Path:
    """The parts of the plant, as somebody packs them."""
    packed, parts = tmp_path / "parts.zip", filled / "parts"
    with zipfile.ZipFile(packed, "w") as file:
        for path in sorted(parts.rglob("*")):
            if path.is_file():
                file.write(path, f"parts/{path.relative_to(parts).as_posix()}")
    return packed


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse over the picture, once it is there; places as shares of the stage."""
    canvas = page.locator(".viewer-stage canvas")
    expect(canvas).to_have_attribute("data-ready", "true")
    box = canvas.bounding_box()
    assert box is not None
    (x0, y0), (x1, y1) = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end))
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=3)
    page.mouse.move(x1, y1, steps=3)
    page.mouse.up()


def label(page: Page) -> None:
    """A brush mask and a box on the first scratch, one box too many taken back, and all found again after a reload."""
    labels = page.locator(".labels li")
    expect(page.locator(".viewer-stage canvas")).to_be_visible()
    expect(page.get_by_text("As it came: scratch")).to_be_visible()
    page.keyboard.press("2")
    page.keyboard.press("r")  # at once: both are done
    expect(page.get_by_role("button", name="Brush")).to_have_attribute("aria-pressed", "true")
    drag(page, (0.45, 0.4), (0.55, 0.45))
    page.keyboard.press("b")
    expect(page.get_by_role("button", name="Box", exact=True)).to_have_attribute("aria-pressed", "true")
    drag(page, (0.4, 0.3), (0.5, 0.5))  # while the server still makes labels of what came with the picture
    expect(labels.filter(has_text="mask").filter(has_text="dent")).to_have_count(1)
    expect(labels.filter(has_text="box").filter(has_text="quentin")).to_have_count(1)
    before = labels.count()
    drag(page, (0.55, 0.55), (0.6, 0.65))
    expect(labels).to_have_count(before + 1)
    page.keyboard.press("z")
    expect(labels).to_have_count(before)
    page.reload()
    expect(labels).to_have_count(before)
    expect(labels.filter(has_text="mask").filter(has_text="dent")).to_have_count(1)
    expect(labels.filter(has_text="box")).to_have_count(1)


def go_on_while_drawing(page: Page) -> None:
    """What is drawn just before one goes on is of the picture that it was drawn on."""
    name, labels = page.get_by_role("heading", level=1), page.locator(".labels li")
    first, before = name.inner_text(), labels.count()
    page.keyboard.press("b")
    expect(page.get_by_role("button", name="Box", exact=True)).to_have_attribute("aria-pressed", "true")
    drag(page, (0.3, 0.3), (0.35, 0.35))
    drag(page, (0.6, 0.3), (0.65, 0.35))
    page.keyboard.press("n")
    expect(name).not_to_have_text(first)
    expect(labels).to_have_count(0)
    page.keyboard.press("Shift+N")
    expect(name).to_have_text(first)
    expect(labels).to_have_count(before + 2)


def export(page: Page, title: str, folder: Path) -> dict[str, bytes]:
    """What is in the ZIP that is saved, by name; what the format has no room for is left out."""
    with page.expect_download(timeout=JOB_MS) as started:
        page.get_by_role("button", name=f"Download {title}").click()
        left_out = page.get_by_role("button", name="Export it all the same, and leave this out")
        left_out.or_(page.get_by_text(f"{title} was saved.")).first.wait_for()
        if left_out.is_visible():
            left_out.click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_an_archive_is_imported_looked_through_labelled_and_exported(
    visit: Visit, archive: Path, tmp_path: Path
) -> None:
    page = visit("/data")
    page.get_by_label("Name of the data set").fill("caps")
    page.get_by_label("Choose a ZIP archive").set_input_files(archive)
    expect(page.get_by_text("parts/train/good")).to_be_visible()
    page.get_by_role("button", name="Import").click()
    page.wait_for_url("**/data/caps/1", timeout=JOB_MS)
    expect(page.locator(".gallery .part").first).to_be_visible()
    page.locator(".bars").get_by_role("link", name="scratch").click()
    page.wait_for_url("**label=scratch")
    first = page.locator(".gallery .part").first
    expect(first).to_contain_text("scratch")
    first.click()
    label(page)
    go_on_while_drawing(page)
    page.get_by_role("link", name="caps 1").click()
    page.get_by_role("button", name="Save labels as a new version").click()
    page.wait_for_url("**/data/caps/2?view=changes&against=1")
    expect(page.locator(".tile").filter(has_text="drawn")).to_contain_text("1")
    page.get_by_role("link", name="Export").click()
    page.wait_for_url("**view=export")
    yolo = export(page, "YOLO boxes", tmp_path)
    assert "data.yaml" in yolo
    assert sum(content.count(b"\n") for name, content in yolo.items() if name.startswith("labels/")) >= 16
    lists = [json.loads(content) for name, content in export(page, "COCO JSON", tmp_path).items() if ".json" in name]
    assert sum(len(one["annotations"]) for one in lists) == 18  # those that came, the mask and three boxes


def test_a_class_is_taught_from_five_pictures(visit: Visit, site: str, tmp_path: Path) -> None:
    for place, kind in enumerate(("good", "spot")):
        for number in range(8):
            write_picture(tmp_path / "classes" / kind / f"{number}.png", kind, 100 * place + number)
    for number in range(5):
        write_picture(tmp_path / "rings" / f"ring-{number}.png", "ring", 300 + number)
    model = train_classifier(open_classes(tmp_path / "classes"), tmp_path / "names.sight", CONFIG).bundle.path
    with httpx.Client(base_url=f"{site}/api/v1", timeout=60) as client:
        csrf = client.post("/login", json={"name": "quentin", "password": PASSWORD}).json()["csrf"]
        answer = client.post("/models/names/versions", content=model.read_bytes(), headers={"X-CSRF-Token": csrf})
        assert answer.status_code == 201, answer.text
    page = visit("/data")
    page.get_by_label("Name of the data set").fill("rings")
    page.get_by_role("tab", name="Pictures").click()
    page.get_by_label("They show").fill("ring")
    page.keyboard.press("Enter")
    page.get_by_label("Choose pictures").set_input_files(sorted((tmp_path / "rings").iterdir()))
    page.get_by_role("button", name="Make a version").click()
    page.wait_for_url("**/data/rings/1")
    page.get_by_role("button", name="Teach a class").click()
    page.wait_for_url("**/teach")
    page.get_by_label("Name of the new class").fill("ring")
    expect(page.get_by_text("It knows: good, spot")).to_be_visible()
    for part in page.locator("button.part").all():
        part.click()
    expect(page.get_by_text("5 chosen")).to_be_visible()
    page.get_by_role("button", name="Teach", exact=True).click()
    expect(page.get_by_text("Version 2 of names knows ring from 5 pictures.")).to_be_visible(timeout=JOB_MS)
    operator = visit("/data/rings/1", "olga")
    expect(operator.get_by_role("button", name="Label pictures")).to_be_visible()
    expect(operator.get_by_role("button", name="Teach a class")).to_have_count(0)
    expect(operator.get_by_role("link", name="Export")).to_have_count(0)


def test_all_changes_of_a_large_version_can_be_looked_at(visit: Visit, site: str) -> None:
    with httpx.Client(base_url=f"{site}/api/v1", timeout=60.0) as client:
        client.post("/login", json={"name": "ada", "password": PASSWORD})
        client.headers[CSRF] = client.get("/account").json()["csrf"]
        items = []
        for level in range(126):
            content = cv2.imencode(".png", np.full((32, 32), level, np.uint8))[1].tobytes()
            digest = client.post("/datasets/pictures", content=content).json()["digest"]
            items.append({"picture": digest, "name": f"{level}.png", "split": "train", "label": "good"})
        for many in (1, 126):
            made = client.post("/datasets/greys/versions", json={"items": items[:many]})
            assert made.status_code == 201, made.text
    page = visit("/data/greys/2?view=changes")
    expect(page.locator(".gallery .part")).to_have_count(120)
    page.get_by_role("button", name="More (5 left)").click()
    expect(page.locator(".gallery .part")).to_have_count(125)
