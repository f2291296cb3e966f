"""ONNX: the very graph, or with its float convolutions in 8-bit integers.

Static quantisation, QuantizeLinear and DequantizeLinear around each convolution, a scale per output channel (Jacob et
al. 2018, arXiv 1712.05877). Weights have seven bits and a sign: x86 processors without VNNI add pairs of products in 16
bits, which eight would overflow (backbone/quantise.py). Only convolutions are quantised: distances to good patches are
small differences of large numbers and stay in float.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from sightline.bundle import Bundle
from sightline.errors import OptionError
from sightline.export.artifact import Artifact, versions_of
from sightline.export.convolutions import in_float, with_named_nodes, without_names
from sightline.models.detector import GraphDetector
from sightline.products import limits_of
from sightline.records import Frame

Ranges = Literal["minmax", "percentile"]


def bare(bundle: Bundle, product: str | None) -> Artifact:
    """The graph as it is."""
    return _artifact(bundle, bundle.graph, product)


def integer(bundle: Bundle, product: str | None, calibration: Iterable[Frame], ranges: Ranges) -> Artifact:
    """The graph with its float convolutions in 8-bit integers.

    Args:
        calibration: good frames, from which the ranges of activations come.
        ranges: to the lowest and highest value, or to the 99.999th percentile.

    Raises:
        OptionError: hardly any weight of a convolution is left in float. FrameError: a frame cannot be read.
    """
    model = with_named_nodes(onnx.load_model_from_string(bundle.graph))
    chosen = floats_or_refusal(bundle, model)
    place = limits_of(bundle, product).place
    return _artifact(bundle, quantised(model, chosen, _feeds(calibration, place), ranges), product)


def floats_or_refusal(bundle: Bundle, model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions to quantise; raises OptionError where there are none worth it."""
    chosen = in_float(model)
    if not chosen:
        raise OptionError(
            f"{bundle.path}: its convolutions compute in 8 bits already, but for a few that stay in float on purpose; "
            "leave --int8 out."
        )
    return chosen


def quantised(
    model: onnx.ModelProto, chosen: list[str], feeds: Iterator[Mapping[str, NDArray[Any]]], ranges: Ranges
) -> bytes:
    """The model with these convolutions in 8-bit integers, calibrated on `feeds`.

    Args:
        model: its nodes have names; it is marked as preprocessed.
    """
    from onnxruntime import quantization as ortq  # takes a third of a second

    class Reader(ortq.CalibrationDataReader):  # type: ignore[misc]  # the runtime is untyped
        def get_next(self) -> Mapping[str, NDArray[Any]] | None:
            return next(feeds, None)

    method = {"minmax": ortq.CalibrationMethod.MinMax, "percentile": ortq.CalibrationMethod.Percentile}[ranges]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "integer.onnx")
        ortq.quant_utils.add_pre_process_metadata(model)  # else it warns, twice, that this was not done
        onnx.save(model, source)
        ortq.quantize_static(
            str(source),
            str(target),
            Reader(),
            quant_format=ortq.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=chosen,
            per_channel=True,
            reduce_range=True,
            activation_type=ortq.QuantType.QUInt8,
            weight_type=ortq.QuantType.QInt8,
            calibrate_method=method,
        )
        graph: bytes = without_names(onnx.load(target)).SerializeToString()
    return graph


def _feeds(frames: Iterable[Frame], place: int | None) -> Iterator[Mapping[str, NDArray[Any]]]:
    for frame in frames:
        feeds: dict[str, NDArray[Any]] = {"image": frame.pixels}
        if frame.depth is not None:
            feeds["depth"] = frame.depth
        if place is not None:
            feeds["product"] = np.array(place, np.int64)
        yield feeds


def _artifact(bundle: Bundle, graph: bytes, product: str | None) -> Artifact:
    spec, place = bundle.manifest.input, limits_of(bundle, product).place
    detector = GraphDetector(graph, spec.bit_depth)
    takes = f"image (height, width, 1 or 3) {spec.dtype} of {spec.bit_depth} bits, of any size, grey or RGB"
    if spec.depth:
        takes += "; depth (height, width) uint16"
    if place is not None:
        takes += "; product, its number"
    return Artifact(
        contents={"": graph},
        score=lambda frame: detector.score(frame, place),
        takes=takes,
        versions=versions_of(onnx, ort),
    )
