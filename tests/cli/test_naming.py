"""Names on the command line: train a classifier, look at it, judge, measure, calibrate."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from sightline.cli.main import cli

OPTIONS = ("--method", "classifier", "--size", "32", "--epochs", "0", "--quiet")


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)


def document(*words: object) -> dict[str, object]:
    done = run(*words, "--json")
    assert done.exception is None, done.exception
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good and spot, 10 pictures each."""
    root = tmp_path_factory.mktemp("named") / "parts"
    for place, label in enumerate(("good", "spot")):
        (root / label).mkdir(parents=True)
        for number in range(10):
            rng = np.random.default_rng((place, number))
            pixels = rng.normal(120, 12, (32, 32)) + cv2.resize(rng.normal(0, 20, (4, 4)), (32, 32))
            if label == "spot":
                y, x = rng.integers(4, 20, 2)
                pixels[y : y + 8, x : x + 8] += 90
            encoded = cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1]
            (root / label / f"{number}.png").write_bytes(encoded.tobytes())
    return root


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    path = folder.parent / "names.sight"
    done = run("train", folder, "-o", path, *OPTIONS, "--min-recall", "spot=0.9")
    assert done.exception is None, done.exception
    assert "labelled pictures" in done.stdout
    assert "not passed from p" in done.stdout
    assert "REVIEW where the name is less probable than 0.5" in done.stdout
    assert "proves a recall of" in done.stdout
    return path


def test_info_shows_the_classes(model: Path) -> None:
    assert "pictures; not passed from p" in run("info", model).stdout
    naming = document("info", model)["naming"]
    assert isinstance(naming, dict)
    assert [one["name"] for one in naming["classes"]] == ["good", "spot"]


def test_inspect_gives_the_probabilities_and_the_name(model: Path, folder: Path, tmp_path: Path) -> None:
    found = document("inspect", model, folder / "spot" / "0.png", "--overlay", tmp_path / "o")["inspections"]
    assert isinstance(found, list)
    assert set(found[0]["probabilities"]) == {"good", "spot"}
    assert found[0]["defects"][0]["label"] == "spot"
    assert list((tmp_path / "o").iterdir())
    assert "  spot " in run("inspect", model, folder / "spot" / "0.png").stdout


def test_evaluate_gives_figures_of_each_class_and_draws_them(model: Path, folder: Path, tmp_path: Path) -> None:
    done = run("evaluate", model, folder, "--report", tmp_path / "r.html", "--quiet")
    assert "macro F1" in done.stdout
    assert "precision" in done.stdout
    assert "What the model names" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_calibrate_sets_a_classs_threshold(model: Path, folder: Path, tmp_path: Path) -> None:
    found = document("calibrate", model, folder, "--min-recall", "spot=0.8", "-o", tmp_path / "m.sight", "--quiet")
    classes = found["classes"]
    assert isinstance(classes, list)
    assert classes[1]["recall"]["count"] >= 8
    assert classes[1]["recall"]["total"] == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--min-recall", "spt=0.8"), "does not name a defect 'spt'; it names spot"),
        (("--min-recall", "spot=0.99", "--guaranteed"), "10 examples of spot cannot guarantee a recall of 99 %"),
        (("--min-recall", "spot=0.9", "--min-recall", "0.8"), "give the recalls of classes alone"),
    ],
)
def test_calibrate_says_what_cannot_be(
    model: Path, folder: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = run("calibrate", model, folder, *words, "-o", tmp_path / "m.sight", "--quiet")
    assert said in str(done.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "patchcore", "--material", "metal"), "--material has no effect with --method patchcore"),
        (("--method", "classifier", "--bank", "50"), "--bank has no effect with --method classifier"),
        (("--method", "segmenter", "--precision", "fp32"), "--precision has no effect with --method segmenter"),
        (("--method", "detector", "--precision", "fp32"), "--precision has no effect with --method detector"),
        (("--method", "detector", "--mm-per-px", "0.1"), "--mm-per-px has no effect with --method detector"),
        (
            ("--method", "detector", "--critical-zone", "0,0,1,1"),
            "--critical-zone has no effect with --method detector",
        ),
        (("--steps", "5"), "--steps has no effect with --method patchcore"),
        (("--method", "padim", "--steps", "5"), "--steps has no effect with --method padim"),
        (("--method", "padim", "--bank", "50"), "--bank has no effect with --method padim"),
        (("--method", "padim", "--no-position-prior"), "--position-prior has no effect with --method padim"),
        (("--method", "stfpm", "--bank", "50"), "--bank has no effect with --method stfpm"),
    ],
)
def test_options_of_the_other_kind_of_method_are_refused(
    folder: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in str(run("train", folder, "-o", tmp_path / "m.sight", *words).exception)


def test_time_that_nothing_takes_is_told(folder: Path, tmp_path: Path) -> None:
    done = run("train", folder, "-o", tmp_path / "m.sight", *OPTIONS[:4], "--epochs", "5", "--quiet")
    assert done.stderr == (
        "sightline: note: --epochs has no effect unless pictures of defects have masks, or --unfreeze lets the network "
        "learn\n"
    )


def test_bench_and_export_take_a_model_that_names(model: Path, tmp_path: Path) -> None:
    assert run("export", model, "--to", "onnx", "-o", tmp_path / "m.onnx").exception is None
    assert (tmp_path / "m.onnx").exists()
