"""`sightline evaluate`: the figures, the report, and data sets that lack something."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cv2
import numpy as np
import pytest

Sightline = Callable[..., CompletedProcess[str]]
Document = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def copied(parts: Path, tmp_path: Path) -> Path:
    """The data set, to be spoilt."""
    return Path(shutil.copytree(parts, tmp_path / "parts"))


def test_the_figures_are_told_in_columns(sightline: Sightline, trained: Path, parts: Path) -> None:
    done = sightline("evaluate", trained, parts)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("parts: 9 pictures judged by patchcore model ")
    assert done.stdout.splitlines()[1:5] == [
        "  defects caught       5 of 5 (100.0 %; 95 % interval 47.8 to 100.0 %)",
        "    hole               3 of 3 (100.0 %; 95 % interval 29.2 to 100.0 %)",
        "    stain              2 of 2 (100.0 %; 95 % interval 15.8 to 100.0 %)",
        "  good parts rejected  0 of 4 (0.0 %; 95 % interval 0.0 to 60.2 %)",
    ]
    assert done.stdout.splitlines()[5].startswith("  over pictures        AUROC 1.0000, AP 1.0000, best F1 1.0000")
    assert done.stdout.splitlines()[6].startswith("  over pixels          AUROC ")


def test_the_json_has_these_keys(document: Document, trained: Path, parts: Path) -> None:
    found = document("evaluate", trained, parts)
    assert list(found) == [
        *("schema", "model_id", "method", "dataset", "threshold", "review_threshold", "judged", "unjudged", "image"),
        *("pixel", "escape", "overkill", "review", "recall_by_type", "confusion", "naming", "overlap", "boxes"),
        *("warnings", "report"),
    ]
    assert list(found["escape"]) == ["count", "total", "value", "low", "high"]
    assert {item["label"] for item in found["judged"]} == {"good", "hole", "stain"}
    assert found["confusion"]["good"] == {"PASS": 4, "REJECT": 0, "REVIEW": 0, "FAULT": 0}
    assert (found["naming"], found["warnings"], found["report"]) == (None, [], None)


def test_the_report_is_one_file_that_names_the_model_and_the_data(
    sightline: Sightline, trained: Path, parts: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    costs = ["--cost-escape", 20, "--cost-overkill", 2, "--defect-rate", 0.05]
    done = sightline("evaluate", trained, parts, "--report", report, *costs, "--quiet", "--max-megapixels", 1)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"report: {report}"
    assert "parts: patchcore model" in report.read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_without_masks_nothing_is_said_of_pixels(
    sightline: Sightline, document: Document, trained: Path, copied: Path
) -> None:
    shutil.rmtree(copied / "ground_truth")
    assert document("evaluate", trained, copied)["pixel"] is None
    assert "over pixels" not in sightline("evaluate", trained, copied).stdout


def test_without_defects_it_says_that_there_are_none(
    sightline: Sightline, document: Document, trained: Path, good: Path, tmp_path: Path
) -> None:
    done = sightline("evaluate", trained, good, "--report", tmp_path / "report.html")
    assert done.returncode == 0, done.stderr
    assert "  defects caught       none among the pictures" in done.stdout
    assert "AUROC not measured" in done.stdout
    assert "warning: the data set has no test split: pictures that the model learned from may be among" in done.stdout
    assert document("evaluate", trained, good)["image"]["auroc"] is None
    assert len(document("evaluate", trained, good)["warnings"]) == 1


def test_without_good_pictures_it_says_that_there_are_none(
    sightline: Sightline, trained: Path, copied: Path, tmp_path: Path
) -> None:
    shutil.rmtree(copied / "test/good")
    done = sightline("evaluate", trained, copied, "--report", tmp_path / "report.html")
    assert done.returncode == 0, done.stderr
    assert "  good parts rejected  none among the pictures" in done.stdout


def test_an_unreadable_picture_is_listed_and_the_others_are_judged(
    sightline: Sightline, document: Document, trained: Path, copied: Path
) -> None:
    broken = copied / "test/hole/001.png"
    broken.write_bytes(broken.read_bytes()[:400])
    done = sightline("evaluate", trained, copied, "--report", copied / "report.html")
    assert done.returncode == 1
    assert done.stdout.startswith("parts: 8 pictures judged")
    assert f"  not judged, counted as FAULT: 1\n    {broken}: " in done.stdout
    assert done.stderr.startswith(f"sightline: error: {broken}: ")
    assert (copied / "report.html").is_file()
    found = document("evaluate", trained, copied, status=1)
    assert [item["source"] for item in found["unjudged"]] == [str(broken)]
    assert found["confusion"]["hole"]["FAULT"] == 1


def test_where_no_picture_can_be_judged_every_one_is_listed(
    sightline: Sightline, trained: Path, parts: Path, tmp_path: Path
) -> None:
    done = sightline("evaluate", trained, parts, "--max-megapixels", 0.001, "--report", tmp_path / "report.html")
    assert done.returncode == 1
    assert "  not judged, counted as FAULT: 9" in done.stdout
    assert done.stderr.endswith(", and 8 more\n")


def test_a_mask_of_another_size_is_refused(refused: Refused, trained: Path, copied: Path) -> None:
    mask = copied / "ground_truth/hole/000_mask.png"
    assert cv2.imwrite(str(mask), np.full((50, 60), 255, np.uint8))
    message = refused("evaluate", trained, copied)
    assert message.startswith(f"{mask}: ")
    assert "96 x 96" in message


def test_a_data_set_that_is_not_there_is_told(refused: Refused, trained: Path, tmp_path: Path) -> None:
    assert refused("evaluate", trained, tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'}: cannot be opened")
    assert "no pictures" in refused("evaluate", trained, tmp_path)


def test_a_report_that_cannot_be_written_is_told_before_the_work(
    refused: Refused, trained: Path, parts: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file/report.html", tmp_path / "no/report.html", tmp_path):
        assert refused("evaluate", trained, parts, "--report", place).startswith(f"{place}: cannot be written (")


@pytest.mark.parametrize(
    "words",
    [["--cost-escape", "0"], ["--cost-overkill", "-1"], ["--cost-escape", "nan"], ["--defect-rate", "1"]],
    ids=" ".join,
)
def test_a_value_that_cannot_be_meant_is_wrong_usage(
    sightline: Sightline, trained: Path, parts: Path, words: list[str]
) -> None:
    done = sightline("evaluate", trained, parts, *words)
    assert (done.returncode, done.stdout) == (2, "")
