"""Classes as points: how like a picture is to the mean picture of each class, and room for classes taught later.

Snell et al. 2017, "Prototypical Networks for Few-shot Learning", arXiv 1703.05175, section 2.2 (a class is the mean of
its embeddings), here with the cosine of embeddings in which what varies within the known classes is damped: they are
divided by the spread that pictures of one class have among themselves (a shrunk within-class covariance, as in linear
discriminant analysis). A new class is one more row of a matrix in the graph, and no network is trained again.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from sightline.errors import OptionError
from sightline.models.graph import GraphBuilder
from sightline.records import FloatArray

EMBEDDING, SIMILARITIES = "embedding", "similarities"  # outputs of a graph that names
_ROWS = "prototypes"  # the constant that grows
_SHRINKAGE = 0.5  # towards equal spread in all directions: the covariance counts as much as its mean variance
_LEAST_SPREAD = 0.01  # of the median value's
_LEAST_LENGTH = 1e-12
MOST_CLASSES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """Where pictures lie by what they show; (v - mean) @ whitening, brought to length 1."""

    mean: FloatArray  # (D,)
    whitening: NDArray[np.float16]  # (D, D)
    prototypes: FloatArray  # (K, D) of length 1, of the classes in their order


def fit_space(embeddings: FloatArray, labels: NDArray[np.int64], classes: int) -> Space:
    """The space of the pictures learnt from.

    Args:
        embeddings: (n, D).
        labels: (n,) from 0 to `classes` - 1, each occurring.
    """
    mean = embeddings.mean(axis=0, dtype=np.float64)
    spread = embeddings.std(axis=0, dtype=np.float64)
    spread = np.maximum(spread, max(_LEAST_SPREAD * float(np.median(spread)), 1e-6))
    scaled = (embeddings - mean) / spread
    own = np.stack([scaled[labels == label].mean(axis=0) for label in range(classes)])
    rest = scaled - own[labels]
    within = rest.T @ rest / len(rest)
    size = len(within)
    level = max(float(np.trace(within)) / size, 1e-6)
    shrunk = (1 - _SHRINKAGE) * within + _SHRINKAGE * level * np.eye(size)
    exact = np.linalg.inv(np.linalg.cholesky(shrunk)).T / spread[:, None]
    whitening = (exact / np.abs(exact).max()).astype(np.float16)  # its scale does not matter, but must fit
    placed = _placed(embeddings, mean.astype(np.float32), whitening)
    return Space(
        mean=mean.astype(np.float32),
        whitening=whitening,
        prototypes=np.stack([prototype(placed[labels == label]) for label in range(classes)]),
    )


def prototype(placed: FloatArray) -> FloatArray:
    """(n, D) embeddings of length 1, of one class -> (D,) their mean, of length 1."""
    return _of_length_1(placed.mean(axis=0, dtype=np.float32))


def likeness_among(placed: FloatArray) -> FloatArray:
    """(n,) how like each of (n, D) embeddings, 2 or more, is to the mean of the others: what a new one may have."""
    total = placed.sum(axis=0, dtype=np.float32)
    found: FloatArray = np.array([one @ _of_length_1(total - one) for one in placed], np.float32)
    return found


def append_similarities(builder: GraphBuilder, values: str, space: Space) -> None:
    """(D,) a picture's values -> outputs `embedding` (D,), of length 1, and `similarities` (K,), cosines -1..1."""
    centred = builder.node("Sub", [values, builder.constant(space.mean)])
    row = builder.node("Unsqueeze", [centred, builder.int64(0)])
    factors = builder.node("Cast", [builder.constant(space.whitening)], {"to": TensorProto.FLOAT})
    placed = builder.node("Squeeze", [builder.node("MatMul", [row, factors]), builder.int64(0)])
    length = builder.node("ReduceL2", [placed, builder.int64(0)], {"keepdims": 1})
    floor = builder.constant(np.array([_LEAST_LENGTH], np.float32))
    embedding = builder.rename(builder.node("Div", [placed, builder.node("Max", [length, floor])]), EMBEDDING)
    rows = builder.named_constant(_ROWS, space.prototypes)
    builder.rename(builder.node("MatMul", [rows, embedding]), SIMILARITIES)


def with_prototype(graph: bytes, row: FloatArray) -> bytes:
    """The graph with one class more at the end of `similarities`.

    Args:
        row: (D,) of length 1.

    Raises:
        OptionError: the graph gives no similarities, or has as many classes as it may.
    """
    model = onnx.load_model_from_string(graph)
    stored = next((tensor for tensor in model.graph.initializer if tensor.name == _ROWS), None)
    output = next((port for port in model.graph.output if port.name == SIMILARITIES), None)
    if stored is None or output is None:
        raise OptionError("the model cannot be taught: it gives no similarities. Train a classifier with this version.")
    rows = numpy_helper.to_array(stored)
    if len(rows) >= MOST_CLASSES:
        raise OptionError(f"the model has {len(rows)} classes, as many as it may.")
    stored.CopyFrom(numpy_helper.from_array(np.concatenate([rows, row[None]]).astype(np.float32), _ROWS))
    output.type.tensor_type.shape.dim[0].dim_value = len(rows) + 1
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _placed(embeddings: FloatArray, mean: FloatArray, whitening: NDArray[np.float16]) -> FloatArray:
    placed = (embeddings - mean) @ whitening.astype(np.float32)
    lengths = np.linalg.norm(placed, axis=1, keepdims=True)
    found: FloatArray = placed / np.maximum(lengths, _LEAST_LENGTH)
    return found


def _of_length_1(vector: FloatArray) -> FloatArray:
    found: FloatArray = vector / np.float32(max(float(np.linalg.norm(vector)), _LEAST_LENGTH))
    return found
