"""Label Studio's JSON export, and what it imports: a list of tasks.

    [{"data": {"image": "/data/upload/1/0a1b2c3d-0001.png"},
      "annotations": [{"result": [{"type": "rectanglelabels", "value": {"x", "y", "width", "height", ...}}]}]}]

Coordinates are percent of the picture's sides. Of several people's annotations the ground truth holds, else the last;
predictions are no annotations. A task without annotations is a picture that nobody has looked at. Label Studio's files
are found under their own name, with or without the eight digits that an upload puts in front.
"""

import re
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree.ElementTree import Element, SubElement

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
from sightline.datasets.formats.brush import read_brush, write_brush
from sightline.datasets.formats.documents import Entry, as_entry, head, placed_at, read_json, write_json, write_xml
from sightline.datasets.formats.format import Carries, Export, Format, Placed, files_in, in_images, size_of, split_named
from sightline.datasets.formats.locating import Pictures
from sightline.datasets.geometry import decoded, encoded, polygon, rotated
from sightline.datasets.pictures import is_picture
from sightline.errors import DatasetError

_TASKS = re.compile(r"""\[\s*(\]|\{.*?"data"\s*:)""", re.DOTALL)
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
_LOCAL = "/data/local-files/?d="
_NO_PLACE = {"textarea", "rating", "number", "datetime", "relation", "taxonomy", "pairwise"}
_PERCENT = 100.0


def _files(path: Path) -> list[Path]:
    return [file for file in files_in(path, ".json") if _TASKS.match(head(file))]


def _read(path: Path) -> LabelledSet:
    files = _files(path)
    if not files:
        raise DatasetError(f"{path}: holds no JSON with a list of tasks; point to it or to its folder.")
    root = path if path.is_dir() else path.parent
    pictures, found = Pictures(root), []
    for file in files:
        tasks = read_json(file)
        assert isinstance(tasks, list), "it begins with a bracket"
        found += [_picture(as_entry(f"{file}, task {at}", task), pictures) for at, task in enumerate(tasks)]
    return LabelledSet(name=root.resolve().name, root=root, pictures=tuple(found), format="label-studio")


def _picture(task: Entry, pictures: Pictures) -> LabelledPicture:
    data = task.entry("data")
    path = _path(data, pictures)
    split = split_named(data.text("split")) if data.has("split") else "train"
    given = [entry for entry in task.entries("annotations") if entry.values.get("was_cancelled") is not True]
    given.sort(key=lambda entry: entry.values.get("ground_truth") is True)
    results = given[-1].entries("result") if given else []
    size = size_of(path) if results else None
    labels: list[str] = []
    regions: list[Annotation] = []
    sure: float | None = None
    for result in results:
        kind = result.text("type")
        if kind == "choices":
            labels += [label_named(str(choice)) for choice in result.entry("value").items("choices")]
            sure = _score(result)
        elif kind not in _NO_PLACE:
            assert size is not None, "there are results"
            regions.append(_region(result, kind, size))
    return LabelledPicture(
        path=path,
        size=size,
        split=split or "train",
        labels=tuple(labels),
        annotations=tuple(regions),
        annotated=bool(given),
        confidence=sure,
    )


def _path(data: Entry, pictures: Pictures) -> Path:
    texts = [text for text in data.values.values() if isinstance(text, str)]
    references = [name for name in map(_file_named, texts) if is_picture(Path(name))]
    if not references:
        raise DatasetError(f"{data.where}: names no picture; only tasks with pictures can be read.")
    reference = references[0]
    folder, slash, name = reference.rpartition("/")
    bare = f"{folder}{slash}{_UPLOAD.sub('', name)}"
    return pictures.find(bare if not pictures.has(reference) and pictures.has(bare) else reference, data.where)


def _file_named(text: str) -> str:
    """The path in a URI; of a local file, the one in its query."""
    try:
        parts = urlsplit(text)
    except ValueError:  # a bracket where a machine's name is due
        return ""
    return parse_qs(parts.query).get("d", [""])[0] or unquote(parts.path)


def _score(result: Entry) -> float | None:
    return result.number("score") if result.has("score") else None


def _region(result: Entry, kind: str, size: tuple[int, int]) -> Annotation:
    value = result.entry("value")
    if result.has("image_rotation") and result.number("image_rotation") % 360:
        raise DatasetError(f"{result.where}: the picture was turned for drawing; turn the file itself instead.")
    declared = [result.number(key) for key in ("original_height", "original_width") if result.has(key)]
    if declared not in ([], list(size)):
        raise DatasetError(f"{result.where}: was not drawn on a picture of {size[1]} x {size[0]} pixels.")
    labels = value.items(kind) if value.has(kind) else []
    if len(labels) != 1:
        raise DatasetError(f"{result.where}: a region has {len(labels)} labels; give it one.")
    with placed_at(result.where):
        return Annotation(label=str(labels[0]), geometry=_geometry(value, kind, *size), confidence=_score(result))


