"""CVAT for images 1.1: one XML beside its pictures.

    annotations.xml                           <image id name width height subset> with <tag>, <box>, <polygon>, <mask>
    images/0001.png

The runs of a mask go along the rows of its box, the first of what is not marked.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from sightline.datasets.annotations import (
    Annotation,
    Geometry,
    LabelledPicture,
    LabelledSet,
    Mask,
    Polygons,
    Rectangle,
)
from sightline.datasets.dataset import label_named
from sightline.datasets.formats.documents import attribute, finite, head, placed_at, read_xml, write_xml
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
from sightline.datasets.formats.locating import Pictures
from sightline.datasets.geometry import box_of, decoded, encoded, polygon, rotated
from sightline.errors import DatasetError
from sightline.records import BoolArray

_PASSED_OVER = {"attribute"}


def _files(path: Path) -> list[Path]:
    return [file for file in files_in(path, ".xml") if "<annotations" in head(file)]


def _read(path: Path) -> LabelledSet:
    files = _files(path)
    if not files:
        raise DatasetError(f"{path}: holds no annotations.xml of CVAT; point to it or to its folder.")
    root = path if path.is_dir() else path.parent
    pictures = Pictures(root)
    found: list[LabelledPicture] = []
    names: dict[str, None] = {}
    for file in files:
        document = read_xml(file)
        if document.tag != "annotations" or document.find("track") is not None:
            raise DatasetError(f'{file}: is not "CVAT for images 1.1"; export it so.')
        names |= dict.fromkeys(_labels(document))
        found += [_picture(image, f"{file}, image {at}", pictures) for at, image in enumerate(document.iter("image"))]
    tags = {label for picture in found for label in picture.labels}
    regions = {annotation.label for picture in found for annotation in picture.annotations}
    classes = tuple(name for name in names if name in regions or label_named(name) not in tags)
    return LabelledSet(name=root.resolve().name, root=root, pictures=tuple(found), classes=classes, format="cvat")


def _labels(document: Element) -> Iterator[str]:
    meta = document.find("meta")
    for name in meta.iterfind(".//label/name") if meta is not None else ():
        if name.text and name.text.strip():
            yield name.text.strip()


def _picture(image: Element, where: str, pictures: Pictures) -> LabelledPicture:
    subset = image.get("subset", "")
    split = split_named(subset) or "train"
    path = pictures.find(attribute(image, where, "name"), where, SHORT[split])
    declared = [finite(image.get(key), f"{where}, {key}") for key in ("height", "width")]
    size = size_of(path, (declared[0], declared[1]))
    labels, regions = [], []
    for element in image:
        if element.tag == "tag":
            labels.append(label_named(attribute(element, where, "label")))
        elif element.tag not in _PASSED_OVER:
            label = attribute(element, where, "label").strip()
            with placed_at(where):
                regions.append(Annotation(label=label, geometry=_geometry(element, where, size)))
    return LabelledPicture(path=path, size=size, split=split, labels=tuple(labels), annotations=tuple(regions))


def _geometry(element: Element, where: str, size: tuple[int, int]) -> Geometry:
    def value(name: str) -> float:
        return finite(attribute(element, where, name), f"{where}, {name}")

    if element.tag == "box":
        box = Rectangle(left=value("xtl"), top=value("ytl"), right=value("xbr"), bottom=value("ybr"))
        turned = finite(element.get("rotation", "0"), where)
        return rotated(box, turned, ((box.left + box.right) / 2, (box.top + box.bottom) / 2)) if turned else box
    if element.tag == "polygon":
        numbers = attribute(element, where, "points").replace(";", ",").split(",")
        return Polygons(parts=(polygon([finite(number, where) for number in numbers]),))
    if element.tag == "mask":
        left, top, width, height = (value(name) for name in ("left", "top", "width", "height"))
        runs = [finite(run, where) for run in attribute(element, where, "rle").split(",")]
        return _mask((int(left), int(top), int(width), int(height)), [int(run) for run in runs], size)
    raise DatasetError(f"a <{element.tag}> has no area; draw a box, a polygon or a mask, or remove it.")


def _mask(box: tuple[int, int, int, int], runs: list[int], size: tuple[int, int]) -> Mask:
    left, top, width, height = box
    inside = min(left, top) >= 0 and left + width <= size[1] and top + height <= size[0]
    if not inside or width < 1 or height < 1 or min(runs) < 0 or sum(runs) != width * height:
        raise DatasetError("a mask does not fill its box, or the box does not lie in the picture.")
    pixels = np.zeros(size, np.bool_)
    marked = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    pixels[top : top + height, left : left + width] = marked.reshape(height, width)
    return encoded(pixels)


def _write(export: Export) -> None:
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    task = SubElement(SubElement(root, "meta"), "task")
    SubElement(task, "name").text = "sightline"
    SubElement(task, "size").text = str(len(export.placed))
    SubElement(task, "mode").text = "annotation"
    tags = {label for placed in export.placed for label in placed.picture.labels}
    labels = SubElement(task, "labels")
    for name in (*export.classes, *sorted(tags.difference(export.classes))):
        label = SubElement(labels, "label")
        SubElement(label, "name").text = name
        SubElement(label, "type").text = "any"
    for number, placed in enumerate(export.placed):
        _describe(root, number, placed)
    write_xml(export.folder / "annotations.xml", root)


def _describe(root: Element, number: int, placed: Placed) -> None:
    split = SHORT[placed.picture.split]
    sides = {"width": str(placed.size[1]), "height": str(placed.size[0])}
    name = placed.place.removeprefix("images/")
    image = SubElement(root, "image", {"id": str(number), "name": name, "subset": split} | sides)
    for label in placed.picture.labels:
        SubElement(image, "tag", {"label": label, "source": "manual"})
    for annotation in placed.picture.annotations:
        tag, values = _values(annotation.geometry)
        SubElement(
            image, tag, {"label": annotation.label, "source": "manual", "occluded": "0", "z_order": "0"} | values
        )


def _values(geometry: Geometry) -> tuple[str, dict[str, str]]:
    if isinstance(geometry, Polygons):
        points = ";".join(f"{x:.2f},{y:.2f}" for x, y in geometry.parts[0].outline)
        return "polygon", {"points": points}
    box = box_of(geometry)
    if isinstance(geometry, Rectangle):
        sides = {"xtl": box.left, "ytl": box.top, "xbr": box.right, "ybr": box.bottom}
        return "box", {name: f"{side:.2f}" for name, side in sides.items()}
    left, top, right, bottom = int(box.left), int(box.top), int(box.right), int(box.bottom)
    runs = _row_runs(decoded(geometry)[top:bottom, left:right])
    places = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return "mask", {"rle": ", ".join(map(str, runs))} | {name: str(place) for name, place in places.items()}


def _row_runs(pixels: BoolArray) -> tuple[int, ...]:
    """Runs along the rows: those along the columns of what is turned over its diagonal."""
    return encoded(pixels.T).runs


CVAT = Format(
    name="cvat",
    title="CVAT for images 1.1",
    carries=frozenset(
        {
            *(Carries.LABEL, Carries.LABELS, Carries.BOX, Carries.POLYGON, Carries.MASK),
            *(Carries.INSTANCES, Carries.REGION_LABELS, Carries.SPLIT),
        }
    ),
    matches=lambda path: bool(_files(path)),
    read=_read,
    place=in_split_folder,
    write=_write,
)
