"""Boxes from the first picture to the last verdict: tiny pictures, trained once through the command line."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from tests.line.through_worker import judged

from sightline.bundle import load as load_bundle
from sightline.bundle import save
from sightline.cli.main import run
from sightline.datasets.boxed import open_boxed
from sightline.errors import BundleError, DatasetError, OptionError
from sightline.inspector import Inspector, load
from sightline.locating import LocatingConfig, train_boxes
from sightline.models.box_config import BoxLearningConfig
from sightline.records import Frame, Verdict
from sightline.teaching import teach

pytest.importorskip("torch")
SIDE = 64
NAMES = ("bright", "dark")


def picture(seed: int, boxes: int) -> tuple[NDArray[np.uint8], list[tuple[int, int, int, int, str]]]:
    """A grey texture with bright or dark squares, and where they lie."""
    rng = np.random.default_rng(seed)
    pixels = 120 + rng.normal(0, 6, (SIDE, SIDE))
    places = []
    for number in range(boxes):
        side = int(rng.integers(14, 22))
        x, y = (int(at) for at in rng.integers(1, SIDE - side - 1, 2))
        name = NAMES[(seed + number) % 2]
        pixels[y : y + side, x : x + side] += 90 if name == "bright" else -90
        places.append((x, y, side, side, name))
    return pixels.clip(0, 255).astype(np.uint8), places


def write_coco(folder: Path, counts: list[int]) -> Path:
    """A data set with so many boxes in each picture."""
    folder.mkdir(parents=True)
    images, annotations = list[dict[str, object]](), list[dict[str, object]]()
    for seed, count in enumerate(counts):
        pixels, places = picture(seed, count)
        assert cv2.imwrite(str(folder / f"{seed:03}.png"), pixels)
        images.append({"id": seed, "file_name": f"{seed:03}.png", "width": SIDE, "height": SIDE})
        for x, y, width, height, name in places:
            box = {"bbox": [x, y, width, height], "area": width * height, "iscrowd": 0}
            annotations.append(
                {"id": len(annotations) + 1, "image_id": seed, "category_id": NAMES.index(name) + 1, **box}
            )
    categories = [{"id": place + 1, "name": name} for place, name in enumerate(NAMES)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures with a box for each without any; one is crowded."""
    return write_coco(tmp_path_factory.mktemp("boxed") / "data", [*([1, 1, 2, 0] * 15), 40])


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "boxes.sight"
    options = ["--method", "detector", "--size", str(SIDE), "--epochs", "3", "--seed", "1", "--material", "metal", "-q"]
    assert run(["train", str(data), "-o", str(path), *options]) == 0
    return path


@pytest.fixture(scope="module")
def inspector(model: Path) -> Inspector:
    return load(model)


def test_a_large_defect_is_found_and_named_where_it_lies(inspector: Inspector) -> None:
    found, right = 0, 0
    for seed in range(200, 212):
        pixels, [(x, y, width, height, name)] = picture(seed, 1)
        defects = inspector.inspect(pixels).defects
        found += bool(defects)
        if defects:
            box = defects[0].box
            near = max(abs(box.x - x), abs(box.y - y), abs(box.width - width), abs(box.height - height)) <= 8
            right += near and defects[0].label == name
    assert (found, right) >= (10, 9)


def test_a_stations_worker_passes_on_what_is_found(model: Path, inspector: Inspector) -> None:
    frames = [Frame(pixels=picture(200, boxes)[0][..., None]) for boxes in (1, 0)]
    for frame, answer in zip(frames, judged(model, *frames), strict=True):
        here, there = inspector.inspect(frame), answer.inspection
        assert here.boxes is not None
        assert there is not None, answer.fault
        assert (there.verdict, there.named, there.defects) == (here.verdict, here.named, here.defects)


def test_what_is_found_lies_in_the_pictures_own_pixels(inspector: Inspector) -> None:
    pixels, _ = picture(200, 1)
    large = np.repeat(np.repeat(pixels, 2, axis=0), 3, axis=1)
    small, wide = inspector.inspect(pixels).defects[0], inspector.inspect(large).defects[0]
    assert (wide.label, wide.peak) == (small.label, wide.confidence)
    assert wide.box.x == pytest.approx(3 * small.box.x, abs=9)
    assert wide.box.height == pytest.approx(2 * small.box.height, abs=9)
    assert wide.area_px <= wide.box.width * wide.box.height


def test_what_is_found_is_json_and_reaches_the_limit(
    model: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["inspect", str(model), str(data / "000.png"), "--json", "-q"]) == 0
    [inspection] = json.loads(capsys.readouterr().out)["inspections"]
    assert "boxes" not in inspection
    assert inspection["verdict"] == "REJECT"
    assert {defect["label"] for defect in inspection["defects"]} <= set(NAMES)
    assert all(defect["confidence"] >= inspection["threshold"] for defect in inspection["defects"])


def test_a_bare_runtime_sees_the_same(inspector: Inspector) -> None:
    pixels, _ = picture(201, 2)
    session = onnxruntime.InferenceSession(inspector.bundle.graph, providers=["CPUExecutionProvider"])
    score, corners, confidences = session.run(["score", "boxes", "confidences"], {"image": pixels[:, :, None]})
    found = inspector.score(Frame(pixels=pixels[:, :, None]))
    assert found.boxes is not None
    assert float(score) == pytest.approx(found.score, abs=1e-6)
    np.testing.assert_allclose(corners, found.boxes.corners, atol=1e-3)
    np.testing.assert_allclose(confidences, found.boxes.confidences, atol=1e-6)


