"""How a model that gives names is read: parts of its manifest, and how a manifest refuses what cannot be."""

import re
from dataclasses import dataclass
from typing import NoReturn

from sightline.errors import BundleError

MAX_SIDE_PX = 65_536  # of a working size, a tile or a region
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRule:
    """One class that the model can name, "good" among them."""

    name: str
    images: int  # of it that were learnt from
    threshold: float | None = None  # a probability that reaches it is not passed; None: the score alone decides
    min_recall: float | None = None  # what the threshold was set for
    caught: int = 0  # by the threshold, of ...
    examples: int = 0  # ... the pictures of the class that it was set with; the exact interval follows from both
    promise: str = ""  # in words

    def __post_init__(self) -> None:
        for key, share in (("threshold", self.threshold), ("min_recall", self.min_recall)):
            if share is not None and not 0 <= share <= 1:
                refuse(f"naming.classes.{key}", f"is {share}; it must be from 0 to 1")
        if not 0 <= self.caught <= self.examples or self.images < 0:
            refuse("naming.classes", f"has impossible counts for {quoted(self.name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtClass:
    """A defect class that the model was taught by a few examples after its training."""

    name: str
    examples: int
    similarity: float  # a picture at least so like them, and liker than to any class it learnt, is of this class

    def __post_init__(self) -> None:
        if not -1 <= self.similarity <= 1:
            refuse("naming.taught.similarity", f"is {self.similarity}; it must be from -1 to 1")
        if self.examples < 1:
            refuse("naming.taught.examples", f"is {self.examples}; it must be 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How a model that names defects is read; its classes are in the order of the graph's `probabilities`."""

    classes: tuple[ClassRule, ...]
    review_confidence: float | None  # a name that is less probable is a REVIEW; None: no such rule
    taught: tuple[TaughtClass, ...] = ()  # in the order of the graph's `similarities`, after the classes
    weighted: bool = False  # whether the graph takes the weight of each pixel beside the picture
    least_similarity: float | None = None  # a picture less like every class than this is a REVIEW; None: no such rule

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            refuse("naming.classes", "must have two classes at least")
        if self.review_confidence is not None and not 0 <= self.review_confidence <= 1:
            refuse("naming.review_confidence", f"is {self.review_confidence}; it must be from 0 to 1")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes learnt, then of those taught."""
        return (*(rule.name for rule in self.classes), *(rule.name for rule in self.taught))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRule:
    """How the regions that an anomaly model finds are shown to the model that names them, which is in the same file."""

    names_sha256: str  # of the bytes of `names.sight`, lower-case hex
    side_share: float  # side of the square that is cut out, times the longer side of the region's box
    least_px: int  # side of the smallest square, in the frame's pixels

    def __post_init__(self) -> None:
        require_sha256("regions.names_sha256", self.names_sha256)
        if not 1 <= self.side_share <= 10:
            refuse("regions.side_share", f"is {self.side_share}; it must be from 1 to 10")
        if not 1 <= self.least_px <= MAX_SIDE_PX:
            refuse("regions.least_px", f"is {self.least_px}; it must be from 1 to {MAX_SIDE_PX} px")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locating:
    """How a model that finds defects as boxes is read; its classes are the places that the graph's `classes` name."""

    classes: tuple[ClassRule, ...]  # a threshold is the confidence from which on a box of the class is a defect
    confidence: float  # less sure boxes are not shown, but for the surest of a part that is not passed

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1:
            refuse("locating.confidence", f"is {self.confidence}; it must be from 0 to 1")
        if not self.classes:
            refuse("locating.classes", "must have one class at least")


def quoted(value: object) -> str:
    """`value` for a message: short, and escaped, so that no file can write to the user's terminal."""
    text = ascii(value)
    return text if len(text) <= 100 else f"{text[:96]}..."


def require_sha256(key: str, value: str) -> None:
    if not _SHA256.fullmatch(value):
        refuse(key, f"is {quoted(value)}; it must be 64 lower-case hex digits")


def refuse(key: str, what: str) -> NoReturn:
    """A manifest's key has a value that cannot be."""
    raise BundleError(f"manifest key {quoted(key)} {what}")
