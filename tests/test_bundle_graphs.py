"""The graph in a `.sight` file: one plain ONNX graph with the declared ports is loaded, everything else is refused."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline import bundle
from sightline.errors import BundleError
from sightline.manifest import Calibration, InputSpec, Manifest, Provenance, Thresholds, to_json

FLOAT = TensorProto.FLOAT


def small_model() -> onnx.ModelProto:
    """Score: the largest value of any channel, times two; map: the same per pixel."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=FLOAT),
        helper.make_node("Mul", ["pixels", "gain"], ["scaled"]),
        helper.make_node("ReduceMax", ["scaled"], ["map"], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["map"], ["score"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", "c"])],
        [helper.make_tensor_value_info("score", FLOAT, []), helper.make_tensor_value_info("map", FLOAT, ["h", "w"])],
        [numpy_helper.from_array(np.array([2.0], np.float32), "gain")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def manifest_of(graph: bytes) -> Manifest:
    return Manifest(
        sightline_version="0.1.0",
        method="patchcore",
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(dtype="uint8", bit_depth=8),
        working_size=(256, 320),
        tile=None,
        labels=("anomaly", "傷　表面"),
        thresholds=Thresholds(reject=3.0, review=2.5, rule="conformal", promise="1 % overkill", max_overkill=0.01),
        calibration=Calibration(good_scores=(0.10000000149011612, 0.5, 0.5, 2.0), source="leave one image out"),
        provenance=Provenance(
            dataset="tiles",
            images=4,
            dataset_sha256="0" * 64,
            seed=7,
            config={"kept": 0.1, "neighbours": 3, "whiten": False, "limit": None, "layer": "8+16"},
            backbone="shipped",
            backbone_sha256="a" * 64,
        ),
    )


def changed(change: Callable[[onnx.ModelProto], object]) -> Callable[[], bytes]:
    def make() -> bytes:
        model = small_model()
        change(model)
        return bytes(model.SerializeToString())

    return make


def external_tensor() -> onnx.TensorProto:
    tensor = TensorProto(name="leak", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def external_data_key_only() -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.array([1], np.float32), "leak")
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def leaking_graph() -> onnx.GraphProto:
    node = helper.make_node("Constant", [], ["out"], value=external_tensor())
    return helper.make_graph([node], "branch", [], [helper.make_tensor_value_info("out", FLOAT, [1])])


def constant(*tensors: onnx.TensorProto) -> onnx.NodeProto:
    node = helper.make_node("Constant", [], ["unused"])
    node.attribute.append(helper.make_attribute("value", tensors[0] if len(tensors) == 1 else list(tensors)))
    return node


def nested_branches(model: onnx.ModelProto) -> None:
    outer = helper.make_graph(
        [helper.make_node("If", ["no"], ["out"], then_branch=leaking_graph(), else_branch=leaking_graph())],
        "outer",
        [],
        [helper.make_tensor_value_info("out", FLOAT, [1])],
    )
    model.graph.node.append(helper.make_node("If", ["no"], ["unused"], then_branch=outer, else_branch=outer))


def with_function(model: onnx.ModelProto) -> None:
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("", "F", ["a"], ["b"], [constant(external_tensor())], opsets))


def with_sparse(model: onnx.ModelProto) -> None:
    values, indices = (
        numpy_helper.from_array(np.array([1], np.float32), "s"),
        numpy_helper.from_array(np.array([0], np.int64), "i"),
    )
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [10**9]))


def retyped(port: int, kind: int, shape: list[int | str] | None, *, name: str = "") -> Callable[[], bytes]:
    """The small graph with its input (port -1) or an output declared otherwise."""

    def change(model: onnx.ModelProto) -> None:
        old = model.graph.input[0] if port < 0 else model.graph.output[port]
        old.CopyFrom(helper.make_tensor_value_info(name or old.name, kind, shape))

    return changed(change)


