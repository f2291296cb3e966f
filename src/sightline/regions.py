"""Names for the regions that an anomaly model finds: each is cut out and shown to a classifier in the same file.

The anomaly model has the last word on whether something is wrong. The classifier only says what it is, and where it
does not know, the region stays an anomaly: a new kind of defect is never passed because it has no name.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.bundle import Bundle
from sightline.errors import FrameError
from sightline.models.detector import GraphDetector
from sightline.name_rules import RegionRule
from sightline.naming import name
from sightline.records import Box, Defect, FloatArray, Frame, Verdict

MOST_NAMED = 8  # regions of a picture, the most anomalous ones, so that the time is bounded


class RegionNamer:
    """Names regions; safe to use from several threads at once."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        """Raises OptionError where the runtime cannot run the graph."""
        assert bundle.names is not None, "the caller has seen that it names"
        assert bundle.manifest.regions is not None, "a file with names has a rule"
        assert bundle.names.manifest.naming is not None, "names come from a classifier"
        self._rule = bundle.manifest.regions
        self._naming, self._thresholds = bundle.names.manifest.naming, bundle.names.manifest.thresholds
        self._detector = GraphDetector(bundle.names.graph, bundle.manifest.input.bit_depth, threads)

    def named(self, frame: Frame, defects: tuple[Defect, ...], values: FloatArray) -> tuple[Defect, ...]:
        """The same defects; those among the first MOST_NAMED that the classifier is sure of have its name.

        Args:
            values: (h, w) the anomaly map over the whole frame, in which the defects were found.
        """
        return tuple(self._named(frame, one, values) if at < MOST_NAMED else one for at, one in enumerate(defects))

    def _named(self, frame: Frame, defect: Defect, values: FloatArray) -> Defect:
        piece = cut_out(frame, defect.box, values, self._rule)
        try:
            said = self._detector.score(piece.frame, weights=piece.weights)
        except FrameError:  # it was judged already, and a name is no reason to lose the verdict
            return defect
        if said.probabilities is None or not np.isfinite(said.probabilities).all():
            return defect
        found = name(self._naming, self._thresholds, said.probabilities, said.score, said.similarities)
        if found.verdict is not Verdict.REJECT:
            return defect  # doubtful, or like nothing known
        return replace(defect, label=found.label, confidence=found.confidence)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """What the classifier is shown of a region."""

    frame: Frame
    weights: NDArray[np.uint8]  # (H, W) how much each pixel counts: 0 as usual parts look, 255 the most unusual here


def cut_out(frame: Frame, box: Box, values: FloatArray, rule: RegionRule) -> Piece:
    """The square around a region, within the frame, without the depth map; and the anomaly map there as weights.

    So the classifier sees what the anomaly model found, and little of the holes, letters and edges beside it.

    Args:
        values: (h, w) the anomaly map over the whole frame.
    """
    side = max(round(rule.side_share * max(box.width, box.height)), rule.least_px)
    left, width = _span(box.x, box.width, side, frame.width)
    top, height = _span(box.y, box.height, side, frame.height)
    pixels = frame.pixels[top : top + height, left : left + width].copy()
    across = (np.arange(left, left + width, dtype=np.float32) + 0.5) * np.float32(values.shape[1] / frame.width) - 0.5
    down = (np.arange(top, top + height, dtype=np.float32) + 0.5) * np.float32(values.shape[0] / frame.height) - 0.5
    here = cv2.remap(
        np.ascontiguousarray(values, np.float32),
        np.broadcast_to(across, (height, width)).copy(),
        np.broadcast_to(down[:, None], (height, width)).copy(),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    usual, most = float(np.median(values)), float(here.max())
    weights = np.rint(255 * np.clip((here - usual) / max(most - usual, 1e-12), 0, 1)).astype(np.uint8)
    return Piece(frame=Frame(pixels=pixels, bit_depth=frame.bit_depth, source=frame.source), weights=weights)


def _span(start: int, length: int, side: int, whole: int) -> tuple[int, int]:
    """Where a piece of `side` around start..start + length begins within 0..whole, and how long it is."""
    side = min(side, whole)
    first = start + length // 2 - side // 2
    return min(max(first, 0), whole - side), side
