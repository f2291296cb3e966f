"""TensorRT through ONNX Runtime's execution provider: one ONNX file that holds the engine compiled for this GPU.

The file runs with the same ONNX Runtime, TensorRT and kind of GPU only, by `open_engine`. Unproven: written to the
provider's documentation, on machines without a GPU.
"""

import tempfile
from pathlib import Path
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from sightline.bundle import Bundle
from sightline.errors import OptionError
from sightline.export.artifact import Artifact, versions_of
from sightline.export.fixed_size import Run, answer, fixed_size
from sightline.models.graph import RUNTIME_ERRORS, first_line
from sightline.records import AnomalyMap

PROVIDER = "TensorrtExecutionProvider"


def engine(bundle: Bundle, product: str | None) -> Artifact:
    """The graph at its working size, compiled for the GPU of this machine.

    Raises:
        OptionError: there is no TensorRT here, it cannot compile the graph, or the model does not suit a fixed size.
    """
    require_provider()
    cut = fixed_size(bundle, product, "TensorRT")
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder, "engine.onnx")
        options = {
            "trt_dump_ep_context_model": "1",
            "trt_ep_context_embed_mode": "1",  # the engine inside the ONNX file, not beside it
            "trt_ep_context_file_path": str(context),
        }
        _session(cut.graph.SerializeToString(), options)
        if not context.is_file():
            raise OptionError(f"{bundle.path}: TensorRT compiled no engine for it; export it to onnx.")
        content = context.read_bytes()
    return Artifact(
        contents={"": content},
        score=cut.scorer(open_engine(content)),
        takes=cut.rule,
        versions=versions_of(ort),
        notes=("runs on this kind of GPU with these versions only",),
    )


def open_engine(content: bytes) -> Run:
    """A compiled engine, ready to run; raises OptionError where it cannot be."""
    require_provider()
    session = _session(content, {})

    names = [port.name for port in session.get_outputs()]

    def run(image: NDArray[Any]) -> AnomalyMap:
        return answer(dict(zip(names, session.run(names, {"image": image}), strict=True)))

    return run


def require_provider() -> None:
    """Raise OptionError where ONNX Runtime has no TensorRT."""
    if PROVIDER not in ort.get_available_providers():
        raise OptionError(
            f"TensorRT needs an NVIDIA GPU and ONNX Runtime with {PROVIDER}; this one has "
            f"{', '.join(ort.get_available_providers())}. Install onnxruntime-gpu and TensorRT on a machine with a GPU."
        )


def _session(graph: bytes, options: dict[str, str]) -> ort.InferenceSession:
    session_options = ort.SessionOptions()
    session_options.log_severity_level = 3
    providers = [(PROVIDER, options), "CUDAExecutionProvider", "CPUExecutionProvider"]
    try:
        return ort.InferenceSession(graph, session_options, providers=providers)
    except RUNTIME_ERRORS as error:
        raise OptionError(f"TensorRT cannot run this graph: {first_line(error)}.") from error
