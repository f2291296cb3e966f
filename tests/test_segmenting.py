"""From pictures with masks to a model that outlines defects, through the one file, the inspector and the commands."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.line.through_worker import judged

from sightline.cli.evaluate import evaluate_model
from sightline.cli.main import cli
from sightline.datasets.annotations import Annotation, Rectangle
from sightline.datasets.segmented import open_segmented
from sightline.errors import DatasetError, OptionError
from sightline.evaluation.run import Outlines
from sightline.imaging.decode import read_frame
from sightline.inspector import Inspector, load
from sightline.models import segment_training
from sightline.models.segment_config import SegmentConfig
from sightline.records import Verdict
from sightline.segmenting import SegmenterConfig, train_segmenter
from sightline.training import Trained

CONFIG = SegmenterConfig(size=(64, 64), learning=SegmentConfig(epochs=4), mm_per_px=0.1)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten good pictures, ten with a bright square, ten with a dark bar, and their masks."""
    root = tmp_path_factory.mktemp("data") / "tiles"
    rng = np.random.default_rng(0)
    for number in range(10):
        for label in ("good", "bar", "square"):
            pixels, mask = rng.normal(120, 8, (64, 72)), np.zeros((64, 72))
            y, x = rng.integers(8, 36, 2)
            if label == "square":
                mask[y : y + 18, x : x + 18] = 255
                pixels[mask > 0] += 90
            if label == "bar":
                mask[y : y + 8, x : x + 28] = 255
                pixels[mask > 0] -= 90
            write(root / "test" / label / f"{number:02}.png", pixels)
            if label != "good":
                write(root / "ground_truth" / label / f"{number:02}_mask.png", mask)
    return root


@pytest.fixture(scope="module")
def trained(folder: Path) -> Trained:
    return train_segmenter(open_segmented(folder), folder.parent / "outlines.sight", CONFIG)


@pytest.fixture(scope="module")
def inspector(trained: Trained) -> Inspector:
    return load(trained.bundle.path, threads=1)


def test_it_outlines_a_defect_and_says_what_it_is_and_how_bad(inspector: Inspector, folder: Path) -> None:
    found = inspector.inspect(folder / "test" / "square" / "00.png")
    assert found.verdict is Verdict.REJECT
    assert found.named == "square"
    first = max(found.defects, key=lambda one: one.area_px)
    assert first.label == "square"
    assert first.area_px == pytest.approx(18 * 18, rel=0.4)
    assert first.area_mm2 == pytest.approx(first.area_px * 0.01)
    assert first.severity is not None
    assert 0 < first.severity <= 1
    assert found.segments is not None
    assert found.segments.shape == (64, 72)


def test_a_part_that_passes_has_no_defect(inspector: Inspector, folder: Path) -> None:
    for path in sorted((folder / "test" / "good").iterdir()):
        found = inspector.inspect(path)
        if found.verdict is Verdict.PASS:
            assert (found.defects, found.named, found.segments) == ((), "good", None)


def test_a_stations_worker_passes_on_what_it_finds(trained: Trained, inspector: Inspector, folder: Path) -> None:
    frames = [read_frame(folder / "test" / label / "00.png") for label in ("square", "good", "bar")]
    assert inspector.inspect(frames[0]).segments is not None
    for frame, answer in zip(frames, judged(trained.bundle.path, *frames), strict=True):
        here, there = inspector.inspect(frame), answer.inspection
        assert there is not None, answer.fault
        assert (there.verdict, there.named, there.defects) == (here.verdict, here.named, here.defects)


def test_what_it_outlines_is_measured_against_the_masks(inspector: Inspector, folder: Path) -> None:
    truth = open_segmented(folder)
    outlines = Outlines(truth=truth, names=inspector.manifest.labels[1:])
    overlap = evaluate_model(inspector, truth.dataset, outlines=outlines).overlap
    assert overlap is not None
    assert overlap.pooled.iou is not None
    assert overlap.pooled.iou > 0.4
    assert [one.name for one in overlap.classes] == ["bar", "square"]


def test_an_interrupted_training_goes_on_and_ends_as_an_uninterrupted_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_training, "_FEWEST", 32)
    config = replace(CONFIG, learning=SegmentConfig(epochs=2))
    trained = train_segmenter(open_segmented(folder), tmp_path / "once.sight", config)
    output, run_epoch = tmp_path / "again.sight", segment_training._run_epoch

    def broken(*arguments: object) -> None:
        if arguments[3].epoch == 1:  # type: ignore[attr-defined]  # where the training stands
            raise KeyboardInterrupt
        run_epoch(*arguments)  # type: ignore[arg-type]  # the same as it was given

    monkeypatch.setattr(segment_training, "_run_epoch", broken)
    with pytest.raises(KeyboardInterrupt):
        train_segmenter(open_segmented(folder), output, config)
    assert output.with_name("again.sight.checkpoint").exists()
    monkeypatch.setattr(segment_training, "_run_epoch", run_epoch)
    again = train_segmenter(open_segmented(folder), output, config)
    assert again.bundle.model_id == trained.bundle.model_id
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.sight", "once.sight"]


