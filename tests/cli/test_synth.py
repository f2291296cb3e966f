"""`sightline data synth`: what it prints, writes and refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Sightline, write_picture

from sightline.datasets.opening import open_dataset
from sightline.imaging.decode import read_frame

Document = Callable[..., Any]


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    for seed in range(5):
        write_picture(tmp_path / f"parts/train/good/{seed}.png", seed)
    write_picture(tmp_path / "parts/test/good/9.png", 9)
    return tmp_path / "parts"


def test_a_data_set_a_sheet_and_the_shares_come_out(parts: Path, tmp_path: Path, sightline: Sightline) -> None:
    out, sheet = tmp_path / "out", tmp_path / "sheet.png"
    done = sightline(
        "data", "synth", parts, out, "--kinds", "stain,crack=fissure", "--per-class", 2, "--preview", sheet
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["good", "5", "0", "0", "%"] in lines
    assert ["fissure", "0", "2", "100", "%"] in lines
    assert ["all", "5", "4", "44", "%"] in lines
    assert read_frame(sheet).width > 600
    assert open_dataset(out / "mixed.csv").labels == ("good", "fissure", "stain")


def test_json_is_one_document(parts: Path, tmp_path: Path, document: Document) -> None:
    found = document(
        "data", "synth", parts, tmp_path / "out", "--kinds", "stain", "--ratio", 0.5, "--severity", "0.5-0.9"
    )
    assert found["all"] == {"real": 5, "synthetic": 5, "ratio": 0.5}
    assert {picture["method"] for picture in found["pictures"]} == {"stain"}
    assert all(0.5 <= picture["severity"] <= 1 for picture in found["pictures"])


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        pytest.param(("--kinds", "rust"), 1, '--kinds "rust" is not understood', id="unknown kind"),
        pytest.param(("--kinds", "crack,crack"), 1, "once at most", id="twice"),
        pytest.param(("--kinds", "crack=good"), 1, "cannot be the label", id="a defect called good"),
        pytest.param(("--severity", "high"), 1, "write 0.2-0.8", id="severity"),
        pytest.param(("--severity", "0.9-0.1"), 1, "lower one first", id="severity turned round"),
        pytest.param(("--per-class", "3", "--ratio", "0.3"), 2, "give one of them", id="two mixes"),
        pytest.param(("--ratio", "1"), 2, "--ratio", id="ratio 1"),
        pytest.param(("--class-ratio", "0.5"), 1, "asks for 0 synthetic", id="no real ones"),
        pytest.param(("--preview", "nowhere/sheet.png"), 1, "nowhere", id="no such folder"),
    ],
)
def test_what_cannot_work_is_told_in_a_line_and_nothing_is_written(
    parts: Path, tmp_path: Path, sightline: Sightline, words: tuple[str, ...], status: int, says: str
) -> None:
    done = sightline("data", "synth", parts, tmp_path / "out", *words)
    assert done.returncode == status
    assert says in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]


def test_defects_of_test_are_not_cut_out(parts: Path, tmp_path: Path, sightline: Sightline) -> None:
    write_picture(parts / "test/spot/0.png", 5, defect=True)
    done = sightline("data", "synth", parts, tmp_path / "out", "--from-defects", parts)
    assert done.returncode == 1
    assert "sightline data split" in done.stderr


def test_a_synthetic_picture_is_not_evaluated_whatever_its_name(
    parts: Path, tmp_path: Path, sightline: Sightline
) -> None:
    assert sightline("data", "synth", parts, tmp_path / "out", "--kinds", "stain", "--per-class", 1).returncode == 0
    model = tmp_path / "part.sight"
    small = ("--size", "96x96", "--dimensions", 8, "--bank", 20)
    assert sightline("train", parts, "-o", model, "--quiet", *small).returncode == 0
    (tmp_path / "seen/test/stain").mkdir(parents=True)
    source = next((tmp_path / "out/train/stain").iterdir())
    (tmp_path / "seen/test/stain/renamed.png").write_bytes(source.read_bytes())
    done = sightline("evaluate", model, tmp_path / "seen")
    assert done.returncode == 1
    assert "renamed.png: is synthetic" in done.stderr
