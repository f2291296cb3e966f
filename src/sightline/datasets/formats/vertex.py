"""Import files of Vertex AI: CSV and JSON Lines, of one label per picture or of boxes.

    training,gs://bucket/0001.png,crack                                     CSV; more labels may follow
    test,gs://bucket/0002.png,crack,0.1,0.2,,,0.4,0.5,,                     CSV: x and y of two, or of all four corners
    {"imageGcsUri": "gs://bucket/0001.png", "classificationAnnotation": {"displayName": "crack"}, ...}
    {"imageGcsUri": "gs://bucket/0002.png", "boundingBoxAnnotations": [{"displayName", "xMin", "yMin", ...}], ...}

Coordinates are shares of the picture's sides. A row of boxes without a box is a picture without defects; a row of
labels without a label is one that nobody has looked at. Pictures lie below the folder of the file.
"""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from sightline.datasets.annotations import Annotation, LabelledPicture, LabelledSet, Rectangle, around
from sightline.datasets.dataset import label_named
from sightline.datasets.formats.documents import (
    Entry,
    finite,
    head,
    json_lines,
    placed_at,
    read_text,
    write_json_lines,
)
from sightline.datasets.formats.format import (
    Carries,
    Export,
    Format,
    Placed,
    files_in,
    in_images,
    split_named,
)
from sightline.datasets.formats.locating import Pictures
from sightline.datasets.geometry import clipped
from sightline.datasets.pictures import is_picture
from sightline.errors import DatasetError

_USES = {"training": "train", "validation": "validation", "test": "test", "train": "train", "unassigned": "train"}
_AS_USE = {"train": "training", "validation": "validation", "test": "test"}
_USE = "aiplatform.googleapis.com/ml_use"
_CORNERS = 8  # cells of a box


def _read(path: Path, suffix: str, lines: Callable[[Path, Pictures], Iterator[LabelledPicture]]) -> LabelledSet:
    files = files_in(path, suffix)
    if not files:
        raise DatasetError(f"{path}: holds no {suffix} file; point to the import file or its folder.")
    root = path if path.is_dir() else path.parent
    pictures = Pictures(root)
    found: dict[Path, LabelledPicture] = {}
    for file in files:
        for picture in lines(file, pictures):
            earlier = found.get(picture.path)
            found[picture.path] = _together(earlier, picture) if earlier else picture
    return LabelledSet(
        name=files[0].stem, root=root, pictures=tuple(found.values()), format=f"vertex-{suffix.lstrip('.')}"
    )


def _together(first: LabelledPicture, second: LabelledPicture) -> LabelledPicture:
    """One picture from two rows; the first one's split holds, as Vertex has it."""
    return LabelledPicture(
        path=first.path,
        size=first.size or second.size,
        split=first.split,
        labels=tuple(dict.fromkeys((*first.labels, *second.labels))),
        annotations=first.annotations + second.annotations,
        annotated=first.annotated or second.annotated,
    )