def test_masks_are_what_it_takes(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train" / "good").mkdir(parents=True)
    (tmp_path / "test").symlink_to(folder / "test")
    with pytest.raises(DatasetError, match="no picture of a defect has a mask or an outline"):
        open_segmented(tmp_path)


def test_where_outlines_overlap_the_smaller_one_is_seen(folder: Path) -> None:
    found = open_segmented(folder)
    sample = replace(found.dataset.samples[0], label="bar", mask=None)
    large, small = (Rectangle(left=0, top=0, right=side, bottom=side) for side in (8.0, 2.0))
    drawn = (Annotation(label="bar", geometry=small), Annotation(label="hole", geometry=large))
    classes = replace(found, drawn={sample.path: drawn}).classes_of(sample, ("bar", "square"), 10, 10)
    assert (classes[0, 0], classes[5, 5], classes[9, 9]) == (1, 3, 0)  # a hole is none of the classes, but a defect


def test_an_overkill_rate_and_a_recall_are_two_thresholds() -> None:
    with pytest.raises(OptionError, match="leave one out"):
        SegmenterConfig(max_overkill=0.01, min_recall={"all": 0.9})


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)


def document(*words: object) -> dict[str, object]:
    done = run(*words, "--json")
    assert done.exception is None, done.exception
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_commands_train_show_judge_and_export_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_training, "_FEWEST", 64)
    model = tmp_path / "plain.sight"
    options = ("--method", "segmenter", "--network", "unet", "--size", "64", "--epochs", "1", "--quiet")
    told = run("train", folder, "-o", model, *options, "--critical-zone", "0,0,0.5,1=0.8", "--min-recall", "0.8")
    assert told.exception is None, told.exception
    assert "outlines   bar, square" in told.stdout
    segments = document("info", model)["segments"]
    assert isinstance(segments, dict)
    assert segments["zones"] == [{"x": 0.0, "y": 0.0, "width": 0.5, "height": 1.0, "weight": 0.8}]
    assert segments["mm_per_px"] is None
    evaluation = document("evaluate", model, folder, "--quiet", "--report", tmp_path / "report.html")
    overlap = evaluation["overlap"]
    assert isinstance(overlap, dict)
    assert {"pooled", "mean_iou", "picture_iou", "classes", "instances"} <= set(overlap)
    assert "How well outlines fit" in (tmp_path / "report.html").read_text("utf-8")
    exported = run("export", model, "--to", "onnx", "-o", tmp_path / "plain.onnx")
    assert exported.exception is None, exported.exception
    refused = run("export", model, "--to", "onnx", "--int8", "--images", folder, "-o", tmp_path / "small.onnx")
    assert "outlines defects" in str(refused.exception)


def test_findings_and_overlays_come_from_inspect(trained: Trained, folder: Path, tmp_path: Path) -> None:
    picture = folder / "test" / "square" / "00.png"
    found = document(
        "inspect", trained.bundle.path, picture, "--overlay", tmp_path, "--masks", tmp_path / "masks", "--quiet"
    )
    inspections = found["inspections"]
    assert isinstance(inspections, list)
    assert inspections[0]["named"] == "square"
    assert {"label", "confidence", "area_px", "area_mm2", "severity", "box"} <= set(inspections[0]["defects"][0])
    assert (tmp_path / "00.png").is_file()
    classes = cv2.imread(str(tmp_path / "masks" / "00.png"), cv2.IMREAD_UNCHANGED)
    assert classes is not None
    assert classes.shape == (64, 72)
    assert trained.bundle.manifest.labels.index("square") in np.unique(classes)
    assert "severity" in run("inspect", trained.bundle.path, picture, "--quiet").stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(("--unfreeze", "all"), "--unfreeze has no effect", id="classifier's option"),
        pytest.param(("--network", "resnet50"), "no network of a segmenter", id="network"),
        pytest.param(("--critical-zone", "0,0,2,1"), "is not a zone", id="zone"),
    ],
)
def test_options_that_do_not_apply_are_refused(
    folder: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done = run("train", folder, "-o", tmp_path / "x.sight", "--method", "segmenter", *options)
    assert said in str(done.exception)


def test_it_is_neither_taught_nor_extended(trained: Trained, folder: Path, tmp_path: Path) -> None:
    examples = sorted((folder / "test" / "bar").iterdir())
    taught = run("teach", trained.bundle.path, "--class", "new", *examples, "-o", tmp_path / "x.sight")
    assert "gives no names" in str(taught.exception)
    good = folder / "test" / "good"
    extended = run("train", good, "-o", tmp_path / "x.sight", "--extend", trained.bundle.path)
    assert "only patchcore can be extended" in str(extended.exception)
