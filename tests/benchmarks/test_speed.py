"""The pure parts of the speed programs: counted operations, timing in bursts, and what the charts place."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bursts import DROPPED, KEPT, burst, interleaved
from chart import Box, Panel, Series, label_place, log_ticks, write_chart
from operations import multiply_adds
from sightline.models.graph import IR_VERSION, OPSET


def model(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], shape: list[int]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "counted",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    made.ir_version = IR_VERSION
    return made


def floats(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_a_grouped_convolution_counts_only_its_own_channels() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=2, strides=[2, 2], pads=[1, 1, 1, 1])
    counted = multiply_adds(model([node], {"w": floats(6, 2, 3, 3)}, [1, 4, 8, 8]), {"x": floats(1, 4, 8, 8)})
    assert counted.total == counted.floats == 6 * 4 * 4 * (2 * 3 * 3)


@pytest.mark.parametrize("turned", [0, 1])
def test_a_product_counts_rows_by_columns_by_what_is_summed(turned: int) -> None:
    x = floats(3, 5) if turned else floats(5, 3)
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transA=turned)
    assert multiply_adds(model([node], {"w": floats(3, 7)}, list(x.shape)), {"x": x}).total == 5 * 3 * 7


def test_several_operators_are_added_and_others_are_not_counted() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "v"], ["y"]),
    ]
    made = model(nodes, {"w": floats(4, 8), "v": floats(8, 2)}, [2, 3, 4])
    assert multiply_adds(made, {"x": floats(2, 3, 4)}).total == 2 * 3 * 8 * 4 + 2 * 3 * 2 * 8


def test_a_product_of_dequantised_values_counts_as_one_of_integers() -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["e"]),
        helper.make_node("MatMul", ["d", "e"], ["y"]),
    ]
    constants: dict[str, np.ndarray] = {
        "scale": np.array(0.1, np.float32),
        "zero": np.array(0, np.uint8),
        "w": np.ones((4, 6), np.uint8),
    }
    counted = multiply_adds(model(nodes, constants, [5, 4]), {"x": floats(5, 4)})
    assert (counted.integers, counted.floats) == (5 * 4 * 6, 0)


def test_a_burst_leaves_out_its_first_runs() -> None:
    calls = list[int]()
    assert burst(lambda: calls.append(1)).shape == (KEPT,)
    assert len(calls) == DROPPED + KEPT


def test_all_take_turns() -> None:
    order = list[str]()
    times = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2)
    assert {name: len(values) for name, values in times.items()} == {"a": 2 * KEPT, "b": 2 * KEPT}
    assert [name for name, before in zip(order, ["", *order], strict=False) if name != before] == ["a", "b", "a", "b"]


def test_ticks_are_round_values_in_the_range() -> None:
    assert log_ticks(3, 60) == [5, 10, 20, 50]
    assert log_ticks(280, 740) == [300, 400, 500, 600, 700]


def test_a_label_stands_right_of_its_point_where_there_is_room() -> None:
    assert label_place((200, 100), 40, [], []) == Box(left=208, right=248, middle=100)


@pytest.mark.parametrize(
    ("spot", "crowd", "taken"),
    [
        pytest.param((200, 100), [(220, 102)], [], id="a point is in the way"),
        pytest.param((200, 100), [], [Box(left=230, right=300, middle=95)], id="another label is in the way"),
        pytest.param((450, 100), [], [], id="at the edge"),
    ],
)
def test_else_it_goes_where_nothing_is(
    spot: tuple[float, float], crowd: list[tuple[float, float]], taken: list[Box]
) -> None:
    place = label_place(spot, 40, crowd, taken)
    assert place.right < spot[0]
    assert not any(place.meets(box) for box in taken)


def test_a_chart_holds_every_name(tmp_path: Path) -> None:
    series = [
        Series(name="bank <1,000>", points=[(1, 0.5), (10, 0.7)]),
        Series(name="peer", points=[(100, 0.9)], line=False, at_point=True),
    ]
    write_chart(tmp_path / "c.svg", [Panel(title="tile", labels=("ms", "AUROC"), series=series)])
    text = (tmp_path / "c.svg").read_text("utf-8")
    assert "bank &lt;1,000&gt;" in text
    assert ">peer<" in text
    assert text.count("<circle") == 3 + 1  # and one in the key


def test_a_chart_without_points_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no points"):
        write_chart(tmp_path / "c.svg", [Panel(title="tile", labels=("ms", "AUROC"), series=[])])
