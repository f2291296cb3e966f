"""Data sets on their way in and out: folders and archives in any format, reviewed inspections, exports."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from sightline.datasets.annotations import LabelledPicture, LabelledSet
from sightline.datasets.conversion import Conversion, write_labelled
from sightline.datasets.formats.format import size_of
from sightline.datasets.labelled import guessed, open_labelled
from sightline.datasets.opening import open_dataset
from sightline.errors import BusyError, DatasetError, FrameError
from sightline.store.archives import Bounds, unpack
from sightline.store.datasets import MOST_ITEMS, Item
from sightline.store.drawing import annotation_document, annotation_from
from sightline.store.pictures import Pictures
from sightline.store.retention import Kept

T = TypeVar("T")
Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A version as a ZIP."""

    path: Path
    losses: tuple[str, ...]  # what the format had no room for


def from_archive(
    pictures: Pictures,
    archive: Path,
    work: Path,
    *,
    now_s: float,
    bounds: Bounds | None = None,
    progress: Progress | None = None,
) -> tuple[Item, ...]:
    """Items of the data set in a ZIP, in any format; its pictures are stored.

    Args:
        work: a folder where it is unpacked.

    Raises:
        DatasetError: the archive or the data set in it cannot be used; it may have stored some of the pictures, which
            then go again when their time is over.
        StoreError: it cannot be unpacked, as the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="archive-", dir=work) as unpacked:
        folder = Path(unpacked)
        unpack(archive, folder, bounds)
        try:
            return from_folder(pictures, _only_folder(folder), now_s=now_s, progress=progress)
        except DatasetError as error:  # where it was unpacked is nobody's business
            raise DatasetError(str(error).replace(f"{folder}/", "").replace(str(folder), archive.name)) from error


def from_folder(
    pictures: Pictures, folder: Path, *, now_s: float, progress: Progress | None = None
) -> tuple[Item, ...]:
    """Items of a data set that lies in a folder, none of whose files may lie outside.

    Raises:
        DatasetError: it cannot be read, a picture cannot be used, or a file that it names lies outside.
    """
    folder = folder.resolve()
    if guessed(folder) in (None, "csv"):  # only these name files by their paths
        for sample in open_dataset(folder).samples:
            _check_inside(folder, *(path for path in (sample.path, sample.mask) if path))
    found = open_labelled(folder)
    if len(found.pictures) > MOST_ITEMS:
        raise DatasetError(f"{folder.name}: has {len(found.pictures)} pictures; the most is {MOST_ITEMS}. Divide it.")
    _check_inside(folder, *(picture.path for picture in found.pictures))
    items = []
    for picture in found.pictures:
        items.append(_stored(pictures, folder, picture, now_s))
        if progress:
            progress("storing", len(items), len(found.pictures))
    return tuple(items)


def laid_out(
    pictures: Pictures, root: Path, items: Sequence[Item], progress: Progress | None = None
) -> tuple[Path, ...]:
    """The pictures of items as files below `root`, in their order and under their names as far as those differ.

    Raises:
        NotFoundError, StoreError, StoreAway: one cannot be read.
    """
    paths = []
    for number, item in enumerate(items):
        paths.append(_written(pictures, root, number, item))
        if progress:
            progress("fetching", number + 1, len(items))
    return tuple(paths)


def document_of(picture: LabelledPicture) -> dict[str, Any]:
    """What is known of a picture beside its label and split, as an item keeps it."""
    return {
        "labels": list(picture.labels),
        "annotated": picture.annotated,
        "confidence": picture.confidence,
        "annotations": [annotation_document(annotation) for annotation in picture.annotations],
    }


def export(
    pictures: Pictures,
    name: str,
    items: Sequence[Item],
    folder: Path,
    conversion: Conversion,
    *,
    wanted: Callable[[], bool] = lambda: True,
) -> Exported:
    """Write a version into `folder` as NAME.zip, in any format.

    Args:
        wanted: asked at each picture; where it says no, the export ends.

    Raises:
        BusyError: it is not wanted any more.
        DatasetError: the format cannot carry all of it, and `conversion` is not lossy.
        NotFoundError, StoreError, StoreAway: a picture cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="sightline-", dir=folder) as work:
        root = Path(work, "pictures")
        labelled = tuple(_placed(pictures, root, number, item) for number, item in _while(wanted, enumerate(items)))
        dataset = LabelledSet(name=name, root=root, pictures=labelled, format="sightline")
        try:
            done = write_labelled(dataset, Path(work, name), conversion, progress=False)
        except DatasetError as error:
            raise DatasetError(str(error).replace(str(root), name)) from error
        shutil.rmtree(root)
        return Exported(path=_zipped(Path(work, name), folder / f"{name}.zip", wanted), losses=done.losses)


def _stored(pictures: Pictures, root: Path, picture: LabelledPicture, now_s: float) -> Item:
    name = picture.path.relative_to(root).as_posix()
    try:
        digest = pictures.keep(_content(picture.path, pictures.most_bytes), kept=Kept.PASS, now_s=now_s)
    except FrameError as error:
        raise DatasetError(f"{name}: {error}") from error
    return Item(
        picture=digest, name=name, split=picture.split, label=picture.label or "", annotations=document_of(picture)
    )


def _while(wanted: Callable[[], bool], what: Iterable[T]) -> Iterator[T]:
    for one in what:
        if not wanted():
            raise BusyError("the export was given up, as nobody waits for it any more.")
        yield one


def _content(path: Path, most_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most_bytes + 1)


def _written(pictures: Pictures, root: Path, number: int, item: Item) -> Path:
    path = root.joinpath(*PurePosixPath(item.name).parts)
    if path.exists():  # the same name twice
        path = root / str(number) / path.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pictures.read(item.picture))
    return path


def _placed(pictures: Pictures, root: Path, number: int, item: Item) -> LabelledPicture:
    """An item's picture as a file, with all that is known of it."""
    path = _written(pictures, root, number, item)
    known = item.annotations
    labels = tuple(known.get("labels", ())) or ((item.label,) if item.label and "annotations" not in known else ())
    return LabelledPicture(
        path=path,
        size=size_of(path),
        split=item.split or "train",
        labels=labels,
        annotations=tuple(annotation_from(document) for document in known.get("annotations", ())),
        annotated=bool(known.get("annotated", item.label)),
        confidence=known.get("confidence"),
    )


def _only_folder(folder: Path) -> Path:
    """Where the data set is: most archives hold one folder, and in it everything."""
    children = list(folder.iterdir())
    if len(children) == 1 and children[0].is_dir() and guessed(folder) is None:
        return children[0]
    return folder


def _check_inside(folder: Path, *paths: Path) -> None:
    root = folder.resolve()
    for path in paths:
        if not path.resolve().is_relative_to(root):
            raise DatasetError(f"{folder.name}: names {str(path)[-80:]!r}, which lies outside; put it inside.")


def _zipped(source: Path, target: Path, wanted: Callable[[], bool]) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
        for path in _while(wanted, sorted(source.rglob("*"))):
            if path.is_file():
                archive.write(path, path.relative_to(source).as_posix())
    return target