def one_wide_tensor(model: onnx.ModelProto, count: int) -> None:
    model.graph.initializer.append(TensorProto(name="wide", data_type=FLOAT, dims=[count, 1 << 20]))


def nesting_bomb() -> bytes:
    graph = b""
    for _ in range(500):  # GraphProto.node (1) > NodeProto.attribute (5) > AttributeProto.g (6) > GraphProto
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            graph = tag + varint(len(graph)) + graph
    return b"\x08\x09\x3a" + varint(len(graph)) + graph


def varint(number: int) -> bytes:
    head = b""
    while number > 127:
        head += bytes([number & 127 | 128])
        number >>= 7
    return head + bytes([number])


def field_bomb() -> bytes:
    """A graph of hundreds of thousands of empty nodes, at two bytes each."""
    nodes = b"\x0a\x00" * (bundle.MAX_WIRE_FIELDS + 1)
    return b"\x08\x09\x3a" + varint(len(nodes)) + nodes


def loop_node(kind: str) -> onnx.NodeProto:
    return helper.make_node(kind, ["n", "go"], ["unused"], body=helper.make_graph([], "body", [], []))


GRAPHS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "IR version 0"),
    "text": (lambda: b"hello, world", "is not a valid ONNX graph"),
    "cut-off": (lambda: small_model().SerializeToString()[:-20], "is not a valid ONNX graph"),
    "endless-number": (lambda: b"\xff" * 20, "is not a valid ONNX graph (a number is too long)"),
    "no-last-byte": (lambda: b"\x08", "is not a valid ONNX graph"),
    "field-bomb": (field_bomb, "more than 300000 fields"),
    "nesting-bomb": (nesting_bomb, "is not a valid ONNX graph"),
    "external-initializer": (
        changed(lambda model: model.graph.initializer.append(external_tensor())),
        "keeps the data of tensor 'leak' in another file",
    ),
    "external-key-only": (
        changed(lambda model: model.graph.initializer.append(external_data_key_only())),
        "keeps the data of tensor 'leak' in another file",
    ),
    "external-attribute": (
        changed(lambda model: model.graph.node.append(constant(external_tensor()))),
        "keeps the data of tensor 'leak' in another file",
    ),
    "external-attribute-list": (
        changed(lambda model: model.graph.node.append(constant(external_data_key_only(), external_tensor()))),
        "keeps the data of tensor 'leak' in another file",
    ),
    "external-in-nested-branches": (changed(nested_branches), "keeps the data of tensor 'leak' in another file"),
    "function": (changed(with_function), "has functions of its own"),
    "training": (
        changed(lambda model: model.training_info.add().algorithm.CopyFrom(leaking_graph())),
        "has training information",
    ),
    "sparse": (changed(with_sparse), "has a sparse tensor"),
    "custom-node": (
        changed(lambda model: setattr(model.graph.node[1], "domain", "com.evil")),
        "an operator of domain 'com.evil'",
    ),
    "custom-domain": (
        changed(lambda model: model.opset_import.append(helper.make_opsetid("com.evil", 1))),
        "uses the operator sets",
    ),
    "two-opsets": (
        changed(lambda model: model.opset_import.append(helper.make_opsetid("ai.onnx", 17))),
        "uses the operator sets",
    ),
    "no-opset": (changed(lambda model: model.ClearField("opset_import")), "uses the operator sets []"),
    "new-opset": (changed(lambda model: setattr(model.opset_import[0], "version", 999)), "has opset 999"),
    "old-opset": (changed(lambda model: setattr(model.opset_import[0], "version", -1)), "has opset -1"),
    "new-ir": (changed(lambda model: setattr(model, "ir_version", 999)), "has IR version 999"),
    "old-ir": (changed(lambda model: setattr(model, "ir_version", 3)), "has IR version 3"),
    "loop": (changed(lambda model: model.graph.node.append(loop_node("Loop"))), "the operator Loop"),
    "scan": (changed(lambda model: model.graph.node.append(loop_node("Scan"))), "the operator Scan"),
    "unknown-operator": (
        changed(lambda model: setattr(model.graph.node[1], "op_type", "Teleport")),
        "is not a valid ONNX graph (No Op registered for Teleport",
    ),
    "undefined-value": (
        changed(lambda model: model.graph.node[1].input.__setitem__(0, "ghost")),
        "is not a valid ONNX graph",
    ),
    "huge-constant": (changed(lambda model: one_wide_tensor(model, 257)), "constants of more than 1073741824 bytes"),
    "negative-side": (changed(lambda model: one_wide_tensor(model, -1)), "tensor 'wide' with a negative side"),
    "short-data": (
        changed(lambda model: setattr(model.graph.initializer[0], "raw_data", b"ab")),
        "tensor 'gain' of 2 bytes where its shape needs 4",
    ),
    "text-tensor": (
        changed(lambda model: setattr(model.graph.initializer[0], "data_type", TensorProto.STRING)),
        "element type 8, which Sightline does not use",
    ),
    "no-input": (changed(lambda model: model.graph.ClearField("input")), "has the inputs []"),
    "another-input": (
        changed(lambda model: model.graph.input.append(helper.make_tensor_value_info("key", FLOAT, [1]))),
        "key (float, 1 axes)",
    ),
    "input-twice": (changed(lambda model: model.graph.input.append(model.graph.input[0])), "has the inputs"),
    "input-name": (retyped(-1, TensorProto.UINT8, ["h", "w", 3], name="x"), "exactly image (uint8, 3 axes)"),
    "input-type": (retyped(-1, TensorProto.UINT16, ["h", "w", 3]), "image (uint16, 3 axes)"),
    "input-rank": (retyped(-1, TensorProto.UINT8, [1, "h", "w", 3]), "image (uint8, 4 axes)"),
    "input-without-shape": (retyped(-1, TensorProto.UINT8, None), "image (uint8, unknown axes)"),
    "no-map": (changed(lambda model: model.graph.output.pop()), "exactly score (float, 0 axes), map (float, 2 axes)"),
    "score-rank": (retyped(0, FLOAT, [1]), "score (float, 1 axes)"),
    "score-without-shape": (retyped(0, FLOAT, None), "score (float, unknown axes)"),
    "score-type": (retyped(0, TensorProto.DOUBLE, []), "score (double, 0 axes)"),
    "map-rank": (retyped(1, FLOAT, [1, "h", "w"]), "map (float, 3 axes)"),
    "unheard-of-type": (retyped(1, 99, ["h", "w"]), "map (no tensor, 2 axes)"),
    "terminal-codes-in-name": (retyped(1, FLOAT, ["h", "w"], name="\x1b[2J\n"), r"\x1b[2J\n"),
}


@pytest.mark.parametrize(("graph", "expected"), GRAPHS.values(), ids=GRAPHS)
def test_a_wrong_graph_is_refused(tmp_path: Path, graph: Callable[[], bytes], expected: str) -> None:
    path = tmp_path / "wrong.sight"
    content = graph()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", to_json(manifest_of(content)))
        archive.writestr("model.onnx", content)
    with pytest.raises(BundleError) as caught:
        bundle.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: model.onnx ")
    assert expected in message
    assert message.isprintable()
    assert len(message) < 700


def test_both_branches_of_an_if_are_allowed_where_they_are_plain(tmp_path: Path) -> None:
    model = small_model()
    inner = helper.make_graph(
        [helper.make_node("Identity", ["gain"], ["picked"])],
        "branch",
        [],
        [helper.make_tensor_value_info("picked", FLOAT, [1])],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(helper.make_node("If", ["yes"], ["unused"], then_branch=inner, else_branch=inner))
    graph = model.SerializeToString()
    bundle.save(tmp_path / "branch.sight", graph, manifest_of(graph))
    assert bundle.load(tmp_path / "branch.sight").graph == graph
