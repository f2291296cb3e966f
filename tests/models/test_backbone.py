"""Any feature extractor that is one, and one clear line for what is not."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sightline.errors import OptionError
from sightline.models.backbone import SHIPPED, Backbone, load_backbone
from sightline.models.graph import OPSET, open_session

FLOAT = TensorProto.FLOAT
MakeNetwork = Callable[..., onnx.ModelProto]
Save = Callable[[onnx.ModelProto], Path]


def refusal(path: Path) -> str:
    """The message with which the file is refused, seen to be one line that begins with its path and ends."""
    with pytest.raises(OptionError) as caught:
        load_backbone(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert message.endswith(".")
    assert len(message) < 700
    return message


def test_the_shipped_backbone_is_small_and_has_strides_8_and_16(shipped: Backbone) -> None:
    assert shipped.name == "sightline"
    assert {8, 16} <= set(shipped.strides)
    assert shipped.stride == min(shipped.strides)
    assert shipped.multiple == max(shipped.strides)
    assert shipped.sha256 == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert SHIPPED.stat().st_size <= 6e6


@pytest.mark.parametrize("strides", [(8, 16), (16, 8), (4, 32, 8), (16,)], ids=str)
def test_maps_are_put_in_order_the_finest_first(network: MakeNetwork, saved: Save, strides: tuple[int, ...]) -> None:
    model = network(strides)
    backbone = load_backbone(saved(model))
    assert backbone.strides == tuple(sorted(strides))
    assert backbone.name == "foreign"
    # a map's channels, one more for each output of the network, stay with its stride
    assert dict(zip(backbone.strides, backbone.channels, strict=True)) == {s: 12 + i for i, s in enumerate(strides)}
    image = np.random.default_rng(0).random((1, 3, 64, 96), dtype=np.float32)
    maps = open_session(backbone.model).run(None, {"x": image})
    assert [m.shape[2:] for m in maps] == [(64 // s, 96 // s) for s in backbone.strides]


def test_an_older_opset_is_converted_and_computes_the_same(network: MakeNetwork, saved: Save) -> None:
    model = network((8, 16), opset=13)
    backbone = load_backbone(saved(model))
    assert backbone.model.opset_import[0].version == OPSET
    image = np.random.default_rng(0).random((1, 3, 64, 96), dtype=np.float32)
    for ours, theirs in zip(
        open_session(backbone.model).run(None, {"x": image}), open_session(model).run(None, {"x": image}), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_are_listed_as_inputs_are_not_taken_for_the_image(network: MakeNetwork, saved: Save) -> None:
    model = network()
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, FLOAT, list(tensor.dims)))
    assert [value.name for value in load_backbone(saved(model)).model.graph.input] == ["x"]


def test_a_second_input_is_refused(network: MakeNetwork, saved: Save) -> None:
    model = network()
    model.graph.input.append(helper.make_tensor_value_info("mask", FLOAT, ["n", 1, "h", "w"]))
    assert "has 2 inputs; a backbone has one" in refusal(saved(model))


def test_a_fixed_input_size_is_refused(network: MakeNetwork, saved: Save) -> None:
    model = network()
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("x", FLOAT, [1, 3, 224, 224]))
    assert "does not take (N, 3, H, W) float32 of any size" in refusal(saved(model))


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.DOUBLE], ids=["uint8", "double"])
def test_an_input_of_another_type_is_refused(saved: Save, kind: int) -> None:
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["f"], to=FLOAT)],
        "cast",
        [helper.make_tensor_value_info("x", kind, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("f", FLOAT, ["n", "c", "h", "w"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert "does not take (N, 3, H, W) float32" in refusal(saved(model))


def test_the_same_stride_twice_is_refused(network: MakeNetwork, saved: Save) -> None:
    assert "two outputs have the same stride ([8, 8, 16]); keep one" in refusal(saved(network((8, 16, 8))))


def test_outputs_that_are_no_maps_are_refused(network: MakeNetwork, saved: Save) -> None:
    model = network((8,))
    model.graph.node.append(helper.make_node("Flatten", ["f0"], ["flat"]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("flat", FLOAT, ["n", "c"]))
    assert "feature maps expected" in refusal(saved(model))


def test_weights_in_another_file_are_refused_and_not_read(network: MakeNetwork, tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    onnx.save(network(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert "keeps its weights in another file" in refusal(path)


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.ml"])
def test_operators_of_another_domain_are_refused(network: MakeNetwork, saved: Save, domain: str) -> None:
    model = network()
    model.opset_import.append(helper.make_opsetid(domain, 1))
    assert f"operators outside the ONNX standard ({domain})" in refusal(saved(model))


def test_an_operator_that_does_not_exist_is_refused(network: MakeNetwork, saved: Save) -> None:
    model = network()
    model.graph.node[1].op_type = "Tanhh"
    assert "cannot run this graph" in refusal(saved(model))


def test_an_opset_that_cannot_be_converted_is_refused(network: MakeNetwork, saved: Save) -> None:
    model = network(opset=20)
    model.graph.node[1].op_type = "Gelu"  # came with opset 20
    assert "opset 20 cannot be converted to 18" in refusal(saved(model))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(50), "cannot be read as an ONNX backbone", id="picture"),
        pytest.param(b"\x80\x04\x95abc", "cannot be read as an ONNX backbone", id="pickle"),
        pytest.param(b"", "holds no network", id="empty"),
    ],
)
def test_a_file_that_is_not_onnx_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(content)
    assert expected in refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.onnx")
    assert "Is a directory" in refusal(tmp_path)
