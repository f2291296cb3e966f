"""Pascal VOC (Everingham et al. 2010): one XML for each picture, boxes only.

    Annotations/0001.xml                      also "annotations"
    JPEGImages/0001.jpg                       pictures may lie anywhere below the folder
    ImageSets/Main/{train,val,test}.txt       optional: one name without suffix in a line

Its pixels count from 1 and a box includes its last row and column: xmin 1 and xmax 200 is the whole of 200 px.
"""

import math
import re
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from sightline.datasets.annotations import Annotation, LabelledPicture, LabelledSet, Rectangle
from sightline.datasets.formats.documents import finite, head, placed_at, read_text, read_xml, write_xml
from sightline.datasets.formats.format import SHORT, Carries, Export, Format, Placed, size_of, split_named
from sightline.datasets.formats.locating import Pictures
from sightline.errors import DatasetError

_ROOT = re.compile(r"<annotation[\s>]")
_SETS = Path("ImageSets", "Main")


def _folder(path: Path) -> Path | None:
    """The folder of XML files in `path`, or `path` itself."""
    candidates = [path / "Annotations", path / "annotations", path] if path.is_dir() else []
    return next((folder for folder in candidates if folder.is_dir() and _files(folder)), None)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.xml") if not file.name.startswith("."))


def _matches(path: Path) -> bool:
    folder = _folder(path)
    return folder is not None and _ROOT.search(head(_files(folder)[0])) is not None


def _read(path: Path) -> LabelledSet:
    folder = _folder(path)
    if folder is None:
        raise DatasetError(
            f"{path}: holds no XML files, nor does a folder Annotations in it; point to that of the set."
        )
    pictures, splits = Pictures(path), _splits(path)
    found = [_picture(file, pictures, splits) for file in _files(folder)]
    alone = pictures.unlisted({picture.path for picture in found})
    found += [
        LabelledPicture(path=other, size=size_of(other), split=splits.get(other.stem, "train"), annotated=False)
        for other in alone
        if not any(part.startswith("Segmentation") for part in other.relative_to(path).parts)
    ]
    return LabelledSet(name=path.resolve().name, root=path, pictures=tuple(found), format="voc")


def _splits(path: Path) -> dict[str, str]:
    """Name without suffix -> split."""
    splits: dict[str, str] = {}
    for file in sorted((path / _SETS).glob("*.txt")):
        split = split_named(file.stem) if file.stem in {"train", "val", "validation", "test"} else None
        if split:
            splits |= {line.strip(): split for line in read_text(file).splitlines() if line.strip()}
    return splits


def _picture(file: Path, pictures: Pictures, splits: dict[str, str]) -> LabelledPicture:
    root, where = read_xml(file), str(file)
    if root.tag != "annotation":
        raise DatasetError(f"{where}: begins with <{root.tag}>, not <annotation>; it is no Pascal VOC file.")
    path = _path(root, file, pictures)
    declared = _declared(root, where)
    objects = tuple(_object(element, where) for element in root.iter("object"))
    return LabelledPicture(
        path=path, size=size_of(path, declared), split=splits.get(file.stem, "train"), annotations=objects
    )


def _path(root: Element, file: Path, pictures: Pictures) -> Path:
    """By the name within, or else, as some tools leave out the suffix, by that of the XML."""
    name = (root.findtext("filename") or "").strip()
    if name and pictures.has(name):
        return pictures.find(f"{(root.findtext('folder') or '').strip()}/{name}", str(file))
    same = pictures.with_stem(file.stem)
    return same[0] if len(same) == 1 else pictures.find(name or f"{file.stem}.jpg", str(file))


def _declared(root: Element, where: str) -> tuple[float, float] | None:
    """(height, width); None where they are left out or 0, as some tools write it."""
    texts = root.findtext("size/height"), root.findtext("size/width")
    if None in texts:
        return None
    height, width = (finite(text, f"{where}, size") for text in texts)
    return (height, width) if height and width else None


def _object(element: Element, where: str) -> Annotation:
    label = (element.findtext("name") or "").strip()
    sides = [
        finite(element.findtext(f"bndbox/{name}"), f"{where}, {name}") for name in ("xmin", "ymin", "xmax", "ymax")
    ]
    left, top, right, bottom = sides
    with placed_at(where):
        return Annotation(label=label, geometry=Rectangle(left=left - 1, top=top - 1, right=right, bottom=bottom))


def _write(export: Export) -> None:
    for folder in ("Annotations", _SETS):
        (export.folder / folder).mkdir(parents=True)
    for placed in export.placed:
        if placed.picture.annotated:
            write_xml(export.folder / "Annotations" / f"{placed.stem}.xml", _document(placed))
    for split, found in export.by_split():
        names = "".join(f"{placed.stem}\n" for placed in found)
        (export.folder / _SETS / f"{SHORT[split]}.txt").write_text(names, "utf-8")


def _document(placed: Placed) -> Element:
    root = Element("annotation")
    _tell(root, folder="JPEGImages", filename=placed.name)
    height, width = placed.size
    _tell(SubElement(root, "size"), width=width, height=height, depth=3)
    _tell(root, segmented=0)
    for annotation in placed.picture.annotations:
        element = SubElement(root, "object")
        _tell(element, name=annotation.label, pose="Unspecified", truncated=0, difficult=0)
        box = annotation.geometry
        assert isinstance(box, Rectangle), "the conversion leaves boxes only"
        left, right = _pixels(box.left, box.right)
        top, bottom = _pixels(box.top, box.bottom)
        _tell(SubElement(element, "bndbox"), xmin=left + 1, ymin=top + 1, xmax=right, ymax=bottom)
    return root


def _tell(parent: Element, **texts: str | int) -> None:
    for name, text in texts.items():
        SubElement(parent, name).text = str(text)


VOC = Format(
    name="voc",
    title="Pascal VOC XML",
    carries=frozenset({Carries.BOX, Carries.INSTANCES, Carries.REGION_LABELS, Carries.SPLIT, Carries.UNLABELLED}),
    matches=_matches,
    read=_read,
    place=lambda _, name: f"JPEGImages/{name}",
    write=_write,
)


def _pixels(begin: float, end: float) -> tuple[int, int]:
    """The nearest whole pixels; of what is thinner than one, the pixel that its middle lies in."""
    if round(begin) < round(end):
        return round(begin), round(end)
    middle = math.floor((begin + end) / 2)
    return middle, middle + 1
