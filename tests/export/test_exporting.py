"""Exports as real inference: each file is run by its own runtime and compared with the model, and judged before."""

import hashlib
import json
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from sightline.bundle import Bundle
from sightline.datasets.dataset import Dataset
from sightline.errors import OptionError, StoreError
from sightline.export import judgement, tensorrt
from sightline.export.exporting import ExportConfig, export
from sightline.export.fixed_size import fixed_size
from sightline.export.judgement import verdict_of
from sightline.export.litert import open_flat
from sightline.export.openvino_ir import score_of
from sightline.imaging.decode import read_frame
from sightline.inspector import Inspector
from sightline.models.convolutions import in_float, with_named_nodes
from sightline.models.detector import GraphDetector

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO, of the extra [edge], is not here")
needs_nncf = pytest.mark.skipif(find_spec("nncf") is None, reason="NNCF, of the extra [edge], is not here")
needs_litert = pytest.mark.skipif(find_spec("litert_torch") is None, reason="litert-torch, of [litert], is not here")
EVERYTHING = 0.99  # share of changed verdicts


def test_onnx_is_the_very_graph_and_its_report_names_it(shipped: Bundle, tmp_path: Path) -> None:
    output = tmp_path / "part.onnx"
    done = export(shipped, output, ExportConfig(format="onnx"), None)
    assert output.read_bytes() == shipped.graph
    report = json.loads((tmp_path / "part.onnx.json").read_text("utf-8"))
    assert report == json.loads(json.dumps(done.document))
    assert report["files"][""]["sha256"] == hashlib.sha256(shipped.graph).hexdigest()
    assert report["model_id"] == shipped.model_id
    assert report["thresholds"]["reject"] == shipped.manifest.thresholds.reject
    assert report["judged_on"] == "12 made-up pictures, as no --images were given"
    assert (report["judgement"]["changed"], report["judgement"]["largest_deviation"]) == (0, 0.0)


def test_judged_on_the_users_pictures_auroc_is_told(shipped: Bundle, rendered: Dataset, tmp_path: Path) -> None:
    done = export(shipped, tmp_path / "part.onnx", ExportConfig(format="onnx"), rendered)
    assert done.judgement.pictures == len(rendered.test)
    assert done.judgement.auroc_export == done.judgement.auroc_model is not None


def test_int8_quantises_the_inner_convolutions_only(floating: Bundle, rendered: Dataset, tmp_path: Path) -> None:
    before = with_named_nodes(onnx.load_model_from_string(floating.graph))
    chosen = in_float(before)
    assert [name.rpartition("_")[2] for name in chosen] == ["c"]
    output = tmp_path / "part.onnx"
    config = ExportConfig(format="onnx", int8=True, max_loss=EVERYTHING, calibrating=8)
    done = export(floating, output, config, rendered)
    model = onnx.load(output)
    integers = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT8]
    weights = [onnx.numpy_helper.to_array(tensor) for tensor in integers if len(tensor.dims) == 4]
    assert [weight.shape for weight in weights] == [(24, 12, 3, 3)]
    assert all(np.abs(weight).max() <= 64 for weight in weights), "weights of more than seven bits overflow"
    assert [entry.domain for entry in model.opset_import] == [""]
    assert done.document["calibrated_on"] == 8


def test_int8_in_a_session_gives_the_verdicts_that_were_judged(
    floating: Bundle, rendered: Dataset, tmp_path: Path
) -> None:
    output = tmp_path / "part.onnx"
    done = export(floating, output, ExportConfig(format="onnx", int8=True, max_loss=EVERYTHING), rendered)
    detector, inspector = GraphDetector(output.read_bytes(), 8), Inspector(floating)
    limits = floating.manifest.thresholds
    frames = [read_frame(sample.path) for sample in rendered.test]
    changed = [
        frame.source
        for frame in frames
        if verdict_of(detector.score(frame).score, limits) is not verdict_of(inspector.score(frame).score, limits)
    ]
    assert done.judgement.changed == len(changed)
    assert 0 < done.judgement.largest_deviation < 0.5


def test_a_loss_beyond_the_limit_is_refused_in_one_line_and_nothing_is_written(
    floating: Bundle, rendered: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement, "verdict_of", lambda score, thresholds: score)  # no two scores are the same
    with pytest.raises(OptionError, match=r"not written: .* verdicts change .* Raise --max-loss") as refused:
        export(floating, tmp_path / "part.onnx", ExportConfig(format="onnx", int8=True), rendered)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_in_8_bits_already_is_refused(shipped: Bundle, rendered: Dataset, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="compute in 8 bits already"):
        export(shipped, tmp_path / "part.onnx", ExportConfig(format="onnx", int8=True), rendered)
    assert list(tmp_path.iterdir()) == []


