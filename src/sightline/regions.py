"""Names for the regions that an anomaly model finds: each is cut out and shown to a classifier in the same file.

The anomaly model has the last word on whether something is wrong. The classifier only says what it is, and where it
does not know, the region stays an anomaly: a new kind of defect is never passed because it has no name.
"""

from dataclasses import replace

import numpy as np

from sightline.bundle import Bundle
from sightline.errors import FrameError
from sightline.manifest import RegionRule
from sightline.models.detector import GraphDetector
from sightline.naming import name
from sightline.records import Box, Defect, Frame, Verdict

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

    def named(self, frame: Frame, defects: tuple[Defect, ...]) -> tuple[Defect, ...]:
        """The same defects; those among the first MOST_NAMED that the classifier is sure of have its name."""
        return tuple(self._named(frame, one) if at < MOST_NAMED else one for at, one in enumerate(defects))

    def _named(self, frame: Frame, defect: Defect) -> Defect:
        try:
            said = self._detector.score(cut_out(frame, defect.box, self._rule))
        except FrameError:  # it was judged already, and a name is no reason to lose the verdict
            return defect
        if said.probabilities is None or not np.isfinite(said.probabilities).all():
            return defect
        found = name(self._naming, self._thresholds, said.probabilities, said.score, said.similarities)
        if found.verdict is not Verdict.REJECT:
            return defect  # doubtful, or like nothing known
        return replace(defect, label=found.label, confidence=found.confidence)


def cut_out(frame: Frame, box: Box, rule: RegionRule) -> Frame:
    """The square around a region that is shown to the classifier, within the frame; without the depth map."""
    side = max(round(rule.side_share * max(box.width, box.height)), rule.least_px)
    left, width = _span(box.x, box.width, side, frame.width)
    top, height = _span(box.y, box.height, side, frame.height)
    pixels = frame.pixels[top : top + height, left : left + width].copy()
    return Frame(pixels=pixels, bit_depth=frame.bit_depth, source=frame.source)


def _span(start: int, length: int, side: int, whole: int) -> tuple[int, int]:
    """Where a piece of `side` around start..start + length begins within 0..whole, and how long it is."""
    side = min(side, whole)
    first = start + length // 2 - side // 2
    return min(max(first, 0), whole - side), side
