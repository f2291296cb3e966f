"""A CSV that lists pictures, written by hand, by a spreadsheet or by `sightline data split`.

    image,label,split,mask
    monday/0001.png,good,train,
    monday/0002.png,crack,test,masks/0002.png

`image` and `label` must be there; without `split` all pictures are for training. Paths count from the CSV's own
folder; absolute paths and `..` are allowed, as whoever points to the CSV may read those files anyway and nothing is
written there. Other columns are refused: a misspelt `mask` must not pass for "no masks".
"""

import csv
import io
import os
from pathlib import Path

from sightline.datasets.dataset import SPLITS, Dataset, Sample, label_named
from sightline.datasets.pictures import is_file
from sightline.datasets.table import Row, read_table
from sightline.errors import DatasetError
from sightline.files import write_bytes

_REQUIRED = frozenset({"image", "label"})
_OPTIONAL = frozenset({"split", "mask"})


def matches(path: Path) -> bool:
    return path.suffix.lower() == ".csv" and is_file(path)


def read(path: Path) -> Dataset:
    """Read the list, in its own order.

    Raises:
        DatasetError: with the line: a column, split or label that cannot be, a file that is missing or listed twice.
    """
    rows = read_table(path, _REQUIRED, _OPTIONAL)
    samples = tuple(_sample(path, row) for row in rows)
    _refuse_repeats(path, rows, samples)
    return Dataset(name=path.stem, root=path.parent, samples=samples, layout="csv")


def write(dataset: Dataset, path: Path) -> None:
    """Write `dataset` as a CSV at `path`, whole or not at all; `read` gives the same samples back.

    Raises:
        DatasetError: a file name is not valid text and cannot stand in a CSV.
        StoreError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "label", "split", "mask"))
    writer.writerows(_cells(sample, path.parent) for sample in dataset.samples)
    try:
        content = text.getvalue().encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"{path}: not written, as a file name in the data set is not valid text; rename it."
        ) from error
    write_bytes(path, content)


def _sample(table: Path, row: Row) -> Sample:
    where = f"{table}, line {row.line}"
    split = row.cells.get("split", "train")
    if split not in SPLITS:
        raise DatasetError(f'{where}: split "{split}" is not known; use one of {", ".join(SPLITS)}.')
    label = label_named(row.cells["label"])
    if not label:
        raise DatasetError(f'{where}: the label is empty; write "good" or the name of the defect.')
    mask = row.cells.get("mask", "")
    return Sample(
        path=_existing(where, table, row.cells["image"]),
        label=label,
        split=split,
        mask=_existing(where, table, mask) if mask else None,
    )


def _existing(where: str, table: Path, cell: str) -> Path:
    path = table.parent / cell
    if not cell or not is_file(path):
        raise DatasetError(f'{where}: there is no file "{cell}"; paths count from the folder of the CSV.')
    return path


def _refuse_repeats(table: Path, rows: list[Row], samples: tuple[Sample, ...]) -> None:
    first: dict[str, int] = {}
    for row, sample in zip(rows, samples, strict=True):
        earlier = first.setdefault(os.path.normpath(sample.path), row.line)
        if earlier != row.line:
            raise DatasetError(f"{table}, line {row.line}: {sample.path.name} is listed in line {earlier} already.")


def _cells(sample: Sample, folder: Path) -> tuple[str, str, str, str]:
    mask = _relative(sample.mask, folder) if sample.mask else ""
    return _relative(sample.path, folder), sample.label, sample.split, mask


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return path.resolve().as_posix()