def _geometry(value: Entry, kind: str, height: int, width: int) -> Geometry:
    across, down = width / _PERCENT, height / _PERCENT
    if kind == "rectanglelabels":
        left, top = value.number("x") * across, value.number("y") * down
        right, bottom = left + value.number("width") * across, top + value.number("height") * down
        box = Rectangle(left=left, top=top, right=right, bottom=bottom)
        turned = value.number("rotation") if value.has("rotation") else 0.0
        return rotated(box, turned, (left, top)) if turned else box
    if kind == "polygonlabels":
        points = value.number_lists("points")
        numbers = [number * (across, down)[at % 2] for point in points for at, number in enumerate(point)]
        return Polygons(parts=(polygon(numbers),))
    if kind == "brushlabels":
        numbers = value.numbers("rle")
        if not all(0 <= number < 256 for number in numbers):
            raise DatasetError("a brush mask holds numbers that are no bytes; export it again.")
        return encoded(read_brush(bytes(map(int, numbers)), height, width))
    raise DatasetError(f'"{kind}" has no area that is known here; draw a rectangle, a polygon or with the brush.')


def _write(export: Export) -> None:
    write_json(export.folder / "tasks.json", [_task(export, number, p) for number, p in enumerate(export.placed, 1)])
    _write_config(export)


def _task(export: Export, number: int, placed: Placed) -> dict[str, object]:
    picture = placed.picture
    image = export.uri(placed.place) if export.prefix else _LOCAL + quote(placed.place)
    results = [_result(placed, f"{number}-{at}", annotation) for at, annotation in enumerate(picture.annotations)]
    if picture.labels:
        choice: dict[str, object] = {"id": f"{number}-c", "type": "choices", "from_name": "choice", "to_name": "image"}
        score = {"score": picture.confidence} if picture.confidence is not None else {}
        results.insert(0, choice | {"value": {"choices": list(picture.labels)}} | score)
    return {
        "data": {"image": image, "split": picture.split},
        "annotations": [{"result": results}] if picture.annotated else [],
    }


def _result(placed: Placed, name: str, annotation: Annotation) -> dict[str, object]:
    kind, value = _value(annotation.geometry, *placed.size)
    score = {"score": annotation.confidence} if annotation.confidence is not None else {}
    return {
        "id": name,
        "type": kind,
        "from_name": kind,
        "to_name": "image",
        "original_width": placed.size[1],
        "original_height": placed.size[0],
        "image_rotation": 0,
        "value": value | {kind: [annotation.label]},
    } | score


def _value(geometry: Geometry, height: int, width: int) -> tuple[str, dict[str, object]]:
    across, down = _PERCENT / width, _PERCENT / height
    if isinstance(geometry, Mask):
        return "brushlabels", {"format": "rle", "rle": list(write_brush(decoded(geometry)))}
    if isinstance(geometry, Polygons):
        points = [[x * across, y * down] for x, y in geometry.parts[0].outline]
        return "polygonlabels", {"points": points, "closed": True}
    return "rectanglelabels", {
        "x": geometry.left * across,
        "y": geometry.top * down,
        "width": (geometry.right - geometry.left) * across,
        "height": (geometry.bottom - geometry.top) * down,
        "rotation": 0,
    }


def _write_config(export: Export) -> None:
    """The labelling interface that the tasks go with, to be pasted into the project's settings."""
    view = Element("View")
    SubElement(view, "Image", {"name": "image", "value": "$image"})
    for tag in ("RectangleLabels", "PolygonLabels", "BrushLabels") if export.classes else ():
        element = SubElement(view, tag, {"name": tag.lower(), "toName": "image"})
        for name in export.classes:
            SubElement(element, "Label", {"value": name})
    choices = sorted({label for placed in export.placed for label in placed.picture.labels})
    if choices:
        element = SubElement(view, "Choices", {"name": "choice", "toName": "image", "choice": "multiple"})
        for name in choices:
            SubElement(element, "Choice", {"value": name})
    write_xml(export.folder / "labeling_config.xml", view)


LABEL_STUDIO = Format(
    name="label-studio",
    title="Label Studio JSON",
    carries=frozenset(
        {
            *(Carries.LABEL, Carries.LABELS, Carries.BOX, Carries.POLYGON, Carries.MASK),
            *(Carries.INSTANCES, Carries.REGION_LABELS, Carries.SPLIT, Carries.CONFIDENCE, Carries.UNLABELLED),
        }
    ),
    matches=lambda path: bool(_files(path)),
    read=_read,
    place=in_images,
    write=_write,
    has_uris=True,
)
