"""The graph builder: constants once, splices with names of their own, and what the runtime says when it cannot."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from sightline.errors import OptionError
from sightline.models.graph import IR_VERSION, OPSET, GraphBuilder, first_line, open_session

MakeNetwork = Callable[..., onnx.ModelProto]
FLOAT = TensorProto.FLOAT


def test_equal_constants_are_stored_once_and_others_are_not() -> None:
    builder = GraphBuilder()
    names = [
        builder.constant(np.float32(1)),
        builder.constant(np.array(1, np.float32)),
        builder.constant(np.array([1], np.float32)),  # another shape
        builder.int64(1),  # another type
        builder.int64(1),
    ]
    assert names == ["c0", "c0", "c1", "c2", "c2"]
    stored = builder.build([], []).graph.initializer
    assert [list(tensor.dims) for tensor in stored] == [[], [1], [1]]


def test_a_transposed_constant_keeps_its_values() -> None:
    builder = GraphBuilder()
    values = np.arange(6, dtype=np.float32).reshape(2, 3).T
    builder.constant(values)
    np.testing.assert_array_equal(numpy_helper.to_array(builder.build([], []).graph.initializer[0]), values)


def test_a_network_spliced_twice_shares_its_weights_and_not_its_values(network: MakeNetwork) -> None:
    model = network((8,))
    builder = GraphBuilder()
    (once,) = builder.splice(model, "a")
    (twice,) = builder.splice(model, "b")
    builder.rename(once, "from_a")
    builder.rename(twice, "from_b")
    shape = (1, 3, 16, 24)
    built = builder.build(
        [("a", FLOAT, shape), ("b", FLOAT, shape)], [("from_a", (1, 12, 2, 3)), ("from_b", (1, 12, 2, 3))]
    )
    onnx.checker.check_model(built)
    assert len(built.graph.initializer) == 1
    a, b = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    plain = open_session(model)
    for got, image in zip(open_session(built).run(None, {"a": a, "b": b}), (a, b), strict=True):
        np.testing.assert_array_equal(got, plain.run(None, {"x": image})[0])


def test_attributes_are_written_in_one_order_so_that_bytes_agree() -> None:
    one, two = GraphBuilder(), GraphBuilder()
    one.node("Resize", ["x"], {"mode": "linear", "antialias": 1})
    two.node("Resize", ["x"], {"antialias": 1, "mode": "linear"})
    assert one.build([], []).SerializeToString() == two.build([], []).SerializeToString()


def test_the_opset_is_one_that_resizes_with_antialiasing() -> None:
    model = GraphBuilder().build([], [])
    assert OPSET >= 18
    assert [entry.version for entry in model.opset_import] == [OPSET]
    assert model.ir_version == IR_VERSION


@pytest.mark.parametrize("graph", [b"", b"hello", b"\x08\x01"], ids=["empty", "text", "nothing in it"])
def test_a_graph_that_cannot_run_is_an_option_error_of_one_line(graph: bytes) -> None:
    with pytest.raises(OptionError, match=r"ONNX Runtime .* cannot run this graph: .*\.$") as caught:
        open_session(graph)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("one\ntwo", "one"), ("", "ValueError"), ("\n a.\n", "a"), ("x" * 999, "x" * 300)],
    ids=["two lines", "none", "blank around", "long"],
)
def test_a_foreign_error_becomes_one_short_line(text: str, expected: str) -> None:
    assert first_line(ValueError(text)) == expected
