"""LiteRT, formerly TensorFlow Lite: one .tflite file at the model's working size.

In float the whole graph is converted; where it computes in 8 bits, the levels are imitated: the answers are the
model's, the speed is not that of integers. A classifier becomes its probabilities alone (`class_network`), and can be
quantised whole, 8-bit integers in and out, as devices without floating point want it.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from sightline.bundle import Bundle
from sightline.datasets.dataset import GOOD
from sightline.errors import OptionError
from sightline.export.artifact import Artifact, library, versions_of
from sightline.export.class_network import NOTE, class_network
from sightline.export.fixed_size import FixedSize, Run, fixed_size
from sightline.records import AnomalyMap, FloatArray, Frame

_WANTED = "LiteRT's format"


def flat(bundle: Bundle, product: str | None, calibration: Iterable[Frame] | None = None) -> Artifact:
    """The graph at its working size.

    Args:
        calibration: pictures for 8-bit ranges; None: in floating point.

    Raises:
        OptionError: torch, litert-torch, ai-edge-litert or for 8 bits ai-edge-quantizer is not installed; the model
            does not suit a fixed size, or 8 bits; or its graph has an operator that is not known.
    """
    naming = bundle.manifest.naming
    if calibration is not None and naming is None:
        raise OptionError(
            f"{bundle.path}: its search for good patches stays in float; 8-bit LiteRT is for classifiers, leave it out."
        )
    torch = library("torch", "litert", _WANTED)
    converter = library("litert_torch", "litert", _WANTED)
    cut = fixed_size(bundle, product, _WANTED)
    whole = cut.graph if naming is None else class_network(bundle, cut)
    kind = cut.dtype if calibration is None else "float32"
    content = _converted(whole, torch.zeros((cut.height, cut.width, 3), dtype=getattr(torch, kind)))
    versions = versions_of(ort, torch, converter)
    if calibration is not None:
        content = _quantised(content, calibration, cut)
        versions["ai_edge_quantizer"] = version("ai-edge-quantizer")
    return Artifact(
        contents={"": content},
        score=cut.scorer(open_flat(content, () if naming is None else naming.names)),
        takes=cut.rule if calibration is None else f"{cut.rule}; as int8, by the input's scale and zero point",
        versions=versions,
        notes=() if naming is None else (NOTE,),
    )


def open_flat(content: bytes, names: Sequence[str] = ()) -> Run:
    """A .tflite file of ours, ready to run.

    Args:
        names: of a classifier's classes; then the map is one value.

    Raises:
        OptionError: ai-edge-litert is not installed.
    """
    runtime = library("ai_edge_litert.interpreter", "litert", _WANTED)
    interpreter = runtime.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    port = interpreter.get_input_details()[0]
    # the format keeps no names: the map has two axes, the score one; of a classifier there are the probabilities
    found = {len(output["shape"]): output for output in interpreter.get_output_details()}
    defects = [place for place, name in enumerate(names) if name != GOOD]

    def run(image: NDArray[Any]) -> AnomalyMap:
        interpreter.set_tensor(port["index"], _levels(image, port))
        interpreter.invoke()
        values = {axes: _floats(interpreter.get_tensor(output["index"]), output) for axes, output in found.items()}
        if not names:
            return AnomalyMap(score=float(values[1][0]), values=values[2])
        shares = values[2][0]
        score = min(1.0, float(shares[defects].sum())) if len(defects) < len(names) else 1.0
        return AnomalyMap(score=score, values=np.full((1, 1), score, np.float32), probabilities=shares)

    return run


def _levels(image: NDArray[Any], port: Mapping[str, Any]) -> NDArray[Any]:
    """Pixels as the file takes them."""
    scale, zero = port["quantization"]
    if not scale:
        return image.astype(port["dtype"])
    limits = np.iinfo(port["dtype"])
    levels: NDArray[Any] = np.rint(image / scale + zero).clip(limits.min, limits.max).astype(port["dtype"])
    return levels


def _floats(values: NDArray[Any], port: Mapping[str, Any]) -> FloatArray:
    scale, zero = port["quantization"]
    return np.array((values.astype(np.float32) - zero) * scale if scale else values, np.float32)


def _converted(graph: onnx.ModelProto, image: Any) -> bytes:
    from sightline.export.torch_network import TorchNetwork  # loads torch

    converter = library("litert_torch", "litert", _WANTED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        converter.convert(TorchNetwork(graph).eval(), (image,)).export(str(path))
        return path.read_bytes()


def _quantised(content: bytes, calibration: Iterable[Frame], cut: FixedSize) -> bytes:
    """The float file in 8-bit integers throughout, its input and its output, too.

    Ranges are from the lowest to the highest value: the library's own moving average cuts off what is rare, and took a
    network from 100 to 75 % right.
    """
    quantizer, calibrator, recipe, manager, ranges = (
        library(f"ai_edge_quantizer.{name}", "litert", "8-bit LiteRT")
        for name in ("quantizer", "calibrator", "recipe", "recipe_manager", "utils.qsv_utils")
    )
    prepared = cut.frames()
    pictures = [{"args_0": prepared(frame).astype(np.float32)} for frame in calibration]
    rules = manager.RecipeManager()
    rules.load_quantization_recipe(recipe.static_wi8_ai8())
    watcher = calibrator.Calibrator(content, num_threads=1, qsv_update_func=ranges.min_max_update)
    watcher.calibrate({"serving_default": pictures}, rules)
    maker = quantizer.Quantizer(content, rules.get_quantization_recipe())
    made: bytes = bytes(maker.quantize(watcher.get_model_qsvs()).quantized_model)
    return made
