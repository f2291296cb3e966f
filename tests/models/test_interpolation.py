"""Enlarging by products: the values of the runtime's Resize."""

import numpy as np
import pytest
from onnx import TensorProto

from sightline.models.graph import GraphBuilder, open_session
from sightline.models.interpolation import MOST_CELLS, append_enlarged, append_resized
from sightline.records import FloatArray

Sides = tuple[int, int]


def enlarged(cells: FloatArray, after: Sides, *, by_resize: bool = False) -> FloatArray:
    builder = GraphBuilder()
    if by_resize:
        made = append_resized(builder, "cells", builder.int64(*after))
    else:
        made = append_enlarged(builder, "cells", (cells.shape[2], cells.shape[3]), after)
    builder.rename(made, "made")
    session = open_session(
        builder.build([("cells", TensorProto.FLOAT, cells.shape)], [("made", cells.shape[:2] + after)])
    )
    found: FloatArray = session.run(["made"], {"cells": cells})[0]
    return found


def operators(before: Sides) -> set[str]:
    builder = GraphBuilder()
    builder.rename(append_enlarged(builder, "cells", before, (256, 256)), "made")
    model = builder.build([("cells", TensorProto.FLOAT, (1, 1, *before))], [("made", (1, 1, 256, 256))])
    return {node.op_type for node in model.graph.node}


def test_a_value_is_mixed_of_its_neighbours_by_how_near_their_middles_are() -> None:
    cells = np.array([[[[0.0, 4.0]]]], np.float32)
    # middles of four columns lie at 1/4, 3/4, 5/4 and 7/4 of the two cells, whose own lie at 1/2 and 3/2
    np.testing.assert_allclose(enlarged(cells, (2, 4))[0, 0], [[0, 1, 3, 4]] * 2, atol=1e-6)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((16, 16), (32, 32)),
        ((5, 7), (40, 56)),
        ((1, 3), (8, 3)),
        ((6, 4), (6, 4)),
        ((64, 2), (512, 16)),
        ((3, 5), (7, 6)),
    ],
    ids=str,
)
def test_products_give_what_resize_gives(before: Sides, after: Sides) -> None:
    cells = np.random.default_rng(0).standard_normal((1, 3, *before)).astype(np.float32)
    np.testing.assert_allclose(enlarged(cells, after), enlarged(cells, after, by_resize=True), atol=1e-6)


@pytest.mark.parametrize(("cells", "expected"), [(MOST_CELLS, "MatMul"), (MOST_CELLS + 1, "Resize")])
def test_large_grids_are_left_to_the_runtime(cells: int, expected: str) -> None:
    assert expected in operators((cells, 8)) & operators((8, cells))
