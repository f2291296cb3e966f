"""`sightline inspect`: verdicts, pictures, and what becomes of the others when one fails."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cv2
import pytest

from sightline.bundle import EXEMPLARS_HASH, save
from sightline.bundle import load as load_bundle
from sightline.cli.inspect import overlay_names
from sightline.imaging.decode import read_frame
from sightline.inspector import load

Sightline = Callable[..., CompletedProcess[str]]
Document = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def broken(tmp_path: Path, good: Path) -> Path:
    path = tmp_path / "broken.png"
    path.write_bytes((good / "00.png").read_bytes()[:300])
    return path


def test_each_picture_gets_a_line_in_columns_and_all_are_counted(
    sightline: Sightline, trained: Path, parts: Path
) -> None:
    done = sightline("inspect", trained, parts / "test/good", parts / "test/hole/000.png")
    assert (done.returncode, done.stderr) == (0, "")
    *lines, counts = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["PASS"] * 4 + ["REJECT"]
    assert len({line.index(str(parts)) for line in lines}) == 1
    assert lines[-1].endswith("000.png  1 region")
    assert counts == "4 PASS, 1 REJECT"


def test_one_picture_gets_one_line(sightline: Sightline, trained: Path, good: Path) -> None:
    assert sightline("inspect", trained, good / "00.png").stdout.count("\n") == 1


def test_the_json_has_these_keys_and_the_scores_of_python(document: Document, trained: Path, parts: Path) -> None:
    hole = parts / "test/hole/000.png"
    found = document("inspect", trained, hole)
    (inspection,) = found["inspections"]
    assert list(found) == ["model", "model_id", "counts", "inspections"]
    assert found["counts"] == {"PASS": 0, "REJECT": 1, "REVIEW": 0, "FAULT": 0}
    assert list(inspection) == [
        *("source", "verdict", "score", "threshold", "review_threshold", "p_value", "model_id", "width", "height"),
        *("defects", "timings", "fault"),
    ]
    (defect,) = inspection["defects"]
    assert list(defect) == ["box", "area_px", "peak", "label", "confidence", "area_mm2"]
    assert list(defect["box"]) == ["x", "y", "width", "height"]
    assert list(inspection["timings"]) == ["decode_ms", "graph_ms", "total_ms"]
    assert inspection["score"] == load(trained).inspect(hole).score


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--fail-on-reject"], 3)])
def test_only_when_asked_a_reject_is_the_exit_status(
    sightline: Sightline, trained: Path, parts: Path, options: list[str], status: int
) -> None:
    done = sightline("inspect", trained, parts / "test/hole", *options)
    assert (done.returncode, done.stderr) == (status, "")


def test_without_a_reject_fail_on_reject_is_0(sightline: Sightline, trained: Path, parts: Path) -> None:
    assert sightline("inspect", trained, parts / "test/good", "--fail-on-reject").returncode == 0


def test_an_unreadable_picture_is_a_fault_and_the_others_are_judged(
    sightline: Sightline, document: Document, trained: Path, parts: Path, broken: Path
) -> None:
    words = ["inspect", trained, broken, parts / "test/hole/000.png", broken.parent / "nowhere.png"]
    done = sightline(*words, "--fail-on-reject")
    assert done.returncode == 1  # an error comes before a verdict
    assert [line.split()[0] for line in done.stdout.splitlines()[:-1]] == ["FAULT", "REJECT", "FAULT"]
    assert f"FAULT   {broken}: " in done.stdout
    assert done.stdout.splitlines()[-1] == "1 REJECT, 2 FAULT"
    assert done.stderr.startswith(f"sightline: error: {broken}: ")
    assert done.stderr.endswith(", and 1 more\n")
    found = document(*words, status=1)
    assert [item["verdict"] for item in found["inspections"]] == ["FAULT", "REJECT", "FAULT"]
    assert found["inspections"][0]["score"] is None
    assert str(broken) in found["inspections"][0]["fault"]


def test_a_picture_over_the_cap_is_a_fault(sightline: Sightline, trained: Path, good: Path) -> None:
    done = sightline("inspect", trained, good / "00.png", "--max-megapixels", 0.001)
    assert (done.returncode, done.stdout.split()[0]) == (1, "FAULT")


def test_a_picture_of_another_depth_is_a_fault(
    sightline: Sightline, trained: Path, picture: Callable[..., None], tmp_path: Path
) -> None:
    picture(tmp_path / "deep.png", 0, depth=12)
    done = sightline("inspect", trained, tmp_path / "deep.png")
    assert (done.returncode, done.stdout.split()[0]) == (1, "FAULT")
    assert "the model was trained on 8" in done.stderr


def test_workers_and_threads_change_no_score(document: Document, trained: Path, parts: Path) -> None:
    def scores(*options: object) -> list[tuple[str, float]]:
        found = document("inspect", trained, parts / "test", *options)
        return [(item["source"], item["score"]) for item in found["inspections"]]

    assert scores("--workers", 3, "--threads", 1, "--quiet") == scores()


def test_explanations_are_pictures_with_a_row_for_each_place(
    sightline: Sightline, trained: Path, parts: Path, tmp_path: Path
) -> None:
    pictures = [parts / "test/hole/000.png", parts / "test/good/001.png"]
    done = sightline("inspect", trained, *pictures, "--explain", tmp_path / "seen", "--json")
    assert done.returncode == 0, done.stderr
    found = [len(one["defects"]) for one in json.loads(done.stdout)["inspections"]]
    heights = [read_frame(tmp_path / "seen" / name).height for name in ("000.png", "001.png")]
    head, row = 76, 26 + 192 + 12  # px
    assert heights == [head + row * min(3, max(1, count)) for count in found]


def test_a_model_that_keeps_no_good_pictures_is_told_before_the_work(
    refused: Refused, trained: Path, parts: Path, tmp_path: Path
) -> None:
    model = load_bundle(trained)
    config = {key: value for key, value in model.manifest.provenance.config.items() if key != EXEMPLARS_HASH}
    provenance = replace(model.manifest.provenance, config=config)
    save(tmp_path / "old.sight", model.graph, replace(model.manifest, provenance=provenance), model.window)
    picture, folder = parts / "test/good/000.png", tmp_path / "seen"
    message = refused("inspect", tmp_path / "old.sight", picture, "--explain", folder)
    assert "this model does not keep its good pictures; train again." in message
    assert not folder.exists()


def test_overlays_are_pictures_named_after_the_pictures(
    sightline: Sightline, trained: Path, parts: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new/overlays"
    pictures = [parts / "test/hole/000.png", parts / "test/good/000.png", parts / "test/good/001.png"]
    done = sightline("inspect", trained, *pictures, "--overlay", folder)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["001.png", "good-000.png", "hole-000.png"]
    overlay = cv2.imread(str(folder / "hole-000.png"))
    assert overlay is not None
    assert overlay.shape[1] > 2 * 96


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        pytest.param(["a/x.png", "b/y.png"], ["x", "y"], id="unlike"),
        pytest.param(["a/x.png", "b/x.png"], ["a-x", "b-x"], id="of two folders"),
        pytest.param(["a/x.png", "a/x.jpg"], ["a-x", "a-x-2"], id="of two formats"),
        pytest.param(["x.png", "b/x.png"], ["x", "b-x"], id="without a folder"),
        pytest.param(["a/x.png", "a/X.png"], ["a-x", "a-X-2"], id="for a disk that ignores case"),
        pytest.param(["a-x.png", "a/x.png", "b/x.png"], ["a-x", "a-x-2", "b-x"], id="as another is called"),
        pytest.param(["c/a/x.png", "d/a/x.png", "a/x.png"], ["a-x", "a-x-2", "a-x-3"], id="folders alike too"),
    ],
)
def test_no_two_overlays_share_a_name(paths: list[str], names: list[str]) -> None:
    assert overlay_names([Path(path) for path in paths]) == names


def test_an_overlay_never_takes_the_place_of_a_picture(
    refused: Refused, trained: Path, picture: Callable[..., None], tmp_path: Path
) -> None:
    picture(tmp_path / "a.png", 0)
    before = (tmp_path / "a.png").read_bytes()
    message = refused("inspect", trained, tmp_path, "--overlay", tmp_path / "x/..")
    assert "is one of the pictures to judge. Choose another folder for --overlay." in message
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_an_overlay_folder_that_cannot_be_is_told_before_the_work(
    refused: Refused, trained: Path, good: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    message = refused("inspect", trained, good / "00.png", "--overlay", tmp_path / name)
    assert message.startswith(f"{tmp_path / name}: cannot be made (")


def test_an_empty_folder_is_told(refused: Refused, trained: Path, tmp_path: Path) -> None:
    assert refused("inspect", trained, tmp_path).startswith(f"{tmp_path}: no pictures")


@pytest.mark.parametrize(
    "words", [[""], ["--overlay", ""], ["--workers", "0"], ["--threads", "0"], ["--workers", "many"]], ids=" ".join
)
def test_a_value_that_cannot_be_meant_is_wrong_usage(
    sightline: Sightline, trained: Path, good: Path, words: list[str]
) -> None:
    assert sightline("inspect", trained, good, *words).returncode == 2
