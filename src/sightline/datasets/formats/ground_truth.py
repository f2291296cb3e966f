"""Manifests of SageMaker Ground Truth, Rekognition Custom Labels and Lookout for Vision: one JSON object in a line.

    {"source-ref": "s3://bucket/0001.png",
     "class": 0, "class-metadata": {"class-name": "crack", "type": "groundtruth/image-classification", ...},
     "boxes": {"image_size": [...], "annotations": [{"class_id", "left", "top", "width", "height"}]},
     "boxes-metadata": {"class-map": {"0": "crack"}, "objects": [{"confidence"}], "type": ".../object-detection", ...},
     "mask-ref": "s3://...png", "mask-ref-metadata": {"internal-color-map": {...}, "type": ".../semantic-segmentation"}}

What an attribute is called does not matter, its type does. Of a class the name holds, not the number: Amazon's own
examples contradict themselves there. A line with neither label is a picture that nobody has looked at.
"""

import colorsys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.annotations import Annotation, LabelledPicture, LabelledSet, Rectangle
from sightline.datasets.dataset import GOOD, label_named
from sightline.datasets.formats.documents import Entry, head, json_lines, placed_at, write_json_lines
from sightline.datasets.formats.format import (
    Carries,
    Export,
    Format,
    Placed,
    files_in,
    in_images,
    size_of,
    split_named,
)
from sightline.datasets.formats.locating import Pictures
from sightline.datasets.geometry import clipped, encoded, pixels_of
from sightline.errors import DatasetError, FrameError
from sightline.imaging.decode import read_frame
from sightline.imaging.writing import png

ANOMALY = "anomaly"  # what Lookout calls every picture with a defect
_CLASS, _CLASSES = "groundtruth/image-classification", "groundtruth/image-classification-multilabel"
_BOXES, _MASK = "groundtruth/object-detection", "groundtruth/semantic-segmentation"
_BACKGROUND = {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 0.0}


def _files(path: Path) -> list[Path]:
    return [file for suffix in (".manifest", ".jsonl") for file in files_in(path, suffix) if _is_manifest(file)]


def _is_manifest(file: Path) -> bool:
    return '"source-ref"' in head(file)


def _read(path: Path) -> LabelledSet:
    files = _files(path)
    if not files:
        raise DatasetError(f'{path}: holds no manifest with "source-ref"; point to it or to its folder.')
    root = path if path.is_dir() else path.parent
    pictures = Pictures(root)
    found = [_picture(line, split_named(file.stem) or "train", pictures) for file in files for line in json_lines(file)]
    return LabelledSet(name=root.resolve().name, root=root, pictures=tuple(found), format="ground-truth")


def _picture(line: Entry, split: str, pictures: Pictures) -> LabelledPicture:
    path = pictures.find(line.text("source-ref"), line.where)
    size: tuple[int, int] | None = None
    labels: list[str] = []
    regions: list[Annotation] = []
    confidence, looked_at = None, False
    for key, kind in _attributes(line):
        told = line.entry(f"{key}-metadata")
        looked_at |= kind in (_CLASS, _CLASSES, _BOXES, _MASK)
        if kind == _CLASS:
            labels.append(label_named(told.text("class-name")))
            confidence = _confidence(told, told)
        elif kind == _CLASSES:
            names = told.entry("class-map")
            labels += [label_named(names.text(str(int(number)))) for number in line.numbers(key)]
        elif kind in (_BOXES, _MASK):
            size = size or size_of(path)
            read = _read_boxes if kind == _BOXES else _read_mask
            regions += read(line, key, told, size, pictures)
    if regions and labels == [ANOMALY]:  # the regions say which
        labels = []
    return LabelledPicture(
        path=path,
        size=size,
        split=split,
        labels=tuple(labels),
        annotations=tuple(regions),
        annotated=looked_at,
        confidence=confidence,
    )


def _attributes(line: Entry) -> list[tuple[str, str]]:
    """(name, type) of each label in a line."""
    names = [key.removesuffix("-metadata") for key in line.values if key.endswith("-metadata")]
    kinds = ((name, line.entry(f"{name}-metadata").values.get("type")) for name in names if line.has(name))
    return [(name, kind) for name, kind in kinds if isinstance(kind, str)]