def test_evaluate_counts_boxes_and_writes_them_into_the_report(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["evaluate", str(model), str(data), "--json", "-q", "--report", str(tmp_path / "r.html")]) == 0
    figures = json.loads(capsys.readouterr().out)["boxes"]
    assert [one["name"] for one in figures["classes"]] == list(NAMES)
    assert sum(one["boxes"] for one in figures["classes"]) == 100
    assert figures["map50"] > 0.4
    assert "Mean average precision" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_model_says_its_classes(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(model)]) == 0
    said = capsys.readouterr().out
    assert "labelled pictures" in said
    assert "bright" in said


def test_a_class_limit_of_its_own_rejects_below_the_models(model: Path, tmp_path: Path) -> None:
    bundle, (pixels, _) = load_bundle(model), picture(200, 1)
    sure = load(model).inspect(pixels).defects[0]
    assert bundle.manifest.locating is not None
    strict = replace(bundle.manifest.thresholds, reject=2.0)
    rules = tuple(replace(rule, threshold=0.01) for rule in bundle.manifest.locating.classes)
    path = tmp_path / "strict.sight"
    save(path, bundle.graph, replace(bundle.manifest, thresholds=strict))
    assert load(path).inspect(pixels).verdict is Verdict.PASS
    locating = replace(bundle.manifest.locating, classes=rules)
    save(path, bundle.graph, replace(bundle.manifest, thresholds=strict, locating=locating))
    found = load(path).inspect(pixels)
    assert (found.verdict, found.defects[0].label) == (Verdict.REJECT, sure.label)


def test_good_pictures_set_a_threshold_where_none_was_learnt_from(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, path = load_bundle(model), tmp_path / "no-good.sight"
    calibration = replace(bundle.manifest.calibration, good_scores=())
    save(path, bundle.graph, replace(bundle.manifest, calibration=calibration))
    asked = ["calibrate", str(path), "--max-overkill", "0.2", "-q", "--json"]
    assert run(asked) == 1
    capsys.readouterr()
    assert run([*asked, str(data)]) == 0
    guarantee = json.loads(capsys.readouterr().out)["reject"]["guarantee"]
    assert guarantee["images"] == 15
    assert guarantee["rate"] <= 0.2


@pytest.mark.parametrize("words", [("--to", "openvino"), ("--to", "onnx", "--int8")], ids=" ".join)
def test_an_export_that_could_spoil_the_boxes_is_refused(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert run(["export", str(model), *words, "--images", str(data), "-o", str(tmp_path / "boxes.xml"), "-q"]) == 1
    assert "finds them as boxes" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_fails_is_a_fault(model: Path, tmp_path: Path) -> None:
    bundle = load_bundle(model)
    broken = onnx.load_model_from_string(bundle.graph)
    weights = max(broken.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = np.frombuffer(weights.raw_data, np.float32).copy()
    values[7] = np.nan
    weights.raw_data = values.tobytes()
    inspector = Inspector(replace(bundle, graph=broken.SerializeToString()))
    assert inspector.inspect(picture(200, 1)[0]).verdict is Verdict.FAULT


def test_the_manifest_and_the_graph_must_agree(model: Path, tmp_path: Path) -> None:
    bundle = load_bundle(model)
    with pytest.raises(BundleError, match="outputs"):
        save(tmp_path / "x.sight", bundle.graph, replace(bundle.manifest, locating=None))
    with pytest.raises(BundleError, match="labels after the first"):
        replace(bundle.manifest, labels=("good", "bright"))


def test_it_cannot_be_taught(model: Path, data: Path, tmp_path: Path) -> None:
    pictures = [data / f"{seed:03}.png" for seed in range(5)]
    with pytest.raises(OptionError):
        teach(load_bundle(model), "dent", pictures, tmp_path / "x.sight")


def test_an_interrupted_training_goes_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.models.box_training._LEAST_STEPS", 1)  # of an epoch

    class StoppedError(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "learning boxes" and done > total / 2:
            raise StoppedError

    config = LocatingConfig(size=(32, 32), learning=BoxLearningConfig(epochs=2, seed=3))
    found = open_boxed(data)
    with pytest.raises(StoppedError):
        train_boxes(found, tmp_path / "a.sight", config, stop)
    assert (tmp_path / "a.sight.checkpoint").exists()
    resumed = train_boxes(found, tmp_path / "a.sight", config)
    whole = train_boxes(found, tmp_path / "b.sight", config)
    assert resumed.bundle.manifest.graph_sha256 == whole.bundle.manifest.graph_sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.sight", "b.sight"]


def test_data_without_a_place_are_refused(tmp_path: Path) -> None:
    for place, label in enumerate(("good", "bent")):
        for number in range(5):
            path = tmp_path / label / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            assert cv2.imwrite(str(path), picture(10 * place + number, 0)[0])
    with pytest.raises(DatasetError, match="no picture says where its defect is"):
        open_boxed(tmp_path)


def test_too_few_boxes_are_refused(tmp_path: Path) -> None:
    found = open_boxed(write_coco(tmp_path / "few", [1, 0, 0, 0]))
    with pytest.raises(DatasetError, match=r"too few pictures with boxes of bright \(1\)"):
        train_boxes(found, tmp_path / "x.sight", LocatingConfig(size=(SIDE, SIDE)))


def test_a_recall_of_a_class_that_is_not_there_is_refused(data: Path, tmp_path: Path) -> None:
    config = LocatingConfig(size=(SIDE, SIDE), min_recall={"dent": 0.9})
    with pytest.raises(OptionError, match="no defect class 'dent'"):
        train_boxes(open_boxed(data), tmp_path / "x.sight", config)


def test_options_without_effect_are_refused(data: Path, tmp_path: Path) -> None:
    given = ["train", str(data), "-o", str(tmp_path / "x.sight"), "--method", "detector", "--network", "resnet50"]
    assert run(given) == 2
