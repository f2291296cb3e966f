"""A backbone small enough to know by heart, and frames of a part that hardly varies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy import ndimage

from sightline.models.backbone import Backbone, load_backbone
from sightline.records import Frame

MakeNetwork = Callable[..., onnx.ModelProto]


def patch_network(strides: tuple[int, ...] = (8, 16), *, opset: int = 18, channels: int = 12) -> onnx.ModelProto:
    """Per stride one convolution as wide as its step: a cell sees its own pixels and nothing else."""
    rng = np.random.default_rng(1)
    nodes, weights, outputs = [], [], []
    for index, stride in enumerate(strides):
        kernel = rng.normal(0, 1 / stride, (channels + index, 3, stride, stride)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{index}"))
        nodes.append(helper.make_node("Conv", ["x", f"w{index}"], [f"y{index}"], strides=[stride, stride]))
        nodes.append(helper.make_node("Tanh", [f"y{index}"], [f"f{index}"]))
        outputs.append(helper.make_tensor_value_info(f"f{index}", TensorProto.FLOAT, ["n", "c", f"h{index}", "w"]))
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    graph = helper.make_graph(nodes, "patches", [image], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def make_part(seed: int, height: int = 90, width: int = 120) -> Frame:
    """A ribbed RGB surface; the seed sets the noise and a little of the brightness."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    ribs = 120 + 40 * np.sin(x / 7) * np.cos(y / 9) + rng.normal(0, 3)
    pixels = ribs[:, :, None] * [1, 0.9, 0.8] + rng.normal(0, 4, (height, width, 3))
    return Frame(pixels=pixels.clip(0, 255).astype(np.uint8), source=f"part {seed}")


@pytest.fixture(scope="session")
def network() -> MakeNetwork:
    return patch_network


@pytest.fixture(scope="session")
def patchy(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """A foreign backbone of strides 8 and 16 in which each cell sees its own pixels only."""
    path = tmp_path_factory.mktemp("backbone") / "patchy.onnx"
    onnx.save(patch_network(), path)
    return load_backbone(path)


@pytest.fixture(scope="session")
def shipped() -> Backbone:
    return load_backbone()


@pytest.fixture(scope="session")
def part() -> Callable[..., Frame]:
    return make_part


@pytest.fixture(scope="session")
def parts() -> list[Frame]:
    return [make_part(seed) for seed in range(12)]


@pytest.fixture(scope="session")
def scratched() -> Frame:
    """A good part but for a bright square at x 72..88, y 24..40."""
    pixels = make_part(100).pixels.copy()
    pixels[24:40, 72:88] = 250
    return Frame(pixels=pixels, source="scratched")


@pytest.fixture(scope="session")
def map_in_float64() -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """From (rows, columns) distances to the map at stride 8: a Gaussian of half a cell, then linear interpolation."""

    def make(distances: NDArray[Any]) -> NDArray[np.float64]:
        line = np.exp(-0.5 * (np.arange(-2, 3) / 0.5) ** 2)
        kernel = np.outer(line, line) / line.sum() ** 2
        smooth = ndimage.correlate(distances.astype(np.float64), kernel, mode="nearest")
        rows, columns = smooth.shape
        return np.asarray(cv2.resize(smooth, (8 * columns, 8 * rows), interpolation=cv2.INTER_LINEAR))

    return make


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    def save(model: onnx.ModelProto) -> Path:
        path = tmp_path / "foreign.onnx"
        onnx.save(model, path)
        return path

    return save
