"""ONNX: the very graph, or with its float convolutions in 8-bit integers.

Only convolutions are quantised: distances to good patches are small differences of large numbers and stay in float.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from sightline.bundle import Bundle
from sightline.errors import OptionError
from sightline.export.artifact import Artifact, versions_of
from sightline.models.convolutions import in_float, with_named_nodes
from sightline.models.detector import GraphDetector
from sightline.models.integers import Ranges, quantised
from sightline.products import limits_of
from sightline.records import Frame


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
    chosen = in_float(model, ends=bundle.manifest.naming is not None)
    if not chosen:
        raise OptionError(
            f"{bundle.path}: its convolutions compute in 8 bits already, but for a few that stay in float on purpose; "
            "leave --int8 out."
        )
    return chosen


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
