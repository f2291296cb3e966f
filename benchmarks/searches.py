"""Searches for the nearest of the bank as pieces of a graph: exact ones in float32, and candidates measured again.

|x - b|^2 = |x|^2 + (|b|^2 - 2 x b). The least of what is in brackets is sought, the rest added behind it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sightline.models.graph import GraphBuilder
from sightline.models.patchcore import append_nearest
from sightline.records import FloatArray

CELLS = 32 * 32  # patches of a picture of 256 x 256 px
_LEVELS = 127  # of an 8-bit integer with a sign
_MOST = 255  # of one without: what stands in a patch where the bank has its further components

Integers = NDArray[np.int64]
Form = Callable[[GraphBuilder, str, FloatArray], str]  # (CELLS, D) patches and the (M, D) bank -> (CELLS,) distances


def _blocks(builder: GraphBuilder, rows: str, size: int) -> list[str]:
    edges = [*range(0, CELLS, size), CELLS]
    return [
        builder.node("Slice", [rows, builder.int64(start), builder.int64(stop), builder.int64(0)])
        for start, stop in pairwise(edges)
    ]


def _least(builder: GraphBuilder, distances: str, axis: int = 1) -> str:
    return builder.node("ReduceMin", [distances, builder.int64(axis)], {"keepdims": 0})


def _with_ones(builder: GraphBuilder, patches: str) -> str:
    return builder.node("Concat", [patches, builder.constant(np.ones((CELLS, 1), np.float32))], {"axis": 1})


def _with_norms(bank: FloatArray) -> FloatArray:
    """(M, D + 1)"""
    return np.concatenate([-2 * bank, np.square(bank).sum(axis=1, keepdims=True)], axis=1)


def _root(builder: GraphBuilder, patches: str, least: str) -> str:
    lengths = builder.node("ReduceSumSquare", [patches, builder.int64(1)], {"keepdims": 0})
    squared = builder.node("Max", [builder.node("Add", [least, lengths]), builder.constant(np.float32(0))])
    return builder.node("Sqrt", [squared])


def shipped(builder: GraphBuilder, patches: str, bank: FloatArray) -> str:
    return append_nearest(builder, patches, CELLS, bank)


def biased(builder: GraphBuilder, patches: str, bank: FloatArray) -> str:
    factors, norms = builder.constant(-2 * bank.T), builder.constant(np.square(bank).sum(axis=1))
    products = [builder.node("Gemm", [block, factors, norms]) for block in _blocks(builder, patches, 256)]
    return _root(
        builder, patches, builder.node("Concat", [_least(builder, product) for product in products], {"axis": 0})
    )


def in_blocks(builder: GraphBuilder, patches: str, bank: FloatArray, *, size: int, parts: int) -> str:
    factors = [builder.constant(part.T) for part in np.array_split(_with_norms(bank), parts)]
    nearest = []
    for block in _blocks(builder, _with_ones(builder, patches), size):
        each = [_least(builder, builder.node("MatMul", [block, factor])) for factor in factors]
        nearest.append(builder.node("Min", each))
    return _root(builder, patches, builder.node("Concat", nearest, {"axis": 0}))


def turned(builder: GraphBuilder, patches: str, bank: FloatArray) -> str:
    columns = builder.node("Transpose", [_with_ones(builder, patches)], {"perm": [1, 0]})
    rows = [builder.constant(part) for part in np.array_split(_with_norms(bank), -(-len(bank) // 128))]
    each = [_least(builder, builder.node("MatMul", [part, columns]), axis=0) for part in rows]
    return _root(builder, patches, builder.node("Min", each))


def _measured(builder: GraphBuilder, patches: str, bank: FloatArray, candidates: Sequence[str]) -> str:
    """The exact distance to the nearest of each patch's candidates, each (P,) rows of the bank."""
    vectors = builder.constant(bank)
    squared = []
    for rows in candidates:
        gaps = builder.node("Sub", [patches, builder.node("Gather", [vectors, rows], {"axis": 0})])
        squared.append(builder.node("ReduceSumSquare", [gaps, builder.int64(1)], {"keepdims": 0}))
    return builder.node("Sqrt", [builder.node("Min", squared)])


