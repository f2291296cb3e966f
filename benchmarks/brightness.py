"""A model for what is not about models: the score is the brightest value, and from 100 on it is a reject."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from sightline import bundle
from sightline.line.stock import CAMERAS, Stock
from sightline.manifest import Calibration, InputSpec, Manifest, Provenance, Thresholds
from sightline.records import Frame

SHAPE = (24, 32, 1)
_KINDS = 5  # pictures of each kind of part


def write_brightness(path: Path) -> Path:
    """Write the model; return `path`."""
    graph = _graph()
    manifest = Manifest(
        sightline_version="0.1.0",
        method="patchcore",
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(dtype="uint8", bit_depth=8),
        working_size=(64, 96),
        tile=None,
        labels=("good", "anomaly"),
        thresholds=Thresholds(reject=100.0, review=None, rule="by hand", promise="none", max_overkill=None),
        calibration=Calibration(good_scores=(1.0, 2.0, 3.0, 4.0), source="by hand"),
        provenance=Provenance(
            dataset="none",
            images=4,
            dataset_sha256="0" * 64,
            seed=0,
            config={},
            backbone="none",
            backbone_sha256="0" * 64,
        ),
    )
    bundle.save(path, graph, manifest)
    return path


def brightness_stock() -> Stock:
    """Parts that are dark where they are good, and bright where they are bad."""
    return Stock(good=_pictures(20, 60), bad=_pictures(20, 200))


def _pictures(least: int, most: int) -> tuple[dict[str, Frame], ...]:
    rng = np.random.default_rng(most)
    return tuple(
        {view: Frame(pixels=rng.integers(least, most, SHAPE, dtype=np.uint8)) for view in CAMERAS}
        for _ in range(_KINDS)
    )


def _graph() -> bytes:
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["pixels"], ["map"], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["map"], ["score"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", "c"])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, []),
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["h", "w"]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
