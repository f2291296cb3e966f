"""Formats in which a picture's class is the name of its folder or a cell of a CSV, and its defects are a mask.

`datasets/` reads them already; here their masks become annotations, and they are written.
"""

from pathlib import Path

import numpy as np

from sightline.datasets import csv_file, folder, mvtec
from sightline.datasets.annotations import Annotation, LabelledPicture, LabelledSet
from sightline.datasets.dataset import GOOD, Dataset, Sample, label_named
from sightline.datasets.formats.documents import head
from sightline.datasets.formats.format import Carries, Export, Format, Placed, in_images, size_of
from sightline.datasets.geometry import encoded, pixels_of
from sightline.datasets.masks import read_mask
from sightline.datasets.pictures import pictures_in, subfolders
from sightline.errors import DatasetError
from sightline.imaging.writing import png

_NOT_CLASSES = {"images", "imgs", "labels", "masks", "annotations", "train", "val", "test"}  # as names of folders


def labelled(dataset: Dataset) -> LabelledSet:
    """Any data set with each mask as one annotation; an empty mask is none.

    Raises:
        DatasetError: a mask cannot be read or is of another size, or a good picture's mask marks something.
    """
    return LabelledSet(
        name=dataset.name,
        root=dataset.root,
        pictures=tuple(map(_picture, dataset.samples)),
        classes=tuple(label for label in dataset.labels if label != GOOD),
        format=dataset.layout,
    )


def safe_label(picture: LabelledPicture) -> str:
    """The picture's class; DatasetError if no folder can be called so and read back."""
    label = picture.label or ""
    if not label or label != Path(label).name or "\\" in label or label.startswith(".") or label_named(label) != label:
        raise DatasetError(f'{picture.path}: the label "{label}" cannot be the name of a folder; rename it.')
    return label


def _picture(sample: Sample) -> LabelledPicture:
    if sample.mask is None:
        return LabelledPicture(path=sample.path, split=sample.split, labels=(sample.label,))
    height, width = size_of(sample.path)
    marked = read_mask(sample.mask, height, width)
    if sample.is_good and marked.any():
        raise DatasetError(f"{sample.mask}: marks a defect of a picture labelled good; correct the label or the mask.")
    found = (Annotation(label=sample.label, geometry=encoded(marked)),) if marked.any() else ()
    return LabelledPicture(
        path=sample.path, size=(height, width), split=sample.split, labels=(sample.label,), annotations=found
    )


def _are_classes(path: Path) -> bool:
    """A folder called good decides; without one, folders of pictures side by side and none beside them."""
    folders = subfolders(path)
    if any(label_named(name) == GOOD for name in folders):
        return True
    if _NOT_CLASSES & {name.casefold() for name in folders}:
        return False
    alone = len(folders) > 1 and not pictures_in(path, nested=False)
    return alone and all(pictures_in(child, nested=False) for child in folders.values())


def _write_nothing(export: Export) -> None:
    """The places of the pictures say it all."""


def _write_mvtec(export: Export) -> None:
    for placed in export.placed:
        _write_mask(placed, export.folder / mvtec.MASK_FOLDER / (placed.picture.label or ""))


def _write_csv(export: Export) -> None:
    samples = tuple(_sample(placed, export.folder) for placed in export.placed)
    dataset = Dataset(name=export.folder.name, root=export.folder, samples=samples, layout="csv")
    csv_file.write(dataset, export.folder / "dataset.csv")


def _sample(placed: Placed, folder: Path) -> Sample:
    picture = placed.picture
    mask = _write_mask(placed, folder / "masks")
    return Sample(path=folder / placed.place, label=picture.label or "", split=picture.split, mask=mask)


def _write_mask(placed: Placed, folder: Path) -> Path | None:
    """The regions of a picture as one PNG, 255 where there is defect; None where there are none."""
    annotations = placed.picture.annotations
    if not annotations:
        return None
    marked = np.logical_or.reduce([pixels_of(annotation.geometry, *placed.size) for annotation in annotations])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{placed.stem}_mask.png"
    path.write_bytes(png(marked.astype(np.uint8) * np.uint8(255)))
    return path


def _find_csv(path: Path) -> Path | None:
    """The CSV at `path`, or the only one in that folder, if it is one of ours."""
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    ours = len(files) == 1 and csv_file.matches(files[0])
    columns = head(files[0]).partition("\n")[0].split(",") if ours else []
    return files[0] if {"image", "label"} <= {column.strip().strip('"') for column in columns} else None


CLASSES = Format(
    name="classes",
    title="one folder per class",
    carries=frozenset({Carries.LABEL}),
    matches=_are_classes,
    read=lambda path: labelled(folder.read_classes(path)),
    place=lambda picture, name: f"{safe_label(picture)}/{name}",
    write=_write_nothing,
)
MVTEC = Format(
    name="mvtec",
    title="MVTec AD folders with masks",
    carries=frozenset({Carries.LABEL, Carries.MASK, Carries.SPLIT}),
    matches=mvtec.matches,
    read=lambda path: labelled(mvtec.read(path)),
    place=lambda picture, name: f"{picture.split}/{safe_label(picture)}/{name}",
    write=_write_mvtec,
    mask_splits=("test",),
)
CSV = Format(
    name="csv",
    title="CSV with image, label, split, mask",
    carries=frozenset({Carries.LABEL, Carries.MASK, Carries.SPLIT}),
    matches=lambda path: _find_csv(path) is not None,
    read=lambda path: labelled(csv_file.read(_find_csv(path) or path)),
    place=in_images,
    write=_write_csv,
)
