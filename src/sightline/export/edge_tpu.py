"""Whether a .tflite file suits Google's Edge TPU: its size, its arithmetic, and which operators that chip has.

The rules are those that the vendor publishes (coral.ai/docs/edgetpu/models-intro, "Supported operations"). Its compiler
decides in the end, and is not run here: unproven. It maps the operators up to the first that the chip lacks, or that
meets a rule of its own; this one and all that follow are left to the processor.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.export.artifact import Artifact, library

MOST_BYTES = 8_000_000  # the chip's memory for weights is about 8 MB; more are fetched again for each picture
COMPILE = "edgetpu_compiler FILE.tflite"
_INTEGERS = ("INT8", "UINT8", "INT32")  # weights, activations; biases and shapes
_CLASSES = 16_000  # a softmax may have


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator of the file."""

    name: str  # as in the format's schema
    types: tuple[str, ...]  # of its inputs and outputs
    shape: tuple[int, ...]  # of its first input
    axes: tuple[int, ...]  # that a reduction or a padding is over, from 0
    options: Any  # the schema's own record; None: it has none


Rule = Callable[[Operator], str | None]  # why the chip would not take it; None: it would


def checked(artifact: Artifact) -> Artifact:
    """The export with what was found as notes.

    Raises:
        OptionError: it is larger than MOST_BYTES.
    """
    content = artifact.contents[""]
    if len(content) > MOST_BYTES:
        raise OptionError(
            f"the file has {len(content) / 1e6:.1f} MB, and an Edge TPU holds {MOST_BYTES // 10**6}; train with a "
            "smaller network."
        )
    found = list(operators(content))
    stops = next(((place, reason) for place, one in enumerate(found) if (reason := refusal(one))), None)
    if stops is None:
        said = f"all {len(found)} operators are among those of the Edge TPU"
    else:
        place, reason = stops
        rest = Counter(one.name for one in found[place:])
        listed = ", ".join(f"{count} {name}" for name, count in rest.items())
        said = f"the first {place} of {len(found)} operators suit the Edge TPU; on the processor: {listed} ({reason})"
    compiled = f"compile it with the vendor's tool, {COMPILE}; that step is unproven here"
    return replace(artifact, notes=(*artifact.notes, said, compiled))


def refusal(operator: Operator) -> str | None:
    """Why the chip would not take this operator, by its published rules; None: it would."""
    if odd := set(operator.types) - set(_INTEGERS):
        return f"{operator.name} computes in {min(odd).lower()}"
    if operator.name not in _RULES:
        return f"{operator.name} is not among its operators"
    rule = _RULES[operator.name]
    reason = rule(operator) if rule else None
    return None if reason is None else f"{operator.name} {reason}"


def operators(content: bytes) -> Iterator[Operator]:
    """What the file computes, in its order.

    Raises:
        OptionError: ai-edge-litert, which knows the format, is not installed.
    """
    schema = library("ai_edge_litert.schema_py_generated", "litert", "The check for the Edge TPU")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    codes = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    types = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    graph = model.subgraphs[0]
    for one in graph.operators:
        code = model.operatorCodes[one.opcodeIndex]
        name = codes[max(code.builtinCode, code.deprecatedBuiltinCode)]
        inputs, outputs = ([graph.tensors[place] for place in side if place >= 0] for side in (one.inputs, one.outputs))
        stored = model.buffers[inputs[1].buffer].data if name in _ALONG_AXES else None
        yield Operator(
            name=name,
            types=tuple(types[tensor.type] for tensor in (*inputs, *outputs)),
            shape=tuple(map(int, inputs[0].shape)),
            axes=() if stored is None else _axes(np.asarray(stored, np.uint8).view(np.int32), len(inputs[0].shape)),
            options=one.builtinOptions,
        )


def _axes(found: NDArray[np.int32], rank: int) -> tuple[int, ...]:
    """From a list of axes, or from paddings (rank, 2), the axes that are not left as they are."""
    if found.size == 2 * rank:
        return tuple(int(axis) for axis in np.flatnonzero(found.reshape(rank, 2).any(axis=1)))
    return tuple(int(axis) % rank for axis in found)


def _option(name: str, *, allowed: int = 0) -> Rule:
    def rule(operator: Operator) -> str | None:
        found = getattr(operator.options, name, allowed)
        return None if found == allowed else f"has {name} {found}"

    return rule


def _square_dilation(operator: Operator) -> str | None:
    same = operator.options.dilationWFactor == operator.options.dilationHFactor
    return None if same else "has different dilations in x and y"


def _within_a_picture(operator: Operator) -> str | None:
    return "is over the batch" if 0 in operator.axes and len(operator.shape) > 1 else None


def _mean(operator: Operator) -> str | None:
    depth = len(operator.shape) - 1
    if depth in operator.axes and operator.shape[depth] % 4:
        return "is over a number of channels that is no multiple of 4"
    return _within_a_picture(operator)


def _one_row(operator: Operator) -> str | None:
    sizes = [size for size in operator.shape if size > 1]
    return None if len(sizes) <= 1 and max(sizes, default=1) <= _CLASSES else f"takes {operator.shape}, not one row"


_ALONG_AXES = ("MEAN", "PAD", "REDUCE_MAX", "REDUCE_MIN", "SUM")
_NO_ACTIVATION = _option("fusedActivationFunction")
_FREE = (
    "ADD EXPAND_DIMS FULLY_CONNECTED L2_NORMALIZATION LOGISTIC MAXIMUM MINIMUM MUL PRELU QUANTIZE RELU RELU6 "
    "RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SPACE_TO_DEPTH SQUARED_DIFFERENCE "
    "SQUEEZE SUB TANH TRANSPOSE TRANSPOSE_CONV"
)
_RULES: dict[str, Rule | None] = {
    **dict.fromkeys(_FREE.split()),
    **dict.fromkeys(("AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D"), _NO_ACTIVATION),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _square_dilation),
    **dict.fromkeys(("PAD", "REDUCE_MAX", "REDUCE_MIN", "SUM"), _within_a_picture),
    "MEAN": _mean,
    "SOFTMAX": _one_row,
}
