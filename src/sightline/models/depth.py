"""A picture and its depth map judged together: PatchCore on the picture, PatchCore on the normals, and one score.

The second half is the first one again, its pictures being those of `models.normals`, through the same backbone, whose
constants the graph holds once. That shape and colour are best judged apart and then joined is what Horwitz and Hoshen
2023, "Back to the Feature", arXiv 2203.05550, section 5, found with other features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnxruntime as ort

from sightline.errors import FrameError, OptionError
from sightline.models.backbone import Backbone
from sightline.models.detector import FittedDetector
from sightline.models.features import FeatureConfig, Frames, Progress, image_input
from sightline.models.graph import RUNTIME_ERRORS, GraphBuilder, first_line, open_session
from sightline.models.normals import (
    append_missing,
    append_normals,
    append_relief,
    depth_input,
    normals_model,
    slopes_model,
)
from sightline.models.patchcore import PatchCoreConfig
from sightline.models.patchcore import fit as fit_patchcore
from sightline.records import FloatArray, Frame

_LEVEL_QUANTILE = 0.25  # of the slopes of a good part: what noise and finish make of its smoothest places
LEVEL_SLOPE = 0.3  # what that becomes once scaled; of 0.08, 0.15, 0.3 and 0.6 the best on rendered parts
_GAIN_FRAMES = 50
_UPPER = 0.9  # quantile that, with the median, measures how good scores spread
_GUMBEL_SPAN = 1.884  # between those two quantiles, in units of a Gumbel distribution's scale
_LEAST_SPREAD = 0.005  # of the median
_LEAST_MISSING = 0.0005  # of the picture; smaller holes in the data are no news
_HOLE = 0.5  # support below which a place counts as a hole in the data

Setting = int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How raw scores become comparable: (score - middle) / spread."""

    middle: float
    spread: float

    def of(self, scores: FloatArray) -> FloatArray:
        return np.asarray((scores - np.float32(self.middle)) * np.float32(1 / self.spread), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scales:
    picture: Scale
    shape: Scale
    missing: Scale


class _NormalFrames:
    """Frames of a depth map's normals, made when asked for."""

    def __init__(self, frames: Frames, session: ort.InferenceSession) -> None:
        self._frames, self._session = frames, session

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> Frame:
        frame = self._frames[index]
        normals = _run(self._session, frame, ["normals"])[0]
        return Frame(pixels=normals.astype(np.uint16), bit_depth=16, source=frame.source)


def fit(
    frames: Frames,
    backbone: Backbone,
    feature_config: FeatureConfig,
    config: PatchCoreConfig,
    progress: Progress | None = None,
) -> FittedDetector:
    """Learn from good frames that have depth maps.

    A place's score is the highest of three, each in units of its own spread over good parts: the picture's, the
    normals', and, where points are missing, that of how much is missing in the whole picture. For scores that are
    maxima of many (Gumbel's distribution) the highest of standardised scores belongs to the lowest of the p-values,
    the combination of Tippett 1931: a defect that one of them sees is seen, and none raises more false alarms than
    another.

    Raises:
        OptionError: too few frames, or options that cannot work.
        FrameError: a frame cannot be used or has no depth map.
    """
    size = feature_config.height, feature_config.width
    picture = fit_patchcore(frames, backbone, feature_config, config, progress)
    gain = typical_gain(frames, *size, seed=feature_config.seed, progress=progress)
    session = open_session(normals_model(*size, gain))
    normals = _NormalFrames(frames, session)
    shape = fit_patchcore(normals, backbone, replace(feature_config, bit_depth=16), config, progress)
    missing = np.array([float(_run(session, frames[i], ["missing"])[0]) for i in range(len(frames))], np.float32)
    scales = _Scales(
        picture=scale_of(picture.good_scores),
        shape=scale_of(shape.good_scores),
        missing=scale_of(missing, least=_LEAST_MISSING),
    )
    channels = (scales.picture.of(picture.good_scores), scales.shape.of(shape.good_scores), scales.missing.of(missing))
    return FittedDetector(
        method="patchcore",
        features=feature_config,
        graph=_fused(picture.graph, shape.graph, feature_config, gain, scales),
        good_scores=np.maximum.reduce(channels),
        calibration=f"{picture.calibration}, picture and depth alike",
        settings={**picture.settings, **_named("depth_", shape.settings), "depth_gain": gain},
    )


def typical_gain(frames: Frames, height: int, width: int, *, seed: int = 0, progress: Progress | None = None) -> float:
    """What brings the slopes of good parts' smoothest places to LEVEL_SLOPE: neither unit nor pitch need be known.

    Raises:
        OptionError: the depth maps are flat. FrameError: a frame has no depth map.
    """
    session = open_session(slopes_model(height, width))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(frames))[:_GAIN_FRAMES])
    levels = []
    for done, index in enumerate(chosen):
        x, y, support = _run(session, frames[int(index)], ["slope_x", "slope_y", "support"])
        steep = np.hypot(x, y)[support >= _HOLE]
        levels.append(float(np.quantile(steep, _LEVEL_QUANTILE)) if steep.size else 0.0)
        if progress:
            progress("relief", done + 1, len(chosen))
    typical = float(np.median(levels)) if levels else 0.0
    if not typical > 0:
        raise OptionError(
            "the depth maps are flat: too many points have the height of their neighbours. Check the export."
        )
    return LEVEL_SLOPE / typical