def _confidence(told: Entry, entry: Entry) -> float | None:
    """None for labels by people, to whom Ground Truth gives 0 or 1 regardless."""
    by_people = told.values.get("human-annotated") == "yes"
    return entry.number("confidence") if entry.has("confidence") and not by_people else None


def _read_boxes(line: Entry, key: str, told: Entry, size: tuple[int, int], _: Pictures) -> list[Annotation]:
    boxes, names = line.entry(key).entries("annotations"), told.entry("class-map")
    objects = told.entries("objects") if told.has("objects") else []
    sure = [_confidence(told, entry) for entry in objects] + [None] * len(boxes)
    declared = line.entry(key).entries("image_size") if line.entry(key).has("image_size") else []
    for entry in declared:
        if (entry.number("height"), entry.number("width")) != size:
            raise DatasetError(f"{entry.where}: is not {size[1]} x {size[0]}, as the picture is.")
    found = []
    for at, box in enumerate(boxes):
        label = names.text(str(box.whole("class_id")))
        with placed_at(box.where):
            found.append(Annotation(label=label, geometry=_rectangle(box), confidence=sure[at]))
    return found


def _rectangle(box: Entry) -> Rectangle:
    left, top = box.number("left"), box.number("top")
    return Rectangle(left=left, top=top, right=left + box.number("width"), bottom=top + box.number("height"))


def _read_mask(line: Entry, key: str, told: Entry, size: tuple[int, int], pictures: Pictures) -> list[Annotation]:
    path = pictures.find(line.text(key), line.where)
    try:
        frame = read_frame(path)
    except FrameError as error:
        raise DatasetError(str(error)) from error
    if frame.pixels.dtype != np.uint8 or (frame.height, frame.width) != size:
        raise DatasetError(f"{path}: a mask is an 8-bit picture of {size[1]} x {size[0]} pixels, as its picture is.")
    colours = (np.broadcast_to(frame.pixels, (*size, 3)).astype(np.uint32) * (65536, 256, 1)).sum(axis=2)
    left = colours != _number(str(_BACKGROUND["hex-color"]), line.where)
    regions = []
    entries = told.entry("internal-color-map")
    for entry in (entries.entry(number) for number in entries.values):
        name, colour = entry.text("class-name"), _number(entry.text("hex-color"), entry.where)
        marked = colours == colour
        left &= ~marked
        if name.upper() != _BACKGROUND["class-name"] and marked.any():
            regions.append(Annotation(label=name, geometry=encoded(marked)))
    if left.any():
        raise DatasetError(
            f"{path}: has colours that {line.where} does not name; save masks as PNG, without smoothing."
        )
    return regions


def _number(colour: str, where: str) -> int:
    digits = colour.removeprefix("#")
    if len(digits) != 6 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise DatasetError(f'{where}: "{colour[:20]}" is not a colour; it is written #rrggbb.')
    return int(digits, 16)


def _write_manifests(export: Export, lookout: bool) -> None:
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    colours = _colours(export.classes)
    for split, found in export.by_split():
        lines = []
        for placed in found:
            line: dict[str, object] = {"source-ref": export.uri(placed.place)}
            line |= _anomaly(export, placed, made, colours) if lookout else _class_and_boxes(export, placed, made)
            lines.append(line)
        write_json_lines(export.folder / f"{split}.manifest", lines)


def _metadata(kind: str, made: str, by_people: bool = True) -> dict[str, object]:
    human = "yes" if by_people else "no"
    return {"type": kind, "human-annotated": human, "creation-date": made, "job-name": "sightline"}


