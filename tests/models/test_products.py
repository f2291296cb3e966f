"""The joined graph: each product scores as in a graph of its own, and what they share is there once."""

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline.models import padim, patchcore
from sightline.models.backbone import Backbone
from sightline.models.features import FeatureConfig
from sightline.models.graph import RUNTIME_ERRORS, open_session
from sightline.models.products import join
from sightline.records import FloatArray, Frame, Pixels

SMALL = FeatureConfig(height=64, width=96, dimensions=8)


def patchcore_of(frames: list[Frame], backbone: Backbone, bank: int) -> onnx.ModelProto:
    return patchcore.fit(frames, backbone, SMALL, patchcore.PatchCoreConfig(bank_limits=(bank, bank))).graph


def padim_of(frames: list[Frame], backbone: Backbone, bank: int) -> onnx.ModelProto:
    return padim.fit(frames, backbone, SMALL).graph


def dark(frames: list[Frame]) -> list[Frame]:
    """Another product: upside down and darker."""
    return [Frame(pixels=(frame.pixels[::-1] // 3).astype(np.uint8)) for frame in frames]


@pytest.fixture(scope="module", params=[patchcore_of, padim_of], ids=["patchcore", "padim"])
def models(request: pytest.FixtureRequest, patchy: Backbone, parts: list[Frame]) -> list[onnx.ModelProto]:
    """A product with a large bank and one with a small bank."""
    return [request.param(parts, patchy, 150), request.param(dark(parts), patchy, 40)]


def run(session: onnxruntime.InferenceSession, pixels: Pixels, product: int | None = None) -> list[FloatArray]:
    chosen = {} if product is None else {"product": np.array(product, np.int64)}
    return list(session.run(["score", "map"], {"image": pixels, **chosen}))


def test_each_product_scores_as_in_a_graph_of_its_own(
    models: list[onnx.ModelProto], parts: list[Frame], scratched: Frame
) -> None:
    joined = open_session(join(models), threads=1)
    scores = []
    for product, model in enumerate(models):
        alone = open_session(model, threads=1)
        for frame in (parts[0], dark(parts)[0], scratched):
            (score, values), (expected, expected_values) = run(joined, frame.pixels, product), run(alone, frame.pixels)
            # a sliver apart: the runtime fuses the first node behind the backbone here and not there, and with AVX-512
            # that may be a step of 8 bits elsewhere
            np.testing.assert_allclose(values, expected_values, rtol=5e-3, atol=1e-4)
            assert score == pytest.approx(float(expected), rel=1e-4)
            scores.append(float(score))
    assert len(set(scores)) == 6


def test_the_bank_of_a_product_is_never_padded_with_what_could_be_nearest(
    models: list[onnx.ModelProto], parts: list[Frame]
) -> None:
    joined = open_session(join(models), threads=1)
    for blank in (np.zeros((64, 96, 1), np.uint8), np.full((64, 96, 1), 255, np.uint8)):
        for product, model in enumerate(models):
            assert run(joined, blank, product)[0] == pytest.approx(
                float(run(open_session(model, threads=1), blank)[0]), rel=1e-4
            )


def test_the_backbone_is_there_once_and_every_bank_in_its_branch(models: list[onnx.ModelProto]) -> None:
    joined = join(models)
    onnx.checker.check_model(joined, full_check=True)
    weights = max(tensor.ByteSize() for tensor in models[0].graph.initializer if len(tensor.dims) == 4)
    assert len(joined.SerializeToString()) < sum(len(model.SerializeToString()) for model in models) - weights
    outer = [node.op_type for node in joined.graph.node]
    assert outer.count("If") == 1
    assert outer.count("Tanh") == 2  # one of each stride of this backbone
    assert not {"Gemm", "MatMul"} & set(outer)


@pytest.mark.parametrize("product", [-1, 2, 2**40, -(2**62)])
def test_a_number_that_is_no_products_is_an_error(models: list[onnx.ModelProto], product: int) -> None:
    with pytest.raises(RUNTIME_ERRORS, match="out of data bounds"):
        run(open_session(join(models), threads=1), np.zeros((64, 96, 1), np.uint8), product)


def gain(factor: float, bias: float = 1.0) -> onnx.ModelProto:
    """map: the picture's first channel + bias, times the factor; score: its maximum."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["pixels", "bias"], ["shared"]),
        helper.make_node("Mul", ["shared", "factor"], ["scaled"]),
        helper.make_node("ReduceMax", ["scaled"], ["map"], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["map"], ["score"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "gain",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", "c"])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, []),
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["h", "w"]),
        ],
        [
            numpy_helper.from_array(np.array([value], np.float32), name)
            for name, value in (("factor", factor), ("bias", bias))
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("count", [2, 3, 7, 100])
def test_every_one_of_many_products_is_found(count: int) -> None:
    session = open_session(join([gain(product + 1) for product in range(count)]), threads=1)
    pixels = np.ones((2, 3, 1), np.uint8)
    assert [float(run(session, pixels, product)[0]) for product in range(count)] == [
        2.0 * (product + 1) for product in range(count)
    ]


def test_products_that_are_alike_or_share_a_constant_of_another_use_are_told_apart() -> None:
    # the second's factor is the others' bias, and the last is the first again
    models = [gain(3.0, 1.0), gain(1.0, 5.0), gain(3.0, 1.0)]
    joined = join(models)
    onnx.checker.check_model(joined, full_check=True)
    session = open_session(joined, threads=1)
    pixels = np.ones((2, 3, 1), np.uint8)
    assert [float(run(session, pixels, product)[0]) for product in range(3)] == [6.0, 6.0, 6.0]
    pixels[:] = 4
    assert [float(run(session, pixels, product)[0]) for product in range(3)] == [15.0, 9.0, 15.0]
    twins = open_session(join([gain(3.0), gain(3.0)]), threads=1)
    assert [float(run(twins, pixels, product)[0]) for product in range(2)] == [15.0, 15.0]


def test_joining_gives_the_same_bytes_again(models: list[onnx.ModelProto]) -> None:
    one, two = (join(models).SerializeToString(deterministic=True) for _ in range(2))
    assert one == two


def names_made(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        yield from filter(None, node.output)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from names_made(attribute.g)


def test_every_name_is_given_once(models: list[onnx.ModelProto]) -> None:
    names = list(names_made(join(models).graph))
    assert len(names) == len(set(names))
