"""Classifiers in other arithmetic and other runtimes: the same names, judged before they are written."""

import io
from contextlib import redirect_stdout
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from sightline.bundle import Bundle
from sightline.datasets.dataset import Dataset
from sightline.datasets.labelled import open_classes
from sightline.errors import OptionError
from sightline.export.class_network import class_network
from sightline.export.edge_tpu import operators, refusal
from sightline.export.exporting import ExportConfig, export
from sightline.export.fixed_size import fixed_size
from sightline.export.litert import open_flat
from sightline.imaging.decode import read_frame
from sightline.inspector import Inspector
from sightline.models.class_config import LearningConfig
from sightline.models.convolutions import HEAD
from sightline.models.graph import open_session
from sightline.name_rules import TaughtClass
from sightline.supervised import ClassifierConfig, train_classifier

needs_litert = pytest.mark.skipif(find_spec("litert_torch") is None, reason="litert-torch, of [litert], is not here")
CONFIG = ClassifierConfig(size=(32, 32), learning=LearningConfig(epochs=0), review_confidence=None)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("classes")
    for place, label in enumerate(("good", "spot", "stripes")):
        (root / label).mkdir()
        for number in range(10):
            rng = np.random.default_rng(100 * place + number)
            pixels = rng.normal(120, 12, (64, 64)) + cv2.resize(rng.normal(0, 20, (4, 4)), (64, 64))
            y, x = rng.integers(8, 40, 2)
            pixels[y : y + 16, x : x + 16] += 90 if label == "spot" else 0
            pixels[:, ::8] -= 60 if label == "stripes" else 0
            written = cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes()
            (root / label / f"{number:02}.png").write_bytes(written)
    return open_classes(root)


@pytest.fixture(scope="module")
def plain(classes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    output = tmp_path_factory.mktemp("model") / "names.sight"
    return train_classifier(classes, output, replace(CONFIG, precision="fp32")).bundle


@pytest.fixture(scope="module")
def integers(classes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return train_classifier(classes, tmp_path_factory.mktemp("model") / "names.sight", CONFIG).bundle


def test_training_takes_8_bits_by_itself_and_the_file_is_a_third(integers: Bundle, plain: Bundle) -> None:
    assert integers.manifest.provenance.config["precision"] == "int8"
    assert plain.manifest.provenance.config["precision"] == "fp32"
    assert len(integers.graph) < len(plain.graph) / 3


def test_the_head_stays_in_float(integers: Bundle) -> None:
    graph = onnx.load_model_from_string(integers.graph).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    heads = [name for name in kinds if name.startswith(HEAD)]
    assert len(heads) == 5
    assert {kinds[name] for name in heads} == {onnx.TensorProto.FLOAT}


def test_both_arithmetics_give_the_same_names(integers: Bundle, plain: Bundle, classes: Dataset) -> None:
    whole, ours = Inspector(integers, threads=1), Inspector(plain, threads=1)
    for sample in classes.samples:
        frame = read_frame(sample.path)
        found, expected = whole.score(frame).probabilities, ours.score(frame).probabilities
        assert found is not None
        assert expected is not None
        np.testing.assert_allclose(found, expected, atol=0.1)
        assert found.argmax() == expected.argmax()


def test_8_bit_onnx_of_a_float_classifier_is_judged_by_its_names(
    plain: Bundle, classes: Dataset, tmp_path: Path
) -> None:
    config = ExportConfig(format="onnx", int8=True, calibrating=8, max_loss=0.1)
    done = export(plain, tmp_path / "names.onnx", config, classes)
    assert done.judgement.macro_f1_export == done.judgement.macro_f1_model == 1
    assert done.document["judgement"]["macro_f1_export"] == 1
    assert done.document["calibrated_on"] == 8


def test_a_classifier_in_8_bits_already_is_refused(integers: Bundle, classes: Dataset, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="compute in 8 bits already"):
        export(integers, tmp_path / "names.onnx", ExportConfig(format="onnx", int8=True), classes)


@pytest.mark.parametrize("name", ["plain", "integers"])
def test_probabilities_alone_are_those_of_the_whole_graph(
    name: str, classes: Dataset, request: pytest.FixtureRequest
) -> None:
    bundle: Bundle = request.getfixturevalue(name)
    cut = fixed_size(bundle, None, "a test")
    model = class_network(bundle, cut)
    assert not {"QuantizeLinear", "ArgMax", "Equal"} & {node.op_type for node in model.graph.node}
    session, prepared, inspector = open_session(model, threads=1), cut.frames(), Inspector(bundle, threads=1)
    tolerance = 0.1 if name == "integers" else 1e-4
    for sample in classes.samples[::3]:
        frame = read_frame(sample.path)
        found, expected = session.run(None, {"image": prepared(frame)})[0][0], inspector.score(frame).probabilities
        assert expected is not None
        np.testing.assert_allclose(found, expected, atol=tolerance)


def test_taught_classes_need_similarities_and_are_refused(plain: Bundle) -> None:
    naming = plain.manifest.naming
    assert naming is not None
    taught = replace(naming, taught=(TaughtClass(name="bent", examples=5, similarity=0.5),))
    labels = (*plain.manifest.labels, "bent")
    changed = replace(plain, manifest=replace(plain.manifest, naming=taught, labels=labels))
    with pytest.raises(OptionError, match="export it to onnx"):
        class_network(changed, fixed_size(plain, None, "a test"))


@needs_litert
@pytest.mark.filterwarnings("ignore")  # of the converter and what it loads
def test_the_edge_tpus_file_is_integers_throughout(integers: Bundle, classes: Dataset, tmp_path: Path) -> None:
    output = tmp_path / "names.tflite"
    with redirect_stdout(io.StringIO()):
        config = ExportConfig(format="edgetpu", calibrating=16, max_loss=0.1)
        done = export(integers, output, config, classes)
    content = output.read_bytes()
    assert {refusal(one) for one in operators(content)} == {None}
    assert done.judgement.macro_f1_export == 1
    assert any("all" in note and "operators" in note for note in done.artifact.notes)
    assert any("unproven" in note for note in done.artifact.notes)
    naming = integers.manifest.naming
    assert naming is not None
    score = fixed_size(integers, None, "a test").scorer(open_flat(content, naming.names))
    found = score(read_frame(classes.samples[0].path))
    assert found.probabilities is not None
    assert found.probabilities.sum() == pytest.approx(1, abs=0.02)
