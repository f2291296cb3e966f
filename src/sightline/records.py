"""The values that travel through Sightline: a frame goes in, an inspection comes out."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.errors import FrameError

UNNAMED = "anomaly"  # the label of what is unusual and has no name
FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


class Verdict(StrEnum):
    """What becomes of a part; the line treats REVIEW by its recipe and FAULT as a reject."""

    PASS = "PASS"
    REJECT = "REJECT"
    REVIEW = "REVIEW"  # a person decides
    FAULT = "FAULT"  # could not be judged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """The pixels of one view, decoded and owned by this record."""

    pixels: Pixels  # (H, W, C) uint8 or uint16; C is 1 (grey) or 3 (RGB)
    bit_depth: int = 8  # significant bits: 8 for uint8, 10..16 for uint16; white is 2**bit_depth - 1
    source: str = ""  # file or camera it came from, for messages and records
    depth: NDArray[np.uint16] | None = None  # (H, W) height or distance of each pixel, 0: no point; None: not measured

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
            raise FrameError(
                f"{self.source or 'frame'}: pixels have shape {shape}; expected height x width x 1 (grey) or 3 (RGB)."
            )
        if dtype not in (np.uint8, np.uint16):
            raise FrameError(f"{self.source or 'frame'}: pixels are {dtype}; give uint8 or uint16.")
        if not (self.bit_depth == 8 if dtype == np.uint8 else 8 < self.bit_depth <= 16):
            raise FrameError(f"{self.source or 'frame'}: {self.bit_depth} significant bits do not fit {dtype} pixels.")
        if self.depth is not None:
            self._check_depth(self.depth)

    def _check_depth(self, depth: NDArray[np.uint16]) -> None:
        name = self.source or "frame"
        if depth.dtype != np.uint16:
            raise FrameError(f"{name}: the depth map is {depth.dtype}; give uint16, 0 where there is no point.")
        if depth.shape != self.pixels.shape[:2]:
            found = " x ".join(str(side) for side in reversed(depth.shape))
            raise FrameError(
                f"{name}: the depth map is {found}, the picture {self.width} x {self.height} pixels; "
                "export both from the same view."
            )
        if not depth.any():
            raise FrameError(f"{name}: the depth map has no point. Check the 3D camera.")

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """Boxes of one picture, found or known."""

    corners: FloatArray  # (n, 4) left, top, right, bottom, px; continuous: a picture's right edge is its width
    classes: NDArray[np.int64]  # (n,) places in a list of classes
    confidences: FloatArray  # (n,) 0..1; of those known, 1

    def __len__(self) -> int:
        return len(self.classes)

    def only(self, chosen: NDArray[np.intp]) -> "Boxes":
        """Some of them, in the order of their places."""
        return Boxes(corners=self.corners[chosen], classes=self.classes[chosen], confidences=self.confidences[chosen])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnomalyMap:
    """What a detector says about a frame: how unusual it is, and where."""

    score: float  # raw, higher is more anomalous, the maximum of `values`; NaN or infinite if the model failed
    values: FloatArray  # (h, w) float32 over the whole frame, row 0 at the top, at the model's own resolution
    probabilities: FloatArray | None = None  # (K,) of the model's classes, in their order; None: it names nothing
    similarities: FloatArray | None = None  # (K + T,) cosines to these and to the T classes taught; None: as above
    masks: FloatArray | None = None  # (K, h, w) how probably each pixel is each class of defect; None: no outlines
    boxes: Boxes | None = None  # in px of the working picture, the most confident first; None: it finds no boxes


class Detector(Protocol):
    """Anything that judges a frame."""

    def score(self, frame: Frame) -> AnomalyMap: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in the frame's own pixels; `x`, `y` is the top left pixel, which it includes."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One finding: a connected region whose map values reach the threshold."""

    box: Box
    area_px: int  # in the frame's own pixels
    peak: float  # the region's highest map value, in score units
    label: str = UNNAMED
    confidence: float | None = None  # of the label, 0..1; None where nothing names the defect
    area_mm2: float | None = None  # None where the scale is not known
    severity: float | None = None  # 0..1, of a model that outlines defects; None: it does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where the time of one inspection went."""

    decode_ms: float | None  # None when the pixels came decoded
    graph_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inspection:
    """One picture judged."""

    source: str
    verdict: Verdict
    score: float | None  # raw; None only for a FAULT that has no score
    threshold: float  # a score that reaches it is a REJECT
    review_threshold: float | None  # a score that reaches it is at least a REVIEW; None: no review band
    p_value: float | None  # share of good parts at least this unusual, (1 + k) / (n + 1); None for a FAULT
    model_id: str
    width: int | None = None  # of the frame, px; None if it could not be decoded
    height: int | None = None
    defects: tuple[Defect, ...] = ()  # most anomalous first
    map: FloatArray | None = field(default=None, repr=False)  # (h, w) float32 in score units
    timings: Timings | None = None
    fault: str | None = None  # why it could not be judged; None unless the verdict is FAULT
    product: str | None = None  # that it was judged as; None where the model has no bank per product
    probabilities: dict[str, float] | None = None  # class -> how probable, of a model that names; None: it does not
    named: str | None = None  # what a model that names regions says of the whole: good, or the worst region's label
    # (H', W') uint8 over the whole frame, 0 or the place among the labels of the defect there; None: none is outlined
    segments: NDArray[np.uint8] | None = field(default=None, repr=False)
    boxes: Boxes | None = field(default=None, repr=False)  # all, whatever their confidence; None: it finds no boxes

    def __post_init__(self) -> None:
        scored = self.score is not None and math.isfinite(self.score)
        assert self.verdict is Verdict.FAULT or scored, "a verdict other than FAULT needs a finite score"
        assert (self.verdict is Verdict.FAULT) == (self.fault is not None), "a FAULT, and only a FAULT, has a reason"
