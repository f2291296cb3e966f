"""What the speed programs time: our graph learnt from rendered parts, bare networks, and the peer at its full size."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

import peer
from sightline.bundle import Bundle
from sightline.bundle import load as load_bundle
from sightline.datasets.opening import open_dataset
from sightline.models.graph import open_session
from sightline.records import FloatArray
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig, train

LINE_IMAGES = 200  # good pictures that the comparison with the peer is made for
PEER_BANK = LINE_IMAGES * peer.CELLS // 10  # 20,480: a coreset of 10 %
PEER_DIMENSIONS = 512 + 1024


def our_model(side: int = 256, bank: int | None = None, images: int | None = None) -> Bundle:
    """PatchCore with default settings but for the working size, learnt from rendered parts.

    Args:
        side: of pictures and working size, px.
        bank: vectors; None: as many as the default keeps of LINE_IMAGES pictures.
        images: to learn from; None: LINE_IMAGES, or no more than fill the bank.
    """
    needed = 5 if bank is None else max(5, math.ceil(1.3 * bank / (side // 8) ** 2))
    count = images or (LINE_IMAGES if bank is None else needed)
    with tempfile.TemporaryDirectory() as scratch:
        folder, model = Path(scratch) / "parts", Path(scratch) / "model.sight"
        write_dataset(folder, PartConfig(size=side), Counts(good_train=count, good_test=0, per_defect=0))
        train(open_dataset(folder), model, TrainConfig(size=(side, side), bank=bank))
        return load_bundle(model)


def bank_of(bundle: Bundle) -> int:
    """How many vectors the model keeps."""
    return int(bundle.manifest.provenance.config["bank"] or 0)


def picture(side: int = 256) -> np.ndarray:
    """A made-up grey picture (side, side, 1) uint8."""
    return np.random.default_rng(0).integers(0, 256, (side, side, 1), np.uint8)


def graph_run(graph: bytes, side: int, threads: int) -> Callable[[], object]:
    """A run of a whole graph from pixels to score and map."""
    session, pixels = open_session(graph, threads=threads), picture(side)
    return lambda: session.run(None, {"image": pixels})


def network_run(path: Path, threads: int) -> Callable[[], object]:
    """A run of a bare network on a 256 x 256 picture."""
    session = open_session(path.read_bytes(), threads=threads)
    name = session.get_inputs()[0].name
    image = np.random.default_rng(0).random((1, 3, 256, 256), np.float32)
    return lambda: session.run(None, {name: image})


def peer_graph_run(teacher: Path, threads: int) -> Callable[[], object]:
    """The peer with its whole bank, as one graph."""
    graph = peer.graph(onnx.load(teacher), _peer_bank())
    return graph_run(graph.SerializeToString(), 256, threads)


def peer_numpy_run(teacher: Path, threads: int) -> Callable[[], object]:
    """The same, but with the distance matrix in NumPy, by OpenBLAS with as many threads as its environment allows."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # OpenBLAS needs the cores next
    model = peer.patch_graph(onnx.load(teacher)).SerializeToString()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    bank, pixels = _peer_bank(), picture()
    norms = np.square(bank).sum(axis=1)

    def run() -> object:
        patches = session.run(["patches"], {"image": pixels})[0]
        least = (norms - 2 * (patches @ bank.T)).min(axis=1)
        distances = np.sqrt(np.maximum(least + np.square(patches).sum(axis=1), 0))
        return distances.max()

    return run


def _peer_bank() -> FloatArray:
    """Made up: how long a product takes does not depend on its numbers."""
    return np.random.default_rng(0).random((PEER_BANK, PEER_DIMENSIONS), np.float32)
