"""From judged pictures and their truth to an evaluation; maps are counted as they pass and not kept."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import GOOD, Sample
from sightline.datasets.masks import read_mask
from sightline.datasets.segmented import SegmentedSet
from sightline.errors import DatasetError
from sightline.evaluation.box_tally import BoxTally
from sightline.evaluation.classes import most_probable, naming
from sightline.evaluation.intervals import rate
from sightline.evaluation.metrics import image_metrics
from sightline.evaluation.overlap import OverlapTally
from sightline.evaluation.pixels import PixelTally
from sightline.evaluation.results import Evaluation, Judged, Rate, Unjudged
from sightline.records import Inspection, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlines:
    """The truth of each pixel of a data set, in the classes that a model knows."""

    truth: SegmentedSet
    names: tuple[str, ...]  # of the model's classes of defects

    def classes_of(self, sample: Sample, height: int, width: int) -> NDArray[np.uint8]:
        """(height, width) 0, or 1 + the place among the names; the place after the last for any other class."""
        return self.truth.classes_of(sample, self.names, height, width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The pictures a person should look at first."""

    escapes: tuple[Judged, ...]  # defects: the passed ones first, each from the lowest score up
    overkills: tuple[Judged, ...]  # good pictures, from the highest score down


def evaluate(
    inspections: Iterable[tuple[Sample, Inspection]],
    *,
    model_id: str,
    method: str,
    dataset: str,
    threshold: float,
    review_threshold: float | None,
    outlines: Outlines | None = None,
    boxes: BoxTally | None = None,
) -> Evaluation:
    """Compare what a model said with the truth, one picture at a time.

    A FAULT is listed as not judged and counts in the confusion only. Pixel figures are taken over good pictures
    and defects whose mask marks something, each with a map and its size; a defect without such a mask is left out.

    Args:
        inspections: each picture with the model's verdict, score and map; a generator is consumed as it judges.
        threshold, review_threshold: the model's own, which the verdicts were made with.
        outlines: what is true of each pixel, for a model that outlines defects.
        boxes: what is true of the boxes, for a model that finds them.

    Raises:
        DatasetError: no pictures, or a mask that cannot be read or does not fit its picture.
        FrameError: a map that holds a value that is not finite.
    """
    judged: list[Judged] = []
    unjudged: list[Unjudged] = []
    tally = PixelTally()
    overlap = OverlapTally(outlines.names) if outlines else None
    for sample, inspection in inspections:
        source, score = str(sample.path), inspection.score
        if boxes is not None:
            boxes.add(sample, inspection.boxes)
        if inspection.verdict is Verdict.FAULT or score is None:
            unjudged.append(Unjudged(source=source, label=sample.label, reason=inspection.fault or "no score"))
            continue
        named, verdict = most_probable(inspection.probabilities) or inspection.named, inspection.verdict
        judged.append(Judged(source=source, label=sample.label, score=float(score), verdict=verdict, named=named))
        _count_pixels(tally, sample, inspection)
        if outlines and overlap and inspection.height and inspection.width:
            overlap.add(inspection.segments, outlines.classes_of(sample, inspection.height, inspection.width))
    if not (judged or unjudged):
        raise DatasetError(f"{dataset}: there are no pictures to evaluate. Add pictures to its test split.")
    good = [item for item in judged if not item.is_defect]
    defects = [item for item in judged if item.is_defect]
    return Evaluation(
        model_id=model_id,
        method=method,
        dataset=dataset,
        threshold=threshold,
        review_threshold=review_threshold,
        judged=tuple(judged),
        unjudged=tuple(unjudged),
        image=image_metrics([item.score for item in good], [item.score for item in defects]),
        pixel=tally.metrics(),
        escape=_share(defects, Verdict.PASS),
        overkill=_share(good, Verdict.REJECT),
        review=_share(judged, Verdict.REVIEW),
        recall_by_type=_recalls(defects),
        confusion=_confusion(judged, unjudged),
        naming=naming((item.label, item.named) for item in judged if item.named is not None),
        overlap=overlap.overlap() if overlap else None,
        boxes=boxes.figures() if boxes is not None else None,
    )


def worst(evaluation: Evaluation, count: int = 6) -> Worst:
    """At most `count` of each kind; equal scores in the order of their sources."""
    defects = (item for item in evaluation.judged if item.is_defect)
    good = (item for item in evaluation.judged if not item.is_defect)
    escapes = sorted(defects, key=lambda item: (item.verdict is not Verdict.PASS, item.score, item.source))
    overkills = sorted(good, key=lambda item: (-item.score, item.source))
    return Worst(escapes=tuple(escapes[:count]), overkills=tuple(overkills[:count]))


def _count_pixels(tally: PixelTally, sample: Sample, inspection: Inspection) -> None:
    height, width = inspection.height, inspection.width
    if inspection.map is None or height is None or width is None:
        return
    if sample.is_good:
        tally.add(inspection.map, np.zeros((height, width), np.bool_), str(sample.path))
    elif sample.mask is not None:
        mask = read_mask(sample.mask, height, width)
        if mask.any():  # an empty mask of a defect only says that nobody drew it
            tally.add(inspection.map, mask, str(sample.path))


def _share(items: Sequence[Judged], *verdicts: Verdict) -> Rate:
    return rate(sum(item.verdict in verdicts for item in items), len(items))


def _recalls(defects: Sequence[Judged]) -> dict[str, Rate]:
    """By type of defect."""
    return {
        label: _share([item for item in defects if item.label == label], Verdict.REJECT, Verdict.REVIEW)
        for label in sorted({item.label for item in defects})
    }


def _confusion(judged: Sequence[Judged], unjudged: Sequence[Unjudged]) -> dict[str, dict[str, int]]:
    """Truth, good first -> every verdict -> count."""
    found = Counter((item.label, item.verdict) for item in judged)
    found.update((item.label, Verdict.FAULT) for item in unjudged)
    labels = sorted({label for label, _ in found}, key=lambda label: (label != GOOD, label))
    return {label: {verdict.value: found[label, verdict] for verdict in Verdict} for label in labels}
