"""What an evaluation found: the values that `evaluate` makes and the report draws."""

from dataclasses import dataclass, field

from sightline.datasets.dataset import GOOD
from sightline.records import BoolArray, FloatArray, Pixels, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A counted proportion with its exact (Clopper-Pearson) 95 % interval; all three are None when total is 0."""

    count: int
    total: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One picture, its truth and what the model said."""

    source: str
    label: str  # GOOD or the defect type
    score: float
    verdict: Verdict
    named: str | None = None  # the most probable class; None: the model names nothing

    @property
    def is_defect(self) -> bool:
        return self.label != GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A picture that could not be judged; on the line it is a FAULT."""

    source: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMetrics:
    """Threshold-free figures over whole pictures; None when only one class is present."""

    auroc: float | None
    average_precision: float | None
    best_f1: float | None
    best_f1_threshold: float | None
    recall_at_1pct_overkill: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelMetrics:
    """Figures over pixels of the pictures that have a mask (or are good)."""

    auroc: float | None
    average_precision: float | None
    aupro: float | None  # area under per-region overlap up to a false-positive rate of 0.3, over 0.3
    pictures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """How well one class is named."""

    name: str
    pictures: int  # of it that were judged
    precision: Rate  # of those named so, the share that are
    recall: Rate  # of those that are, the share named so
    f1: Rate  # its counts are those of Jaccard's index, from which its interval comes; see `classes.figures`


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How well the classes are told apart by the most probable one; the verdicts' limits have no part in it."""

    classes: tuple[ClassFigures, ...]  # good first, then by name
    macro_f1: float  # mean over the classes that occur among the pictures or the names
    confusion: dict[str, dict[str, int]]  # truth -> name -> count, both in the same order


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapFigures:
    """How well the pixels of one class, or of all defects, are found; None where neither found nor true has any."""

    name: str
    pixels: int  # that are truly of it
    iou: float | None
    dice: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecall:
    """Single defects of one size, the root of their area, px, and how many of them are found."""

    from_px: int
    below_px: int | None  # None: no upper end
    recall: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How well a model outlines defects, over all pixels of the pictures whose truth is known."""

    pooled: OverlapFigures  # all defects as one class
    background_iou: float
    mean_iou: float  # of these two
    picture_iou: float  # mean over the pictures with a defect, classes pooled
    pictures: int  # with a defect
    classes: tuple[OverlapFigures, ...]
    instances: tuple[InstanceRecall, ...]
    found_share: float  # of a defect's pixels, that must be marked for it to be found


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxClassFigures:
    """How well the boxes of one class are found."""

    name: str
    boxes: int  # in the truth
    ap50: float | None  # average precision at an intersection over union of 0.5; None: the truth has no such box
    ap50_95: float | None  # its mean over 0.5, 0.55, ..., 0.95
    precision: Rate  # of those found at the model's own limits, at 0.5
    recall: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxFigures:
    """How well defects are found as boxes; see `average_precision`."""

    classes: tuple[BoxClassFigures, ...]  # in the model's order
    map50: float  # means over the classes that the truth has
    map50_95: float
    by: str  # what computed them


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A model's figures on one data set at the model's own threshold."""

    model_id: str
    method: str
    dataset: str
    threshold: float
    review_threshold: float | None
    judged: tuple[Judged, ...]
    unjudged: tuple[Unjudged, ...]
    image: ImageMetrics
    pixel: PixelMetrics | None  # None when no picture has a mask
    escape: Rate  # defects that were passed (REVIEW is not passed) among judged defects
    overkill: Rate  # good parts not passed (REJECT) among judged good parts
    review: Rate  # pictures sent to a person among all judged
    recall_by_type: dict[str, Rate]  # defect type -> share not passed
    confusion: dict[str, dict[str, int]]  # truth label -> verdict -> count, FAULT included
    naming: Naming | None = None  # None: the model names nothing
    overlap: Overlap | None = None  # None: the model outlines nothing, or no truth is known
    boxes: BoxFigures | None = None  # None: the model finds no boxes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exhibit:
    """A picture worth showing in the report, with what the model saw."""

    judged: Judged
    pixels: Pixels  # (H, W, 1 or 3), scaled to 8 bit when shown
    bit_depth: int
    map: FloatArray  # (h, w) float32, score units, over the whole picture
    mask: BoolArray | None = field(default=None)  # (H, W) truth; None when there is none
