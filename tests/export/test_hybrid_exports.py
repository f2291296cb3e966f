"""A hybrid's export has both graphs: one finds, the other names, and together they say what the model says."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import pytest

from sightline.bundle import Bundle
from sightline.datasets.dataset import Dataset
from sightline.datasets.labelled import open_classes
from sightline.errors import OptionError
from sightline.export import region_names
from sightline.export.exporting import ExportConfig, export
from sightline.export.openvino_ir import score_of
from sightline.hybrid import train_hybrid
from sightline.imaging.decode import read_frame
from sightline.inspector import Inspector, find_defects
from sightline.models.class_config import LearningConfig
from sightline.name_rules import RegionRule
from sightline.records import AnomalyMap, FloatArray, Frame
from sightline.regions import cut_out
from sightline.supervised import ClassifierConfig
from sightline.training import TrainConfig

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO, of the extra [edge], is not here")
NAMING = ClassifierConfig(learning=LearningConfig(epochs=0), precision="fp32", review_confidence=None)


def write_picture(path: Path, label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.normal(120, 4, (96, 96)) + cv2.resize(rng.normal(0, 8, (6, 6)), (96, 96))
    y, x = (int(at) for at in rng.integers(16, 60, 2))
    if label == "spot":
        cv2.circle(pixels, (x + 8, y + 8), 8, 240.0, -1)
    if label == "scratch":
        cv2.line(pixels, (x, y), (x + 20, y + 14), 5.0, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes())


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("parts")
    for place, (label, count) in enumerate({"good": 20, "spot": 10, "scratch": 10}.items()):
        for number in range(count):
            write_picture(root / label / f"{number:02}.png", label, 100 * place + number)
    return open_classes(root)


@pytest.fixture(scope="module")
def hybrid(parts: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    output = tmp_path_factory.mktemp("model") / "part.sight"
    return train_hybrid(parts, output, TrainConfig(size=(96, 96), bank=200, max_overkill=0.05), NAMING).bundle


def called(frame: Frame, values: FloatArray, report: Path, names: Path) -> str:
    """The part's name by the export's files alone, as docs/edge.md tells it."""
    said = json.loads(report.read_text("utf-8"))
    rule = RegionRule(names_sha256="0" * 64, **{key: said["names"][key] for key in ("side_share", "least_px")})
    regions = find_defects(values, said["thresholds"]["reject"], frame.height, frame.width)
    if not regions:
        return "good"
    piece = cut_out(frame, regions[0].box, values, rule)
    session = ort.InferenceSession(names.read_bytes(), providers=["CPUExecutionProvider"])
    asked = ["probabilities", "similarities"]
    shares, alike = session.run(asked, {"image": piece.frame.pixels, "weights": piece.weights})
    if np.max(alike) < said["names"]["naming"]["least_similarity"]:
        return "anomaly"
    return str(said["names"]["naming"]["classes"][int(np.argmax(shares))]["name"])


def test_both_graphs_of_an_onnx_export_give_the_names_of_the_model(
    hybrid: Bundle, parts: Dataset, tmp_path: Path
) -> None:
    output = tmp_path / "part.onnx"
    done = export(hybrid, output, ExportConfig(format="onnx"), parts)
    assert {path.name for path in tmp_path.iterdir()} == {"part.onnx", "part.names.onnx", "part.onnx.json"}
    assert any("part.names.onnx".endswith(suffix) and suffix for suffix in done.document["files"])
    session = ort.InferenceSession(output.read_bytes(), providers=["CPUExecutionProvider"])
    inspector, found = Inspector(hybrid, threads=1), list[str | None]()
    for sample in parts.samples:
        frame = read_frame(sample.path)
        (values,) = session.run(["map"], {"image": frame.pixels})
        found.append(inspector.inspect(frame).named)
        assert called(frame, np.asarray(values), tmp_path / "part.onnx.json", tmp_path / "part.names.onnx") == found[-1]
    assert {"good", "spot", "scratch"} <= set(found)


@needs_openvino
def test_beside_openvino_the_names_graph_gives_the_names_of_the_model(
    hybrid: Bundle, parts: Dataset, tmp_path: Path
) -> None:
    output = tmp_path / "part.xml"
    export(hybrid, output, ExportConfig(format="openvino"), parts)
    assert (tmp_path / "part.names.onnx").exists()
    score, inspector = score_of(output, hybrid), Inspector(hybrid, threads=1)
    for sample in parts.samples:
        frame = read_frame(sample.path)
        found = called(frame, score(frame).values, tmp_path / "part.xml.json", tmp_path / "part.names.onnx")
        assert found == inspector.inspect(frame).named


def test_another_name_is_a_changed_verdict(
    hybrid: Bundle, parts: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count()

    def other(bundle: Bundle, thresholds: object) -> Callable[[Frame, AnomalyMap], str]:
        return lambda frame, found: str(next(numbers))  # no two names are the same

    monkeypatch.setattr(region_names, "namer", other)
    with pytest.raises(OptionError, match="40 of 40 verdicts change"):
        export(hybrid, tmp_path / "part.onnx", ExportConfig(format="onnx"), parts)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_names_exports_none(hybrid: Bundle, parts: Dataset, tmp_path: Path) -> None:
    alone = replace(hybrid, names=None, names_file=None)
    done = export(alone, tmp_path / "part.onnx", ExportConfig(format="onnx"), parts)
    assert done.document["names"] is None
    assert {path.name for path in tmp_path.iterdir()} == {"part.onnx", "part.onnx.json"}
