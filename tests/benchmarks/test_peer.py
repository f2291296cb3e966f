"""PatchCore as published, on a network small enough to work out by hand."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import peer
from sightline.models.detector import GraphDetector
from sightline.models.graph import GraphBuilder
from sightline.records import FloatArray, Frame


def network() -> onnx.ModelProto:
    """The mean brightness of each cell, at strides 8 and 16."""
    builder = GraphBuilder()
    for stride in (8, 16):
        pooled = builder.node("AveragePool", ["rgb"], {"kernel_shape": [stride, stride], "strides": [stride, stride]})
        builder.rename(builder.node("ReduceMean", [pooled, builder.int64(1)]), f"stride{stride}")
    outputs = [(f"stride{stride}", (1, 1, "h", "w")) for stride in (8, 16)]
    return builder.build([("rgb", TensorProto.FLOAT, (1, 3, "h", "w"))], outputs)


def frame(value: int) -> Frame:
    return Frame(pixels=np.full((64, 96, 1), value, np.uint8))


def deep(value: int) -> Frame:
    return Frame(pixels=np.full((64, 96, 1), value, np.uint16), bit_depth=16)


def test_the_score_is_the_largest_distance_to_the_nearest_of_the_bank() -> None:
    bank: FloatArray = np.array([[0.0, 0.0], [1.0, 1.0]], np.float32)
    detector = GraphDetector(peer.graph(network(), bank).SerializeToString(), 8)
    anomaly = detector.score(frame(51))  # 0.2 inside; corners lose 5 of 9 neighbours to the zeros beyond the edge
    assert anomaly.score == pytest.approx(0.2 * 2**0.5, rel=1e-5)
    assert anomaly.values.shape == (256, 256)
    assert anomaly.values[128, 128] == pytest.approx(0.2 * 2**0.5, rel=1e-5)
    assert anomaly.values[0, 0] < 0.2


def test_the_score_is_that_of_the_patch_and_the_map_is_smoothed() -> None:
    distances = np.zeros((32, 32), np.float32)
    distances[10, 20] = 3
    score, values = peer.answers(distances)
    assert score == 3
    peak = np.unravel_index(values.argmax(), values.shape)
    assert abs(peak[0] - 83.5) < 1
    assert abs(peak[1] - 163.5) < 1
    assert 0.5 < values.max() < 3
    assert values.sum() == pytest.approx(3 * 64, rel=1e-3)  # a cell is 8 x 8 pixels; smoothing keeps the sum


def test_a_bank_of_all_patches_knows_every_training_picture(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "teacher.onnx")
    graph = peer.fit([frame(40), frame(200)], tmp_path / "teacher.onnx", fraction=1.0)
    detector = GraphDetector(graph.SerializeToString(), 8)
    assert detector.score(frame(200)).score == pytest.approx(0, abs=1e-3)
    assert detector.score(frame(120)).score > 0.1


def test_the_bank_is_the_share_of_all_patches_and_keeps_full_features(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "teacher.onnx")
    graph = peer.fit([frame(40), frame(200)], tmp_path / "teacher.onnx", fraction=0.01, seed=1)
    assert [2, round(0.01 * 2 * peer.CELLS)] in [list(tensor.dims) for tensor in graph.graph.initializer]


def test_deep_pictures_are_scaled_by_the_bits_they_use(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "teacher.onnx")
    graph = peer.fit([deep(4095)], tmp_path / "teacher.onnx", fraction=1.0)
    detector = GraphDetector(graph.SerializeToString(), 16)
    assert detector.score(deep(0)).score == pytest.approx(2**0.5 * 4 / 9, rel=1e-3)  # to a corner, which sees 5 zeros
    assert detector.score(deep(4095)).score == pytest.approx(0, abs=1e-3)