def scale_of(scores: FloatArray, least: float | None = None) -> Scale:
    """Median and spread, robust against a few odd parts; the spread is a Gumbel distribution's scale.

    Args:
        least: the smallest spread; None: a small share of the median.
    """
    middle, upper = (float(value) for value in np.quantile(scores, [0.5, _UPPER]))
    floor = max(_LEAST_SPREAD * abs(middle), 1e-6) if least is None else least
    return Scale(middle=middle, spread=max((upper - middle) / _GUMBEL_SPAN, floor))


def _fused(
    picture: onnx.ModelProto, shape: onnx.ModelProto, config: FeatureConfig, gain: float, scales: _Scales
) -> onnx.ModelProto:
    """image, depth -> score, map: both graphs whole, and their maps joined."""
    builder = GraphBuilder()
    relief = append_relief(builder, "depth", config.height, config.width)
    normals = builder.node("Cast", [append_normals(builder, relief, gain)], {"to": onnx.TensorProto.UINT16})
    seen = _append_scaled(builder, _spliced_map(builder, picture, "image"), scales.picture)
    felt = _append_scaled(builder, _spliced_map(builder, shape, normals), scales.shape)
    absent = _append_scaled(builder, append_missing(builder, relief), scales.missing)
    support = builder.node("Squeeze", [relief.support, builder.int64(0, 1)])
    hole = builder.node("Less", [support, builder.constant(np.float32(_HOLE))])
    lost = builder.node("Where", [hole, absent, felt])
    values = builder.rename(builder.node("Max", [seen, felt, lost]), "map")
    builder.rename(builder.node("ReduceMax", [values], {"keepdims": 0}), "score")
    outputs = [("score", ()), ("map", (config.height, config.width))]
    return builder.build([image_input(config), depth_input()], outputs)


def _spliced_map(builder: GraphBuilder, model: onnx.ModelProto, source: str) -> str:
    names = [output.name for output in model.graph.output]
    return builder.splice(model, source)[names.index("map")]


def _append_scaled(builder: GraphBuilder, values: str, scale: Scale) -> str:
    """The very arithmetic of `Scale.of`."""
    centred = builder.node("Sub", [values, builder.constant(np.float32(scale.middle))])
    return builder.node("Mul", [centred, builder.constant(np.float32(1 / scale.spread))])


def _named(prefix: str, settings: Mapping[str, Setting]) -> dict[str, Setting]:
    return {f"{prefix}{name}": value for name, value in settings.items()}


def _run(session: ort.InferenceSession, frame: Frame, outputs: list[str]) -> list[FloatArray]:
    if frame.depth is None:
        raise FrameError(f"{frame.source or 'frame'}: has no depth map. Give one for every picture.")
    try:
        return list(session.run(outputs, {"depth": frame.depth}))
    except RUNTIME_ERRORS as error:
        raise FrameError(
            f"{frame.source or 'frame'}: its depth map cannot be used ({first_line(error)}). Check its size."
        ) from error
