"""LiteRT, formerly TensorFlow Lite: one .tflite file, in float, at the model's working size.

Where the graph computes in 8 bits, the levels are imitated in float: the answers are the model's, the speed is not that
of integers.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from sightline.bundle import Bundle
from sightline.export.artifact import Artifact, library, versions_of
from sightline.export.fixed_size import Run, fixed_size
from sightline.records import FloatArray

_WANTED = "LiteRT's format"


def flat(bundle: Bundle, product: str | None) -> Artifact:
    """The graph at its working size.

    Raises:
        OptionError: torch, litert-torch or ai-edge-litert is not installed; the model does not suit a fixed size; or
            its graph has an operator that is not known.
    """
    torch = library("torch", "litert", _WANTED)
    cut = fixed_size(bundle, product, _WANTED)
    converter = library("litert_torch", "litert", _WANTED)
    from sightline.export.torch_network import TorchNetwork  # loads torch

    network = TorchNetwork(cut.graph).eval()
    image = torch.zeros((cut.height, cut.width, 3), dtype=getattr(torch, cut.dtype))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        converter.convert(network, (image,)).export(str(path))
        content = path.read_bytes()
    return Artifact(
        contents={"": content},
        score=cut.scorer(open_flat(content)),
        takes=cut.rule,
        versions=versions_of(ort, torch, converter),
    )


def open_flat(content: bytes) -> Run:
    """A .tflite file of ours, ready to run; raises OptionError where ai-edge-litert is not installed."""
    runtime = library("ai_edge_litert.interpreter", "litert", _WANTED)
    interpreter = runtime.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    image_place = interpreter.get_input_details()[0]["index"]
    # the format keeps no names: the map has two axes, the score one
    places = {len(port["shape"]): port["index"] for port in interpreter.get_output_details()}

    def run(image: NDArray[Any]) -> tuple[float, FloatArray]:
        interpreter.set_tensor(image_place, image)
        interpreter.invoke()
        return float(interpreter.get_tensor(places[1])[0]), np.array(interpreter.get_tensor(places[2]), np.float32)

    return run
