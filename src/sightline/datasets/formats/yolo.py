"""YOLO as Ultralytics has it: one text file for each picture, boxes or outlines as shares of its sides.

    data.yaml                                 path, train, val, test: folders of pictures; names: the classes
    images/train/0001.png
    labels/train/0001.txt                     class cx cy width height, or class x y x y x y ...

An even count of numbers ends in a confidence, as predictions have it. A picture without a text file has no defects.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sightline.datasets.annotations import Annotation, Geometry, LabelledPicture, LabelledSet, Polygons, Rectangle
from sightline.datasets.formats.class_names import described, settings
from sightline.datasets.formats.documents import finite, head, placed_at, read_text
from sightline.datasets.formats.format import (
    SHORT,
    Carries,
    Export,
    Format,
    Placed,
    files_in,
    in_split_folder,
    size_of,
    split_named,
)
from sightline.datasets.geometry import clipped, polygon
from sightline.datasets.pictures import is_file, pictures_in
from sightline.errors import DatasetError

_NAMES = re.compile(r"^names\s*:", re.MULTILINE)
_MOST_BYTES = 64 << 20  # of one text file


def _matches(path: Path) -> bool:
    return _data_file(path) is not None


def _data_file(path: Path) -> Path | None:
    """data.yaml, or the only file of that kind."""
    files = [file for suffix in (".yaml", ".yml") for file in files_in(path, suffix) if _NAMES.search(head(file))]
    named = [file for file in files if file.stem == "data"]
    return (named or files)[0] if named or len(files) == 1 else None


def _read(path: Path) -> LabelledSet:
    file = _data_file(path)
    if file is None:
        raise DatasetError(f"{path}: holds no data.yaml; YOLO needs it for the names of the classes.")
    told = settings(file)
    pictures: list[LabelledPicture] = []
    for key in ("train", "val", "validation", "test"):
        split = split_named(key) or "train"
        pictures += (
            _picture(picture, split, told.names, file) for picture in _listed(file, told.path, told.places.get(key, ()))
        )
    return LabelledSet(
        name=file.resolve().parent.name, root=file.parent, pictures=tuple(pictures), classes=told.names, format="yolo"
    )


def _listed(file: Path, root: str, places: Sequence[str]) -> Iterator[Path]:
    """Pictures of one split: those in folders, or listed in a text file; all below the folder of data.yaml."""
    for place in places:
        found = _below(file.parent, root, place)
        if found is None:
            raise DatasetError(f'{file}: there is no "{place}" below {file.parent}; correct the path.')
        if found.is_dir():
            yield from pictures_in(found)
            continue
        for line in filter(None, map(str.strip, read_text(found).splitlines())):
            picture = _below(file.parent, root, line)
            if picture is None or not is_file(picture):
                raise DatasetError(f'{found}: there is no picture "{line}" below {file.parent}.')
            yield picture


def _below(folder: Path, root: str, place: str) -> Path | None:
    """What `place` means below `folder`: with or without the data set's `path`, and without what leads out of it."""
    for text in (f"{root}/{place}", place):
        parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        for start in range(len(parts)):  # of a path on another machine the end may be ours
            found = folder.joinpath(*parts[start:])
            if found.is_dir() or is_file(found):
                return found
    return None


def _picture(path: Path, split: str, names: tuple[str, ...], file: Path) -> LabelledPicture:
    size, labels = size_of(path), _labels_of(path, file.parent)
    found = []
    if is_file(labels):
        for number, line in enumerate(read_text(labels, _MOST_BYTES).splitlines(), start=1):
            if line.strip():
                found.append(_annotation(line.split(), f"{labels}, line {number}", names, size))
    return LabelledPicture(path=path, size=size, split=split, annotations=tuple(found))


def _labels_of(path: Path, root: Path) -> Path:
    """The text file of a picture: the last folder called "images" becomes "labels"; without one, it lies beside it."""
    parts = list(path.relative_to(root).parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return root.joinpath(*parts).with_suffix(".txt")


def _annotation(words: list[str], where: str, names: tuple[str, ...], size: tuple[int, int]) -> Annotation:
    values = [finite(word, where) for word in words]
    if len(values) < 5 or values[0] != int(values[0]):
        raise DatasetError(f"{where}: is not a class and a box, nor a class and an outline.")
    if not 0 <= values[0] < len(names):
        raise DatasetError(f"{where}: class {values[0]:g} has no name in data.yaml, which has {len(names)}.")
    confidence = values.pop() if len(values) % 2 == 0 else None
    with placed_at(where):
        return Annotation(label=names[int(values[0])], geometry=_geometry(values[1:], *size), confidence=confidence)


def _geometry(values: list[float], height: int, width: int) -> Geometry:
    scaled = [value * (height if at % 2 else width) for at, value in enumerate(values)]
    if len(scaled) != 4:
        return Polygons(parts=(polygon(scaled),))
    x, y, across, down = scaled
    return Rectangle(left=x - across / 2, top=y - down / 2, right=x + across / 2, bottom=y + down / 2)


def _write(export: Export) -> None:
    for split, found in export.by_split():
        folder = export.folder / "labels" / SHORT[split]
        folder.mkdir(parents=True)
        for placed in found:
            (folder / f"{placed.stem}.txt").write_text(_lines(placed, export.classes), "utf-8")
    places = {SHORT[split]: f"images/{SHORT[split]}" for split, _ in export.by_split()}
    (export.folder / "data.yaml").write_text(described(places, export.classes), "utf-8")


def _lines(placed: Placed, classes: tuple[str, ...]) -> str:
    lines = []
    for annotation in placed.picture.annotations:
        numbers = _numbers(annotation.geometry, *placed.size)
        shares = " ".join(f"{min(max(number, 0.0), 1.0):.8g}" for number in numbers)
        lines.append(f"{classes.index(annotation.label)} {shares}\n")
    return "".join(lines)


def _numbers(geometry: Geometry, height: int, width: int) -> list[float]:
    """As shares of the sides."""
    if isinstance(geometry, Rectangle):
        box = clipped(geometry, height, width)
        x, y = (box.left + box.right) / 2 / width, (box.top + box.bottom) / 2 / height
        return [x, y, (box.right - box.left) / width, (box.bottom - box.top) / height]
    assert isinstance(geometry, Polygons), "the conversion leaves boxes and single outlines only"
    return [share for x, y in geometry.parts[0].outline for share in (x / width, y / height)]


_ALWAYS = frozenset({Carries.INSTANCES, Carries.REGION_LABELS, Carries.SPLIT})
YOLO = Format(
    name="yolo",
    title="YOLO boxes",
    carries=_ALWAYS | {Carries.BOX},
    matches=_matches,
    read=_read,
    place=in_split_folder,
    write=_write,
)
YOLO_SEGMENT = Format(
    name="yolo-segment",
    title="YOLO outlines",
    carries=_ALWAYS | {Carries.POLYGON},
    matches=lambda _: False,  # read like the other one, which comes first
    read=_read,
    place=in_split_folder,
    write=_write,
)
