"""In which arithmetic a classifier computes: float and 8-bit graph judge the same pictures, and the better one is kept.

The network learns in floating point. Its convolutions are quantised afterwards, calibrated on the pictures learnt from.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.evaluation.metrics import macro_f1
from sightline.models.class_config import Precision
from sightline.models.convolutions import in_float, with_named_nodes
from sightline.models.integers import Feeds, quantised
from sightline.records import FloatArray

MOST_LOST = 0.005  # macro F1 on pictures held out
MOST_CALIBRATING = 64  # pictures that ranges come from
Answers = tuple[FloatArray, FloatArray]  # probabilities and similarities, (n, K) each
Judge = Callable[[bytes], Answers]  # what a graph says of the pictures held out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """The graph that is kept, and what it says of the pictures held out."""

    graph: bytes
    precision: Precision  # "fp32" or "int8"
    macro_f1: float
    answers: Answers
    warnings: tuple[str, ...] = ()


def choose(
    model: onnx.ModelProto, precision: Precision, feeds: Feeds, judge: Judge, truth: NDArray[np.int64]
) -> Choice:
    """The classifier in the arithmetic that is asked for.

    Args:
        precision: "auto": in 8-bit integers if these lose at most MOST_LOST, else in floating point.
        feeds: pictures to calibrate on.
        truth: (n,) places of the classes of the pictures held out.

    Raises:
        OptionError: 8 bits are asked for and lose more, or there is no convolution worth them.
    """
    plain = _judged(model.SerializeToString(deterministic=True), "fp32", judge, truth)
    if precision == "fp32":
        return plain
    named = with_named_nodes(model)
    chosen = in_float(named, ends=True)
    if not chosen:
        if precision == "int8":
            raise OptionError("the network has no convolution worth 8 bits; leave --precision int8 out.")
        return plain
    whole = _judged(quantised(named, chosen, feeds), "int8", judge, truth)
    lost = plain.macro_f1 - whole.macro_f1
    if lost <= MOST_LOST:
        return whole
    said = f"8 bits lose {lost:.3f} of the macro F1 on the pictures held out, {MOST_LOST} may be lost"
    if precision == "int8":
        raise OptionError(f"{said}. Use --precision fp32, or another network.")
    return Choice(
        graph=plain.graph,
        precision="fp32",
        macro_f1=plain.macro_f1,
        answers=plain.answers,
        warnings=(f"{said}: the model computes in floating point",),
    )


def _judged(graph: bytes, precision: Precision, judge: Judge, truth: NDArray[np.int64]) -> Choice:
    answers = judge(graph)
    found = macro_f1(answers[0].argmax(axis=1), truth, answers[0].shape[1])
    return Choice(graph=graph, precision=precision, macro_f1=found, answers=answers)
