"""A graph's convolutions in 8-bit integers.

Static quantisation, QuantizeLinear and DequantizeLinear around each convolution, a scale per output channel (Jacob et
al. 2018, arXiv 1712.05877). Weights have seven bits and a sign: x86 processors without VNNI add pairs of products in 16
bits, which eight would overflow (backbone/quantise.py). Only convolutions are quantised, and with them the ReLU that
takes what they give, which then costs nothing; additions in 8 bits were no faster.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import onnx
from numpy.typing import NDArray

from sightline.models.convolutions import without_names

Ranges = Literal["minmax", "percentile"]
Feeds = Iterator[Mapping[str, NDArray[Any]]]  # of pictures: what a graph takes, by name
_TYPES = ("Conv", "Relu", "Clip")


def quantised(model: onnx.ModelProto, chosen: Sequence[str], feeds: Feeds, ranges: Ranges = "minmax") -> bytes:
    """The model with these convolutions in 8-bit integers, calibrated on `feeds`.

    Args:
        model: its nodes have names; it is marked as preprocessed.
        ranges: of activations, to the lowest and highest value, or to the 99.999th percentile.
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
            op_types_to_quantize=list(_TYPES),
            nodes_to_quantize=[*chosen, *_clipping(model, set(chosen))],
            per_channel=True,
            reduce_range=True,
            activation_type=ortq.QuantType.QUInt8,
            weight_type=ortq.QuantType.QInt8,
            calibrate_method=method,
        )
        graph: bytes = without_names(onnx.load(target)).SerializeToString(deterministic=True)
    return graph


def _clipping(model: onnx.ModelProto, chosen: set[str]) -> list[str]:
    """The nodes behind these convolutions that the lowest or highest level replaces."""
    made = {name for node in model.graph.node if node.name in chosen for name in node.output}
    return [node.name for node in model.graph.node if node.op_type in _TYPES[1:] and node.input[0] in made]
