"""Opening a data set with all its labels and annotations, in any format."""

from pathlib import Path

from sightline.datasets import folder, visa
from sightline.datasets.annotations import LabelledSet
from sightline.datasets.dataset import Dataset, Sample, label_named
from sightline.datasets.formats.plain import labelled
from sightline.datasets.formats.table import FORMATS
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError, OptionError

_SUFFIXES = frozenset({".json", ".jsonl", ".manifest", ".xml", ".csv", ".yaml", ".yml"})


def open_labelled(path: Path, format_name: str | None = None) -> LabelledSet:
    """Read the data set at `path` for whoever needs more than good or not: classes, boxes, outlines and masks.

    Pictures are not decoded; their sizes are read where annotations need them, and masks are.

    Args:
        format_name: one in `formats.table.FORMATS`; None: told by the content, and else what `open_dataset` takes.

    Raises:
        DatasetError: nothing is there, it is not of that format or of none that is known, or a part of it is damaged,
            missing, or does not fit its picture.
        OptionError: there is no such format.
    """
    if format_name is not None and format_name not in FORMATS:
        raise OptionError(f'there is no format "{format_name}"; use one of {", ".join(FORMATS)}.')
    try:
        path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot be opened ({reason}); check the path.") from error
    name = format_name or guessed(path)
    if name:
        return FORMATS[name].read(path)
    dataset = open_dataset(path)
    _refuse_unknown(dataset)
    return labelled(dataset)


def open_classes(path: Path) -> Dataset:
    """Read the data set at `path` for what learns a name for each picture; one that nobody has labelled is left out.

    Where a picture has annotations and no label of its own, the most frequent of them names it. Class folders are
    classes although none of them is called good.

    Raises:
        DatasetError: as `open_labelled`, or no picture has a label.
    """
    name = guessed(path)
    if name == "classes":
        return folder.read_classes(path)
    if name in (None, "mvtec", "csv"):  # with the masks as files, which pixels are judged by
        return open_dataset(path)
    found = open_labelled(path, name)
    samples = tuple(
        Sample(path=picture.path, label=label_named(picture.label), split=picture.split)
        for picture in found.pictures
        if picture.label is not None
    )
    if not samples:
        raise DatasetError(f"{path}: no picture has a label; label some first.")
    return Dataset(name=found.name, root=found.root, samples=samples, layout=found.format)


def _refuse_unknown(dataset: Dataset) -> None:
    """Pictures beside annotations that are not understood must not pass for good ones."""
    if dataset.layout != "folder":
        return
    beside = sorted(file for file in dataset.root.iterdir() if file.suffix.lower() in _SUFFIXES)
    if beside:
        raise DatasetError(
            f"{beside[0]}: may hold annotations, but in no format that is known; "
            "name the format, or take the file away if all pictures are good."
        )


def guessed(path: Path) -> str | None:
    """The name of the format of what lies at `path`; None if only `open_dataset` may know it."""
    if path.is_dir() and visa.matches(path):
        return None
    return next((name for name, form in FORMATS.items() if form.matches(path)), None)