def _csv_rows(file: Path, pictures: Pictures) -> Iterator[LabelledPicture]:
    reader = csv.reader(io.StringIO(read_text(file), newline=""), strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield _csv_row(cells, f"{file}, line {reader.line_num}", pictures)
    except csv.Error as error:
        raise DatasetError(f"{file}: is not a valid CSV ({error}); save it again.") from error


def _csv_row(cells: list[str], where: str, pictures: Pictures) -> LabelledPicture:
    split = _USES.get(cells[0].lower())
    uri, *rest = cells if split is None else cells[1:] or [""]
    path = pictures.find(uri, where)
    if len(rest) < 1 + _CORNERS:  # labels only
        labels = tuple(label_named(cell) for cell in rest if cell)
        return LabelledPicture(path=path, split=split or "train", labels=labels, annotated=bool(labels))
    label, corners = rest[0], rest[1 : 1 + _CORNERS]
    size = pictures.size(path)
    found: tuple[Annotation, ...] = ()
    if label or any(corners):
        xs, ys = [cell for cell in corners[::2] if cell], [cell for cell in corners[1::2] if cell]
        if len(xs) != len(ys) or len(xs) not in (2, 4):
            raise DatasetError(f"{where}: a box has {len(xs)} x and {len(ys)} y; write x,y,,,x,y,, or four corners.")
        points = [(finite(x, where) * size[1], finite(y, where) * size[0]) for x, y in zip(xs, ys, strict=True)]
        with placed_at(where):
            found = (Annotation(label=label, geometry=around(points)),)
    return LabelledPicture(path=path, size=size, split=split or "train", annotations=found)


def _json_rows(file: Path, pictures: Pictures) -> Iterator[LabelledPicture]:
    for line in json_lines(file):
        path = pictures.find(line.text("imageGcsUri"), line.where)
        split = _split(line)
        if line.has("boundingBoxAnnotations"):
            size = pictures.size(path)
            boxes = tuple(_box(entry, *size) for entry in line.entries("boundingBoxAnnotations"))
            yield LabelledPicture(path=path, size=size, split=split, annotations=boxes)
            continue
        told = line.entries("classificationAnnotations") if line.has("classificationAnnotations") else []
        told += [line.entry("classificationAnnotation")] if line.has("classificationAnnotation") else []
        labels = tuple(label_named(entry.text("displayName")) for entry in told)
        yield LabelledPicture(path=path, split=split, labels=labels, annotated=bool(labels))


def _split(line: Entry) -> str:
    if not line.has("dataItemResourceLabels"):
        return "train"
    told = line.entry("dataItemResourceLabels")
    use = told.text(_USE) if told.has(_USE) else "training"
    split = _USES.get(use.lower()) or split_named(use)
    if split is None:
        raise DatasetError(f'{line.where}: the use "{use}" is not known; it is training, validation or test.')
    return split


def _box(entry: Entry, height: int, width: int) -> Annotation:
    left, right = (entry.number(key) * width for key in ("xMin", "xMax"))
    top, bottom = (entry.number(key) * height for key in ("yMin", "yMax"))
    label = entry.text("displayName")
    with placed_at(entry.where):
        return Annotation(label=label, geometry=Rectangle(left=left, top=top, right=right, bottom=bottom))


def _shares(annotation: Annotation, placed: Placed) -> tuple[float, float, float, float]:
    """Left, top, right and bottom as shares of the sides."""
    assert isinstance(annotation.geometry, Rectangle), "the conversion leaves boxes only"
    height, width = placed.size
    box = clipped(annotation.geometry, height, width)
    return box.left / width, box.top / height, box.right / width, box.bottom / height


def _write_csv(export: Export, cells: Callable[[Placed], list[list[str]]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for placed in export.placed:
        use = _AS_USE[placed.picture.split]
        writer.writerows([use, export.uri(placed.place), *row] for row in cells(placed))
    (export.folder / "import.csv").write_text(text.getvalue(), "utf-8", newline="\n")


def _label_cells(placed: Placed) -> list[list[str]]:
    return [list(_labels(placed))]


def _box_cells(placed: Placed) -> list[list[str]]:
    rows = []
    for annotation in placed.picture.annotations:
        left, top, right, bottom = (f"{share:.8g}" for share in _shares(annotation, placed))
        rows.append([annotation.label, left, top, "", "", right, bottom, "", ""])
    return rows or [[""] * (1 + _CORNERS)]


def _write_jsonl(export: Export, told: Callable[[Placed], dict[str, object]]) -> None:
    write_json_lines(
        export.folder / "import.jsonl",
        (
            {"imageGcsUri": export.uri(placed.place)}
            | told(placed)
            | {"dataItemResourceLabels": {_USE: _AS_USE[placed.picture.split]}}
            for placed in export.placed
        ),
    )


def _told_labels(placed: Placed) -> dict[str, object]:
    names: list[dict[str, object]] = [{"displayName": label} for label in _labels(placed)]
    if len(names) > 1:
        return {"classificationAnnotations": names}
    return {"classificationAnnotation": names[0]} if names else {}


def _told_boxes(placed: Placed) -> dict[str, object]:
    boxes = []
    for annotation in placed.picture.annotations:
        left, top, right, bottom = _shares(annotation, placed)
        boxes.append({"displayName": annotation.label, "xMin": left, "yMin": top, "xMax": right, "yMax": bottom})
    return {"boundingBoxAnnotations": boxes}


def _labels(placed: Placed) -> tuple[str, ...]:
    picture = placed.picture
    return picture.labels or ((picture.label,) if picture.label else ())


def _is_csv(path: Path) -> bool:
    """A file whose first row names a picture, in its first cell or after the use."""
    cells = [cell.strip() for cell in head(path).partition("\n")[0].split(",")]
    picture = cells[1] if cells[0].lower() in _USES and len(cells) > 1 else cells[0]
    return is_picture(Path(picture))


def _is_jsonl(path: Path) -> bool:
    return '"imageGcsUri"' in head(path)


def _format(name: str, title: str, suffix: str, carries: frozenset[Carries], write: Callable[[Export], None]) -> Format:
    rows, matches = (_csv_rows, _is_csv) if suffix == ".csv" else (_json_rows, _is_jsonl)
    return Format(
        name=name,
        title=title,
        carries=carries | {Carries.SPLIT},
        matches=lambda path: any(matches(file) for file in files_in(path, suffix)),
        read=lambda path: _read(path, suffix, rows),
        place=in_images,
        write=write,
        has_uris=True,
    )


_LABELS = frozenset({Carries.LABEL, Carries.LABELS, Carries.UNLABELLED})
_BOXES = frozenset({Carries.BOX, Carries.INSTANCES, Carries.REGION_LABELS})
FORMATS = (
    _format("vertex-csv", "Vertex CSV, labels", ".csv", _LABELS, lambda export: _write_csv(export, _label_cells)),
    _format("vertex-csv-boxes", "Vertex CSV, boxes", ".csv", _BOXES, lambda export: _write_csv(export, _box_cells)),
    _format(
        "vertex-jsonl", "Vertex JSONL, labels", ".jsonl", _LABELS, lambda export: _write_jsonl(export, _told_labels)
    ),
    _format(
        "vertex-jsonl-boxes", "Vertex JSONL, boxes", ".jsonl", _BOXES, lambda export: _write_jsonl(export, _told_boxes)
    ),
)
