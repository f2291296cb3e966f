"""COCO object detection and segmentation (Lin et al. 2014; format at cocodataset.org/#format-data).

    annotations/instances_train.json          also one JSON beside its pictures, under any name
    images/train/0001.png

A box is [left, top, width, height] in px. A segmentation is a list of outlines, or runs down the columns: a list of
counts, or the string into which COCO's own code packs them.
"""

import re
from pathlib import Path

from sightline.datasets.annotations import (
    Annotation,
    Geometry,
    LabelledPicture,
    LabelledSet,
    Mask,
    Polygons,
    Rectangle,
)
from sightline.datasets.formats.documents import Entry, as_entry, head, placed_at, read_json, write_json
from sightline.datasets.formats.format import (
    SHORT,
    Carries,
    Export,
    Format,
    files_in,
    in_split_folder,
    root_of,
    size_of,
    split_named,
)
from sightline.datasets.formats.locating import Pictures
from sightline.datasets.geometry import area_of, box_of, polygon
from sightline.errors import DatasetError

_FOLDER = "annotations"
_KEY = re.compile(r"""\{.*?"(images|annotations|categories)"\s*:""", re.DOTALL)


def packed(runs: tuple[int, ...]) -> str:
    """Runs as COCO packs them (`rleToString` of maskApi.c).

    From the fourth on, each is written as its difference from the one before the last. Five bits go into a character,
    the lowest first; the sixth says that more follow; 48 is added.
    """
    characters = []
    for at, run in enumerate(runs):
        value = run - (runs[at - 2] if at > 2 else 0)
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            characters.append(chr(48 + (bits | (0x20 if more else 0))))
    return "".join(characters)


def unpacked(text: str) -> tuple[int, ...]:
    """The runs in a string that `packed` made; DatasetError if none such did."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 40:
            raise DatasetError("a packed mask is damaged; export it again.")
        value |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            value -= (code & 0x10) << (shift - 4)  # the highest bit is the sign
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise DatasetError("a packed mask is cut short; export it again.")
    return tuple(runs)


def _files(path: Path) -> list[Path]:
    """Also one below each folder of a split, as Roboflow writes them."""
    files = files_in(path, ".json", _FOLDER, "train", "valid", "val", "test")
    return [file for file in files if _KEY.match(head(file)) or path == file]


def _read(path: Path) -> LabelledSet:
    files = _files(path)
    if not files:
        raise DatasetError(f"{path}: holds no COCO JSON; point to it, or to the folder above {_FOLDER}/.")
    root = path if path.is_dir() else root_of(files, _FOLDER)
    pictures, names = Pictures(root), dict[str, None]()
    found: list[LabelledPicture] = []
    for file in files:
        document = as_entry(str(file), read_json(file))
        classes = {entry.whole("id"): entry.text("name") for entry in document.entries("categories")}
        names |= dict.fromkeys(classes.values())
        split = split_named(file.stem) or split_named(file.parent.name) or "train"
        found += _pictures(document, classes, pictures, split)
    return LabelledSet(name=root.resolve().name, root=root, pictures=tuple(found), classes=tuple(names), format="coco")


def _pictures(document: Entry, classes: dict[int, str], pictures: Pictures, split: str) -> list[LabelledPicture]:
    images = document.entries("images")
    by_picture: dict[int, list[Entry]] = {image.whole("id"): [] for image in images}
    if len(by_picture) < len(images):
        raise DatasetError(f"{document.where}: two images have the same id; export it again.")
    for entry in document.entries("annotations"):
        owner, kind = entry.whole("image_id"), entry.whole("category_id")
        if owner not in by_picture or kind not in classes:
            missing = f"image {owner}" if owner not in by_picture else f"category {kind}"
            raise DatasetError(f"{entry.where}: there is no {missing} in this file; export it again.")
        by_picture[owner].append(entry)
    found = []
    for image in images:
        path = pictures.find(image.text("file_name"), image.where, SHORT[split])
        size = size_of(path, (image.number("height"), image.number("width")))
        annotations = tuple(_annotation(entry, classes, size) for entry in by_picture[image.whole("id")])
        found.append(LabelledPicture(path=path, size=size, split=split, annotations=annotations))
    return found


def _annotation(entry: Entry, classes: dict[int, str], size: tuple[int, int]) -> Annotation:
    label = classes[entry.whole("category_id")]
    score = entry.number("score") if entry.has("score") else None
    with placed_at(entry.where):
        return Annotation(label=label, geometry=_geometry(entry, size), confidence=score)


def _geometry(entry: Entry, size: tuple[int, int]) -> Geometry:
    shape = entry.values.get("segmentation")
    if isinstance(shape, dict):
        return _mask(entry.entry("segmentation"), size)
    if shape:
        return Polygons(parts=tuple(map(polygon, entry.number_lists("segmentation"))))
    left, top, width, height = entry.numbers("bbox", 4)
    return Rectangle(left=left, top=top, right=left + width, bottom=top + height)


def _mask(entry: Entry, size: tuple[int, int]) -> Mask:
    height, width = entry.numbers("size", 2)
    if (height, width) != size:
        raise DatasetError(f"the mask is {width:g} x {height:g}, its picture {size[1]} x {size[0]} pixels.")
    counts = entry.values.get("counts")
    runs = unpacked(counts) if isinstance(counts, str) else tuple(map(int, entry.numbers("counts")))
    return Mask(height=size[0], width=size[1], runs=runs)


def _write(export: Export) -> None:
    folder = export.folder / _FOLDER
    folder.mkdir()
    numbers = {name: at for at, name in enumerate(export.classes, start=1)}
    categories = [{"id": number, "name": name, "supercategory": ""} for name, number in numbers.items()]
    image_id = annotation_id = 0
    for split, placed in export.by_split():
        images, annotations = [], []
        for one in placed:
            image_id += 1
            images.append({"id": image_id, "file_name": one.name, "width": one.size[1], "height": one.size[0]})
            for annotation in one.picture.annotations:
                annotation_id += 1
                head_ = {"id": annotation_id, "image_id": image_id, "category_id": numbers[annotation.label]}
                annotations.append(head_ | _described(annotation))
        document = {"images": images, "annotations": annotations, "categories": categories}
        write_json(folder / f"instances_{SHORT[split]}.json", document)


def _described(annotation: Annotation) -> dict[str, object]:
    geometry = annotation.geometry
    box = box_of(geometry)
    described = {
        "bbox": [box.left, box.top, box.right - box.left, box.bottom - box.top],
        "area": area_of(geometry),
        "iscrowd": 0,
        "segmentation": _segmentation(geometry),
    }
    return described | ({"score": annotation.confidence} if annotation.confidence is not None else {})


def _segmentation(geometry: Geometry) -> object:
    if isinstance(geometry, Rectangle):
        return []
    if isinstance(geometry, Mask):
        return {"size": [geometry.height, geometry.width], "counts": packed(geometry.runs)}
    return [[number for point in part.outline for number in point] for part in geometry.parts]


COCO = Format(
    name="coco",
    title="COCO JSON",
    carries=frozenset(
        {
            *(Carries.BOX, Carries.POLYGON, Carries.PARTS, Carries.MASK, Carries.INSTANCES, Carries.REGION_LABELS),
            *(Carries.SPLIT, Carries.CONFIDENCE),
        }
    ),
    matches=lambda path: any(_KEY.match(head(file)) for file in _files(path)),
    read=_read,
    place=in_split_folder,
    write=_write,
)
