"""Rendered parts, and small models of them: by the shipped backbone, and by one in float."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline.bundle import Bundle, load
from sightline.datasets.dataset import Dataset
from sightline.datasets.opening import open_dataset
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig, train


def float_backbone() -> onnx.ModelProto:
    """Three convolutions in a row, all in float; only the middle one is neither first nor last."""
    rng = np.random.default_rng(2)
    shapes = {"w0": (12, 3, 4, 4), "w1": (24, 12, 3, 3), "w2": (24, 24, 3, 3)}
    weights = [
        numpy_helper.from_array(rng.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], strides=[4, 4]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "w2"], ["e"], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["e"], ["f"]),
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    output = helper.make_tensor_value_info("f", TensorProto.FLOAT, ["n", 24, "p", "q"])
    graph = helper.make_graph(nodes, "float", [image], [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """12 good parts to train with; 6 good and 7 defective ones to test."""
    folder = tmp_path_factory.mktemp("rendered") / "parts"
    write_dataset(folder, PartConfig(size=96), Counts(good_train=12, good_test=6, per_defect=1))
    return open_dataset(folder)


def _trained(rendered: Dataset, path: Path, backbone: Path | None = None) -> Bundle:
    train(rendered, path, TrainConfig(size=(64, 80), bank=100, backbone=backbone))
    return load(path)


@pytest.fixture(scope="session")
def shipped(rendered: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """By the backbone that ships, which computes in 8 bits."""
    return _trained(rendered, tmp_path_factory.mktemp("models") / "shipped.sight")


@pytest.fixture(scope="session")
def floating(rendered: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """By a backbone in float."""
    folder = tmp_path_factory.mktemp("models")
    onnx.save(float_backbone(), folder / "float.onnx")
    return _trained(rendered, folder / "floating.sight", folder / "float.onnx")