def _class_and_boxes(export: Export, placed: Placed, made: str) -> dict[str, object]:
    picture = placed.picture
    line: dict[str, object] = {}
    if picture.labels:
        sure = 1.0 if picture.confidence is None else picture.confidence
        told = _metadata(_CLASS, made, picture.confidence is None)
        line |= {"class": 0, "class-metadata": {"class-name": picture.labels[0], "confidence": sure} | told}
    if picture.annotations or (picture.annotated and not picture.labels):
        sures = [annotation.confidence for annotation in picture.annotations]
        told = _metadata(_BOXES, made, all(sure is None for sure in sures))
        names = {str(number): name for number, name in enumerate(export.classes)}
        objects = [{"confidence": 1.0 if sure is None else sure} for sure in sures]
        line |= {
            "boxes": {
                "image_size": [{"width": placed.size[1], "height": placed.size[0], "depth": 3}],
                "annotations": [_box(annotation, export.classes, placed.size) for annotation in picture.annotations],
            },
            "boxes-metadata": {"class-map": names, "objects": objects} | told,
        }
    return line


def _box(annotation: Annotation, classes: tuple[str, ...], size: tuple[int, int]) -> dict[str, int]:
    assert isinstance(annotation.geometry, Rectangle), "the conversion leaves boxes only"
    box = clipped(annotation.geometry, *size)
    left, top = round(box.left), round(box.top)
    width, height = round(box.right) - left, round(box.bottom) - top
    number = classes.index(annotation.label)
    return {"class_id": number, "left": left, "top": top, "width": width, "height": height}


def _anomaly(export: Export, placed: Placed, made: str, colours: dict[str, tuple[int, ...]]) -> dict[str, object]:
    picture = placed.picture
    good = picture.label == GOOD
    told = {"class-name": "normal" if good else ANOMALY, "confidence": 1.0} | _metadata(_CLASS, made)
    line: dict[str, object] = {"anomaly-label": int(not good), "anomaly-label-metadata": told}
    if picture.annotations:
        place = f"masks/{placed.stem}_mask.png"
        (export.folder / "masks").mkdir(exist_ok=True)
        (export.folder / place).write_bytes(png(_painted(placed, colours)))
        names = {"0": _BACKGROUND} | {
            str(number): {"class-name": name, "hex-color": "#" + bytes(colours[name]).hex(), "confidence": 1.0}
            for number, name in enumerate(export.classes, start=1)
        }
        told = {"internal-color-map": names} | _metadata(_MASK, made)
        line |= {"anomaly-mask-ref": export.uri(place), "anomaly-mask-ref-metadata": told}
    return line


def _painted(placed: Placed, colours: dict[str, tuple[int, ...]]) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: white, and each region in its class's colour."""
    painted = np.full((*placed.size, 3), 255, np.uint8)
    for annotation in placed.picture.annotations:
        painted[pixels_of(annotation.geometry, *placed.size)] = colours[annotation.label]
    return painted


def _colours(classes: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """One for each, far apart, none of them white."""
    shades = [colorsys.hsv_to_rgb(at * 0.618034 % 1, 1, 1 - at % 7 / 14) for at in range(len(classes))]
    colours = [tuple(round(255 * part) for part in shade) for shade in shades]
    if len(set(colours)) < len(colours):
        raise DatasetError(f"{len(classes)} classes need more colours than masks have here; use fewer classes.")
    return dict(zip(classes, colours, strict=True))


GROUND_TRUTH = Format(
    name="ground-truth",
    title="SageMaker Ground Truth manifest",
    carries=frozenset(
        {
            *(Carries.LABEL, Carries.BOX, Carries.INSTANCES, Carries.REGION_LABELS),
            *(Carries.SPLIT, Carries.CONFIDENCE, Carries.UNLABELLED),
        }
    ),
    matches=lambda path: bool(_files(path)),
    read=_read,
    place=in_images,
    write=lambda export: _write_manifests(export, lookout=False),
    has_uris=True,
)
LOOKOUT = Format(
    name="lookout",
    title="Lookout for Vision manifest",
    carries=frozenset({Carries.GOOD, Carries.MASK, Carries.REGION_LABELS, Carries.SPLIT}),
    matches=lambda _: False,  # read like the other one, which comes first
    read=_read,
    place=in_images,
    write=lambda export: _write_manifests(export, lookout=True),
    has_uris=True,
)