def test_int8_without_pictures_is_refused(floating: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="give --images"):
        export(floating, tmp_path / "part.onnx", ExportConfig(format="onnx", int8=True), None)


def test_a_place_that_cannot_be_written_is_told_before_any_work(shipped: Bundle, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Its folder does not exist"):
        export(shipped, tmp_path / "no" / "part.onnx", ExportConfig(format="onnx"), None)


@pytest.mark.parametrize("options", [{"max_loss": 1.0}, {"max_loss": -0.1}, {"calibrating": 0}], ids=str)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(options))} must be"):
        ExportConfig(format="onnx", **options)  # type: ignore[arg-type]  # that is the point


def test_tensorrt_without_a_gpu_is_told_with_its_cure(shipped: Bundle, tmp_path: Path) -> None:
    if tensorrt.PROVIDER in ort.get_available_providers():
        pytest.skip("there is TensorRT here")
    with pytest.raises(OptionError, match=r"needs an NVIDIA GPU .* Install onnxruntime-gpu"):
        export(shipped, tmp_path / "part.onnx", ExportConfig(format="tensorrt"), None)


def test_a_format_without_8_bits_is_told() -> None:
    with pytest.raises(OptionError, match="not for tensorrt; leave --int8 out"):
        ExportConfig(format="tensorrt", int8=True)


@pytest.mark.parametrize("kind", ["litert", "edgetpu"])
def test_a_search_for_patches_is_not_made_for_integers_throughout(
    kind: Literal["litert", "edgetpu"], floating: Bundle, rendered: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="8-bit LiteRT is for classifiers"):
        export(floating, tmp_path / "part.tflite", ExportConfig(format=kind, int8=True), rendered)
    assert list(tmp_path.iterdir()) == []


def test_the_edge_tpu_needs_pictures(floating: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="give --images"):
        export(floating, tmp_path / "part.tflite", ExportConfig(format="edgetpu"), None)


def test_openvino_needs_its_suffix(shipped: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"end the name in \.xml"):
        export(shipped, tmp_path / "part.onnx", ExportConfig(format="openvino"), None)


@pytest.mark.skipif(find_spec("openvino") is not None, reason="OpenVINO is here")
def test_a_library_that_is_not_installed_is_told_with_its_cure(shipped: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"needs openvino, which is not installed.* pip install 'sightline\[edge\]'"):
        export(shipped, tmp_path / "part.xml", ExportConfig(format="openvino"), None)


@needs_openvino
@pytest.mark.parametrize("name", ["shipped", "floating"])
def test_openvino_gives_every_verdict_of_the_model(
    name: str, rendered: Dataset, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bundle = request.getfixturevalue(name)
    output = tmp_path / "part.xml"
    export(bundle, output, ExportConfig(format="openvino"), rendered)
    assert {path.name for path in tmp_path.iterdir()} == {"part.xml", "part.bin", "part.xml.json"}
    score, inspector, limits = score_of(output, bundle), Inspector(bundle), bundle.manifest.thresholds
    for sample in rendered.test:
        frame = read_frame(sample.path)
        found, model = score(frame), inspector.score(frame)
        assert verdict_of(found.score, limits) is verdict_of(model.score, limits)
        assert found.values.shape == model.values.shape
    assert sys.modules["openvino_telemetry"] is None, "nothing may be reported over the network"


@needs_openvino
@needs_nncf
def test_openvino_in_8_bits_is_smaller_and_judged(floating: Bundle, rendered: Dataset, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of NNCF's own making
        config = ExportConfig(format="openvino", int8=True, max_loss=EVERYTHING, calibrating=8)
        done = export(floating, tmp_path / "part.xml", config, rendered)
    assert 0 < done.judgement.largest_deviation < 0.5
    assert "FakeQuantize" in (tmp_path / "part.xml").read_text("utf-8")


@needs_litert
@pytest.mark.filterwarnings("ignore")  # of the converter and what it loads
def test_litert_gives_every_verdict_of_the_model(shipped: Bundle, rendered: Dataset, tmp_path: Path) -> None:
    output = tmp_path / "part.tflite"
    export(shipped, output, ExportConfig(format="litert"), rendered)
    score = fixed_size(shipped, None, "a test").scorer(open_flat(output.read_bytes()))
    inspector, limits = Inspector(shipped), shipped.manifest.thresholds
    for sample in rendered.test:
        frame = read_frame(sample.path)
        assert verdict_of(score(frame).score, limits) is verdict_of(inspector.score(frame).score, limits)