def halves(builder: GraphBuilder, patches: str, bank: FloatArray) -> str:
    rows = builder.node("Cast", [_with_ones(builder, patches)], {"to": TensorProto.FLOAT16})
    factors = builder.constant(_with_norms(bank).T.astype(np.float16))
    nearest = [
        builder.node("ArgMin", [builder.node("MatMul", [block, factors])], {"axis": 1, "keepdims": 0})
        for block in _blocks(builder, rows, 128)
    ]
    return _measured(builder, patches, bank, [builder.node("Concat", nearest, {"axis": 0})])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bytes:
    """A bank for products in 8 bits that order as distances do."""

    step: float  # of a patch's component
    factors: NDArray[np.int8]  # (M, D + E)
    further: NDArray[np.uint8]  # (E,) what stands behind each patch


def bytes_of(bank: FloatArray) -> Bytes:
    step = float(np.abs(bank).max()) / _LEVELS
    factors = np.round(-bank / step).astype(np.int64)
    # d^2 / (2 step^2) up to what a patch has alone; the 128 that make its components positive are taken off here
    wanted = np.round(np.square(bank).sum(axis=1) / (2 * step**2)).astype(np.int64) - 128 * factors.sum(axis=1)
    wanted -= (wanted.min() + wanted.max()) // 2
    coarse = np.round(wanted / _MOST).astype(np.int64)
    high, low = _parts_of(coarse), _parts_of(wanted - _MOST * coarse)
    return Bytes(
        step=step,
        factors=np.stack([*factors.T, *high, *low], axis=1).astype(np.int8),
        further=np.array([_MOST] * len(high) + [1] * len(low), np.uint8),
    )


def _parts_of(numbers: Integers) -> list[Integers]:
    """Numbers of 8 bits that add up to these."""
    reaches = range(0, int(np.abs(numbers).max()) + _LEVELS, _LEVELS)
    clipped = [np.clip(numbers, -reach, reach) for reach in reaches]
    return [more - less for less, more in pairwise(clipped)]


def integers(builder: GraphBuilder, patches: str, bank: FloatArray, *, parts: int = 1) -> str:
    """A candidate of each part of the bank."""
    found, nearest = bytes_of(bank), []
    blocks = _blocks(builder, _in_bytes(builder, patches, found), 64)
    for own in np.array_split(np.arange(len(bank)), parts):
        factors = builder.constant(found.factors[own].T)
        products = [builder.node("MatMulInteger", [block, factors]) for block in blocks]
        places = [builder.node("ArgMin", [product], {"axis": 1, "keepdims": 0}) for product in products]
        nearest.append(builder.node("Add", [builder.node("Concat", places, {"axis": 0}), builder.constant(own[:1])]))
    return _measured(builder, patches, bank, nearest)


def sorted_integers(builder: GraphBuilder, patches: str, bank: FloatArray, *, count: int) -> str:
    """The first candidates of the whole bank."""
    found, places = bytes_of(bank), []
    factors = builder.constant(found.factors.T)
    for block in _blocks(builder, _in_bytes(builder, patches, found), 64):
        product = builder.node("MatMulInteger", [block, factors])
        places.append(builder.nodes("TopK", [product, builder.int64(count)], 2, {"largest": 0, "axis": 1})[1])
    order = builder.node("Concat", places, {"axis": 0})
    ranks = [builder.node("Gather", [order, builder.constant(np.array(rank))], {"axis": 1}) for rank in range(count)]
    return _measured(builder, patches, bank, ranks)


def _in_bytes(builder: GraphBuilder, patches: str, found: Bytes) -> str:
    scale, zero = builder.constant(np.float32(found.step)), builder.constant(np.array(128, np.uint8))
    levels = builder.node("QuantizeLinear", [patches, scale, zero])
    return builder.node("Concat", [levels, builder.constant(np.tile(found.further, (CELLS, 1)))], {"axis": 1})


SHIPPED = "as shipped"
FORMS: dict[str, Form] = {
    SHIPPED: shipped,
    "norms as a bias": biased,
    "not in blocks": partial(in_blocks, size=CELLS, parts=1),
    "bank in four": partial(in_blocks, size=128, parts=4),
    "bank times patches": turned,
    "8 bits, 1 candidate": integers,
    "8 bits, 2 candidates": partial(integers, parts=2),
    "8 bits, 4 candidates": partial(integers, parts=4),
    "8 bits, 4 candidates by TopK": partial(sorted_integers, count=4),
    "float16, 1 candidate": halves,
}
