"""Pictures with the boxes of their defects, from boxes, outlines or masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.datasets.annotations import LabelledPicture, LabelledSet
from sightline.datasets.dataset import GOOD, Dataset, Sample, label_named
from sightline.datasets.geometry import box_of, clipped
from sightline.datasets.labelled import open_labelled
from sightline.errors import DatasetError
from sightline.records import Boxes

MOST_CLASSES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxedSet:
    """A data set whose pictures of defects say where each defect lies; each annotation is one box."""

    dataset: Dataset  # a sample's label is that of most of its boxes; none is an example of nothing
    pictures: Mapping[Path, LabelledPicture]  # of every sample
    names: tuple[str, ...]  # the classes of defects, by name
    unknown: int = 0  # pictures left out, as nobody has looked at them or they do not say where their defect is

    def boxes_of(self, path: Path, names: Sequence[str], size: tuple[int, int]) -> Boxes:
        """The boxes of a picture, px of one of this height and width; a class not among the names is the next place."""
        picture, places = self.pictures[path], {name: place for place, name in enumerate(names)}
        corners, classes = [], []
        for one in picture.annotations:
            assert picture.size is not None, "annotations have a size beside them"
            box = clipped(box_of(one.geometry), *picture.size)
            if (label := label_named(one.label)) != GOOD and box.left < box.right and box.top < box.bottom:
                corners.append((box.left, box.top, box.right, box.bottom))
                classes.append(places.get(label, len(names)))
        scale = (size[1] / picture.size[1], size[0] / picture.size[0]) * 2 if picture.size else (1.0,) * 4
        return Boxes(
            corners=(np.array(corners, np.float64).reshape(-1, 4) * scale).astype(np.float32),
            classes=np.array(classes, np.int64),
            confidences=np.ones(len(classes), np.float32),
        )


def open_boxed(path: Path) -> BoxedSet:
    """Read the data set at `path` for what learns or judges boxes.

    Raises:
        DatasetError: as `open_labelled`; no picture says where its defect is, or there are too many classes.
    """
    return boxed(open_labelled(path))


def boxed(found: LabelledSet) -> BoxedSet:
    """The pictures whose defects have a place, and those that have none; raises DatasetError as `open_boxed`."""
    known = [picture for picture in found.pictures if _says_where(picture)]
    labels = {label_named(one.label) for picture in known for one in picture.annotations}
    names = tuple(sorted(labels - {GOOD}))
    if not names:
        raise DatasetError(
            f"{found.root}: no picture says where its defect is. Give boxes, outlines or masks; a classifier, "
            "--method classifier, needs none."
        )
    if len(names) > MOST_CLASSES:
        raise DatasetError(f"{found.root}: has {len(names)} classes of defects; {MOST_CLASSES} at most can be learnt.")
    samples = tuple(Sample(path=each.path, label=_label(each), split=each.split) for each in known)
    return BoxedSet(
        dataset=Dataset(name=found.name, root=found.root, samples=samples, layout=found.format),
        pictures={picture.path: picture for picture in known},
        names=names,
        unknown=len(found.pictures) - len(known),
    )


def _says_where(picture: LabelledPicture) -> bool:
    return bool(picture.annotations) or (picture.label is not None and label_named(picture.label) == GOOD)


def _label(picture: LabelledPicture) -> str:
    """What is most of what is boxed; the picture's own label may be of something that nobody boxed."""
    found = [label_named(one.label) for one in picture.annotations]
    defects = sorted(set(found) - {GOOD}, key=lambda label: (-found.count(label), label))
    return defects[0] if defects else GOOD
