"""OpenVINO's intermediate representation: FILE.xml with the network, FILE.bin with its weights.

8-bit ranges come from NNCF's post-training quantisation, which is told to leave everything but convolutions alone. The
plug-in for processors computes in bfloat16 where it can unless asked not to; judged is what `PRECISION` asks for, and
whoever deploys the file has to ask for it, too.
"""

import logging
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from sightline.bundle import Bundle
from sightline.export.artifact import Artifact, library, versions_of
from sightline.export.fixed_size import Run, answer, fixed_size
from sightline.export.onnx_graph import floats_or_refusal
from sightline.models.convolutions import with_named_nodes
from sightline.records import AnomalyMap, Frame

PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}
_WANTED = "OpenVINO's format"


def representation(bundle: Bundle, product: str | None, calibration: Iterable[Frame] | None) -> Artifact:
    """The graph at its working size.

    Args:
        calibration: good frames for 8-bit ranges; None: the arithmetic stays as it is.

    Raises:
        OptionError: OpenVINO, or for 8 bits NNCF, is not installed; the model does not suit a fixed size; or hardly
            any weight of a convolution is left in float. FrameError: a frame cannot be read.
    """
    openvino = _silent("openvino")
    cut = fixed_size(bundle, product, _WANTED)
    named = with_named_nodes(cut.graph)
    network = openvino.Core().read_model(named.SerializeToString())
    if calibration is not None:
        chosen = floats_or_refusal(bundle, named)
        network = _quantised(network, chosen, calibration, cut.frames())
    with tempfile.TemporaryDirectory() as folder:
        xml, weights = Path(folder, "model.xml"), Path(folder, "model.bin")
        openvino.save_model(network, str(xml), compress_to_fp16=False)
        compiled = openvino.Core().compile_model(openvino.Core().read_model(str(xml)), "CPU", PRECISION)
        contents = {"": xml.read_bytes(), ".bin": weights.read_bytes()}
        score = cut.scorer(_runner(compiled))
        libraries = [ort, openvino, *(() if calibration is None else (_silent("nncf"),))]
    return Artifact(
        contents=contents,
        score=score,
        takes=cut.rule,
        versions=versions_of(*libraries),
        notes=("compile it with INFERENCE_PRECISION_HINT f32, as it was judged",),
    )


def score_of(xml: Path, bundle: Bundle, product: str | None = None) -> Callable[[Frame], AnomalyMap]:
    """A written export as a detector; its model says how pictures are resized."""
    openvino = _silent("openvino")
    compiled = openvino.Core().compile_model(openvino.Core().read_model(str(xml)), "CPU", PRECISION)
    return fixed_size(bundle, product, _WANTED).scorer(_runner(compiled))


def _silent(name: str) -> ModuleType:
    """OpenVINO or NNCF without their telemetry, which reports over the network unless someone has declined."""
    # both go on without where its import fails, as an entry of None makes it
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # the stubs know modules only
    return library(name, "edge", _WANTED)


def _runner(compiled: Any) -> Run:
    def run(image: NDArray[Any]) -> AnomalyMap:
        found = compiled({"image": image})
        return answer({name: values for port, values in found.items() for name in port.get_names()})

    return run


def _quantised(
    network: Any, chosen: list[str], calibration: Iterable[Frame], prepared: Callable[[Frame], NDArray[Any]]
) -> Any:
    nncf = _silent("nncf")
    nncf.set_log_level(logging.ERROR)  # else it lists each node that it leaves alone
    images = [{"image": prepared(frame)} for frame in calibration]  # at the working size, so that memory is bounded
    operations = network.get_ops()
    others = sorted({op.get_type_name() for op in operations} - {"Convolution", "GroupConvolution"})
    left = [op.get_friendly_name() for op in operations if op.get_type_name() in ("Convolution", "GroupConvolution")]
    left = [name for name in left if name.removesuffix("/WithoutBiases") not in chosen]
    return nncf.quantize(
        network,
        nncf.Dataset(images),
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=left, types=others, validate=False),
    )
