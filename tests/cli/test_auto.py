"""`sightline auto`: what it writes, says and refuses."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from sightline.bundle import load

pytest.importorskip("optuna", reason="the search needs the extra [train]")

Sightline = Callable[..., CompletedProcess[str]]


@pytest.fixture
def parts(tmp_path: Path, picture: Callable[..., None]) -> Path:
    for index in range(22):
        picture(tmp_path / f"parts/train/good/{index:02}.png", index)
    for index in range(3):
        picture(tmp_path / f"parts/test/good/{index}.png", 100 + index)
        picture(tmp_path / f"parts/test/scratch/{index}.png", 200 + index, defect=True)
    return tmp_path / "parts"


def test_it_writes_a_model_and_a_leaderboard_and_tests_the_model_once(
    document: Callable[..., Any], parts: Path, tmp_path: Path
) -> None:
    found = document("auto", parts, "-o", tmp_path / "part.sight", "--minutes", 0.0001, "--quiet")
    assert list(found) == [
        *("model", "model_id", "compared_on", "settings", "leaderboard", "failures", "page", "test"),
    ]
    assert load(tmp_path / "part.sight").model_id == found["model_id"]
    assert found["settings"]["method"] == "patchcore"
    assert [row["chosen"] for row in found["leaderboard"]] == [True]
    assert found["test"]["image"]["auroc"] == 1.0
    assert Path(found["page"]) == tmp_path / "part.search" / "leaderboard.html"
    assert Path(found["page"]).is_file()


def test_limits_that_cannot_be_kept_give_one_line(sightline: Sightline, parts: Path, tmp_path: Path) -> None:
    options = ("--minutes", 0.0001, "--max-size-mb", 0.001, "--quiet")
    done = sightline("auto", parts, "-o", tmp_path / "part.sight", *options)
    assert done.returncode == 1
    assert done.stderr.startswith("sightline: error: nothing that was tried keeps 0.001 MB; the fastest took ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "part.sight").exists()
