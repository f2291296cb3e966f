"""Studies, as somebody makes, rates and reads them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit
from tests.browser.reported import report
from tests.service.test_serve import running

from sightline.line.outcome import Kind
from sightline.records import Verdict

NAME = "caps <b>in autumn</b>"


@pytest.fixture(scope="module")
def site(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """With a station that was shown 59 bad parts and found all of them."""
    folder = tmp_path_factory.mktemp("studies") / "plant"
    shutil.copytree(filled / "plant", folder)
    report(folder, "press-3", [Verdict.REJECT] * 59, ago_s=7200.0, kind=Kind.CHALLENGE)
    with running("--folder", str(folder)) as server:
        yield server.url


def test_people_and_the_machine_are_held_to_a_standard(visit: Visit) -> None:
    engineer = visit("/studies", "ada")
    engineer.get_by_role("link", name="New study").click()
    truth = made(engineer)
    path = engineer.url
    rated(visit(f"{path}/rate", "olga"), truth)
    rated(visit(f"{path}/rate", "quentin"), dict.fromkeys(truth, True))  # to whom all parts are bad
    engineer.get_by_role("button", name="Let it rate").click()
    expect(engineer.get_by_text("cap 1: 4 rated")).to_be_visible()
    engineer.get_by_role("button", name="Close the study").click()
    engineer.get_by_role("dialog").get_by_role("button", name="Close the study").click()
    expect(engineer.get_by_text("olga is acceptable; agreement with the truth is good (kappa 1.00).")).to_be_visible()
    expect(
        engineer.get_by_text("quentin is unacceptable; agreement with the truth is poor (kappa 0.00).")
    ).to_be_visible()
    expect(engineer.get_by_text("Limits of AIAG MSA, 4th edition")).to_be_visible()
    expect(engineer.get_by_text("olga, quentin")).to_be_visible()
    wrong = engineer.locator(".disputed figure")
    expect(wrong).to_have_count(2)
    expect(wrong.first).to_contain_text("rejected ✗")
    expect(wrong.first.get_by_role("img")).to_be_visible()


def made(page: Page) -> dict[str, bool]:
    """Draw two rejects and two passes, say that they are what they were judged; picture -> bad."""
    page.wait_for_function("window.did_handshake")  # what is typed before is overwritten by what the server knows
    page.get_by_label("Rejects").fill("2")
    page.get_by_label("Passes").fill("2")
    page.get_by_role("button", name="Draw at random").click()
    parts = page.locator(".gallery .part")
    expect(parts).to_have_count(4)
    truth = {}
    for place, part in enumerate(parts.all()):
        bad = place < 2
        truth[digest(part.locator("img").get_attribute("src"))] = bad
        part.get_by_role("button", name="Bad" if bad else "Good").click()
    page.get_by_label("Name of the study").fill(NAME)
    page.get_by_label("Rounds").fill("1")
    page.get_by_role("button", name="Make the study").click()
    page.wait_for_url("**/studies/1")
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()
    return truth


def rated(page: Page, truth: dict[str, bool]) -> None:
    """Judge four parts by keyboard."""
    for place in range(1, 5):
        expect(page.get_by_text(f"Part {place} of 4, round 1")).to_be_visible()
        expect(page.get_by_text("press-")).to_have_count(0)  # nothing that tells where it is from
        bad = truth[str(page.locator(".viewer").get_attribute("data-picture"))]
        page.keyboard.press("r" if bad else "p")
    expect(page.get_by_text("You have judged every part.")).to_be_visible()


def digest(src: str | None) -> str:
    assert src is not None
    return src.partition("?")[0].rpartition("/")[2]


def test_challenge_parts_prove_a_recall(visit: Visit) -> None:
    page = visit("/studies?show=challenge", "olga")
    proved = "59 of 59 found: at least 95.049 % with 95\u00a0% confidence."
    expect(page.get_by_role("row", name="press-3")).to_contain_text(proved)
    expect(page.get_by_role("status")).to_contain_text("Show 299 bad parts")
    page.get_by_label("Recall to prove, %").fill("98")
    page.get_by_label("Recall to prove, %").press("Enter")
    page.wait_for_url("**recall=98**")
    expect(page.get_by_role("status")).to_contain_text("Show 149 bad parts: with at most 0 missed they prove 98 %")


def test_a_sampling_plan_is_looked_up(visit: Visit) -> None:
    page = visit("/studies?show=sampling&lot=500&aql=2.5", "olga")
    page.get_by_label("Parts in the lot").fill("1000")
    page.get_by_label("Parts in the lot").press("Enter")
    page.wait_for_url("**lot=1000**")
    page.get_by_role("combobox", name="AQL, %").click()
    page.get_by_role("option", name="1", exact=True).click()
    page.wait_for_url("**aql=1&**")
    for name, value in (("Code letter", "J"), ("n", "80"), ("Ac", "2"), ("Re", "3")):
        tile = page.locator(".tile").filter(has=page.get_by_text(name, exact=True))
        expect(tile.locator(".value")).to_have_text(value)
    told = "Look at 80 parts: accept the lot with at most 2 bad ones, refuse it with 3 or more."
    expect(page.get_by_role("img", name=told)).to_be_visible()
    page.goto("/studies?show=sampling&aql=1.1")
    expect(page.get_by_role("alert")).to_contain_text("an AQL of 1.1 is not in ISO 2859-1")
