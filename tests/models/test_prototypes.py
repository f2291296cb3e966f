"""Classes as points: the space of the classes learnt, and rows that are added to a finished graph."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from sightline.errors import OptionError
from sightline.models.graph import GraphBuilder, open_session
from sightline.models.prototypes import (
    EMBEDDING,
    SIMILARITIES,
    Space,
    append_similarities,
    fit_space,
    likeness_among,
    prototype,
    with_prototype,
)
from sightline.records import FloatArray

CLASSES, WIDTH = 3, 6
CENTRES = np.array([[4, 0, 0, 0, 0, 0], [0, 4, 0, 0, 0, 0], [0, 0, 4, 0, 0, 0]], np.float32)
LABELS = np.arange(90) % CLASSES


def drawn(centres: FloatArray, seed: int) -> FloatArray:
    """Around the centres; the last direction varies wildly and tells nothing."""
    noise = np.random.default_rng(seed).normal(size=(len(centres), WIDTH)) * (1, 1, 1, 1, 1, 30)
    return (centres + noise).astype(np.float32)


@pytest.fixture(scope="module")
def space() -> Space:
    return fit_space(drawn(CENTRES[LABELS], 0), LABELS, CLASSES)


@pytest.fixture(scope="module")
def graph(space: Space) -> bytes:
    builder = GraphBuilder()
    append_similarities(builder, "values", space)
    ports = [("values", TensorProto.FLOAT, (WIDTH,))]
    content: bytes = builder.build(ports, [(EMBEDDING, (WIDTH,)), (SIMILARITIES, (CLASSES,))]).SerializeToString()
    return content


def run(graph: bytes, values: FloatArray) -> list[FloatArray]:
    return list(open_session(graph, threads=1).run([EMBEDDING, SIMILARITIES], {"values": values}))


def test_new_pictures_are_likest_to_their_own_class(graph: bytes) -> None:
    found = np.array([run(graph, row)[1].argmax() for row in drawn(CENTRES[LABELS], 1)])
    assert (found == LABELS).mean() > 0.9


def test_what_varies_within_classes_counts_little(space: Space) -> None:
    weights = np.abs(space.directions * space.steps).max(axis=1) / space.spread
    assert weights[-1] < 0.2 * weights[:3].min()


def test_embeddings_and_prototypes_have_length_1_and_similarities_are_cosines(graph: bytes, space: Space) -> None:
    embedding, similarities = run(graph, drawn(CENTRES[:1], 2)[0])
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(np.linalg.norm(space.prototypes, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(similarities, space.prototypes @ embedding, atol=1e-5)


def test_a_picture_in_the_very_middle_is_like_nothing_and_gives_numbers(graph: bytes, space: Space) -> None:
    embedding, similarities = run(graph, space.mean)
    assert (embedding == 0).all()
    assert (similarities == 0).all()


def test_a_row_more_is_one_similarity_more_and_the_others_stay(graph: bytes) -> None:
    values = drawn(CENTRES[:1], 3)[0]
    row = prototype(np.stack([run(graph, each)[0] for each in drawn(np.full((5, WIDTH), 3, np.float32), 4)]))
    embedding, before = run(graph, values)
    taught = with_prototype(graph, row)
    onnx.checker.check_model(onnx.load_model_from_string(taught), full_check=True)
    after = run(taught, values)[1]
    assert (after[:CLASSES] == before).all()
    assert after[CLASSES:] == pytest.approx([float(row @ embedding)], abs=1e-5)


def test_likeness_leaves_each_example_out_of_its_own_mean() -> None:
    rows = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    np.testing.assert_allclose(likeness_among(rows), [0, 1 / np.sqrt(2), 1 / np.sqrt(2)], atol=1e-6)


def test_a_graph_without_similarities_cannot_be_taught() -> None:
    builder = GraphBuilder()
    builder.rename(builder.node("Sqrt", ["values"]), "score")
    model = builder.build([("values", TensorProto.FLOAT, (2,))], [("score", (2,))])
    with pytest.raises(OptionError, match="gives no similarities"):
        with_prototype(model.SerializeToString(), np.ones(2, np.float32))
