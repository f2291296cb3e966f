"""The MVTec AD layout, also as HALCON and others write it.

    <category>/train/good/*.png               "ok" and "normal" are read as good, in any case
    <category>/validation/good/*.png          optional; also "val"
    <category>/test/good/*.png
    <category>/test/<defect>/NNN.png
    <category>/ground_truth/<defect>/NNN_mask.png, or NNN.png

Masks belong to the test pictures: numbers start anew in each split, and 000 of train must not get the mask of 000 of
test. Synthetic pictures, which are for training only, have masks by their own names.
Defect folders under train are read with their label: what to do with them is for the trainer to decide.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sightline.datasets.dataset import Dataset, Sample, label_named
from sightline.datasets.pictures import pictures_in, subfolders
from sightline.datasets.synthetic import is_named_synthetic
from sightline.errors import DatasetError

MASK_FOLDER = "ground_truth"
_SPLIT_FOLDERS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def matches(path: Path) -> bool:
    return (path / "train").is_dir() or (path / "test").is_dir()


def read(path: Path) -> Dataset:
    """Read one category.

    Raises:
        DatasetError: no pictures, or pictures directly in a split's folder, where they have no class.
    """
    samples: list[Sample] = []
    for folder, split in _SPLIT_FOLDERS.items():
        stray = pictures_in(path / folder, nested=False) if (path / folder).is_dir() else []
        if stray:
            raise DatasetError(
                f'{stray[0]}: has no class; move pictures from "{folder}" to "{folder}/good" or "{folder}/<defect>".'
            )
        found = class_samples(path / folder, split, path / MASK_FOLDER)
        samples += (s if split == "test" or is_named_synthetic(s.path) else replace(s, mask=None) for s in found)
    return Dataset(name=path.resolve().name, root=path, samples=tuple(samples), layout="mvtec")


def class_samples(folder: Path, split: str, masks: Path | None) -> Iterator[Sample]:
    """Samples of a folder that holds one folder per class, with their masks from `masks/<class>` if given."""
    for name, class_folder in subfolders(folder).items():
        if class_folder == masks:
            continue
        known = _masks_by_picture(masks / name) if masks else {}
        for picture in pictures_in(class_folder):
            key = picture.relative_to(class_folder).with_suffix("")
            mask = known.get(key.with_name(f"{key.name}_mask")) or known.get(key)
            yield Sample(path=picture, label=label_named(name), split=split, mask=mask)


def _masks_by_picture(folder: Path) -> dict[Path, Path]:
    """Path below the folder, without suffix -> mask."""
    masks = pictures_in(folder) if folder.is_dir() else []
    return {mask.relative_to(folder).with_suffix(""): mask for mask in masks}
