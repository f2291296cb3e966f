"""The feature extractor: the one that ships, or any other as an ONNX file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import version_converter

from sightline.errors import OptionError
from sightline.models.graph import OPSET, RUNTIME_ERRORS, first_line, open_session

SHIPPED = Path(__file__).parent / "backbone.onnx"
_PROBE_PX = 128  # a multiple of every stride that is supported


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backbone:
    """A network from (N, 3, H, W) float32 RGB in 0..1 to feature maps, finest first."""

    name: str
    sha256: str  # of the file
    model: onnx.ModelProto  # one input, opset OPSET
    strides: tuple[int, ...]
    channels: tuple[int, ...]

    @property
    def stride(self) -> int:
        """Of the finest map: the patch grid's spacing, px."""
        return self.strides[0]

    @property
    def multiple(self) -> int:
        """Working sizes are multiples of this, px."""
        return self.strides[-1]


def load_backbone(path: Path | None = None) -> Backbone:
    """Load the shipped backbone, or `path`: an ONNX file with one (N, 3, H, W) float32 input, RGB in 0..1, H and W
    free, and one or more (N, C, H / s, W / s) float32 outputs with different strides s that divide one another.

    Raises:
        OptionError: the file cannot be read or is not such a network.
    """
    where = path or SHIPPED
    try:
        data = where.read_bytes()
        model = onnx.load_model_from_string(data)
    except (OSError, DecodeError) as error:
        raise OptionError(f"{where}: cannot be read as an ONNX backbone ({error}). Give an ONNX file.") from error
    if not model.graph.node:
        raise OptionError(f"{where}: holds no network. Give an ONNX file.")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise OptionError(f"{where}: keeps its weights in another file. Save it as one ONNX file.")
    model = _at_our_opset(model, where)
    strides, channels, order = _probe(model, where)
    outputs = [model.graph.output[index] for index in order]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return Backbone(
        name=where.stem if path else "sightline",
        sha256=hashlib.sha256(data).hexdigest(),
        model=model,
        strides=strides,
        channels=channels,
    )


def _at_our_opset(model: onnx.ModelProto, where: Path) -> onnx.ModelProto:
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if set(opsets) != {""}:
        foreign = ", ".join(sorted(filter(None, opsets))) or "no operator set named"
        raise OptionError(
            f"{where}: uses operators outside the ONNX standard ({foreign}). Export it with ONNX's own only."
        )
    if len(_inputs(model)) != 1:
        raise OptionError(f"{where}: has {len(_inputs(model))} inputs; a backbone has one, the image.")
    if opsets[""] != OPSET:
        try:
            model = version_converter.convert_version(model, OPSET)
        except (version_converter.ConvertError, RuntimeError, ValueError) as error:
            raise OptionError(
                f"{where}: opset {opsets['']} cannot be converted to {OPSET}. Export it again."
            ) from error
    kept = _inputs(model)
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in stored]


def _probe(model: onnx.ModelProto, where: Path) -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    try:
        session = open_session(model, threads=1)
    except OptionError as error:
        raise OptionError(f"{where}: {error}") from error
    name = session.get_inputs()[0].name
    try:
        maps = session.run(None, {name: np.zeros((1, 3, _PROBE_PX, _PROBE_PX), np.float32)})
    except RUNTIME_ERRORS as error:
        raise OptionError(f"{where}: does not take (N, 3, H, W) float32 of any size: {first_line(error)}.") from error
    shapes = [np.shape(m) for m in maps]
    if any(len(s) != 4 or s[2] == 0 or s[2] != s[3] or _PROBE_PX % s[2] for s in shapes):
        raise OptionError(f"{where}: outputs have shapes {shapes} for a {_PROBE_PX} px square; feature maps expected.")
    strides = [_PROBE_PX // s[2] for s in shapes]
    order = sorted(range(len(shapes)), key=lambda index: strides[index])
    if len(set(strides)) != len(strides):
        raise OptionError(f"{where}: two outputs have the same stride ({sorted(strides)}); keep one of them.")
    return tuple(strides[i] for i in order), tuple(int(shapes[i][1]) for i in order), order
