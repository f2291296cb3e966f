"""The VisA layout (Zou et al. 2022, arXiv 2207.14315): several objects side by side, splits in a CSV.

    <root>/<object>/Data/Images/{Normal,Anomaly}/*.JPG
    <root>/<object>/Data/Masks/Anomaly/*.png
    <root>/split_csv/1cls.csv                 object,split,label,image,mask; paths count from <root>

Point to one object. Without the CSV, normal pictures are for training and anomalies for testing.
"""

from pathlib import Path

from sightline.datasets.dataset import SPLITS, Dataset, Sample, label_named
from sightline.datasets.pictures import is_file, pictures_in, subfolders
from sightline.datasets.table import Row, read_table
from sightline.errors import DatasetError

_COLUMNS = frozenset({"object", "split", "label", "image", "mask"})
_IMAGES = Path("Data", "Images")
_MASKS = Path("Data", "Masks")


def matches(path: Path) -> bool:
    return (path / _IMAGES).is_dir() or bool(_objects(path))


def read(path: Path) -> Dataset:
    """Read one object, given its folder or a root with just one.

    Raises:
        DatasetError: the root holds several objects, or the CSV does not fit the files.
    """
    folder = path if (path / _IMAGES).is_dir() else _only_object(path)
    name = folder.resolve().name
    table = folder.resolve().parent / "split_csv" / "1cls.csv"
    samples = _listed(table, folder) if is_file(table) else _unlisted(folder)
    return Dataset(name=name, root=folder, samples=tuple(samples), layout="visa")


def _objects(root: Path) -> list[Path]:
    return [folder for folder in subfolders(root).values() if (folder / _IMAGES).is_dir()]


def _only_object(root: Path) -> Path:
    objects = _objects(root)
    if len(objects) > 1:
        names = ", ".join(folder.name for folder in objects)
        raise DatasetError(f"{root}: holds {len(objects)} objects ({names}); point to one, such as {objects[0]}.")
    return objects[0]


def _listed(table: Path, folder: Path) -> list[Sample]:
    name = folder.resolve().name
    rows = [row for row in read_table(table, _COLUMNS, frozenset()) if row.cells["object"] == name]
    if not rows:
        raise DatasetError(f'{table}: has no rows for the object "{name}"; add them or take the file away.')
    return sorted((_sample(table, row, folder) for row in rows), key=lambda sample: sample.path)


def _sample(table: Path, row: Row, folder: Path) -> Sample:
    where, cells = f"{table}, line {row.line}", row.cells
    if cells["split"] not in SPLITS:
        raise DatasetError(f'{where}: split "{cells["split"]}" is not known; use one of {", ".join(SPLITS)}.')
    mask = _existing(where, folder, cells["mask"]) if cells["mask"] else None
    label = label_named(cells["label"])
    return Sample(path=_existing(where, folder, cells["image"]), label=label, split=cells["split"], mask=mask)


def _existing(where: str, folder: Path, cell: str) -> Path:
    path = folder.parent / cell
    if not is_file(path):
        raise DatasetError(f'{where}: there is no file "{cell}"; paths count from the folder that holds the objects.')
    return path


def _unlisted(folder: Path) -> list[Sample]:
    normal = [Sample(path=picture, label=label_named("normal")) for picture in pictures_in(folder / _IMAGES / "Normal")]
    masks = folder / _MASKS / "Anomaly"
    by_stem = {mask.stem: mask for mask in pictures_in(masks)} if masks.is_dir() else {}
    anomalies = [
        Sample(path=picture, label="anomaly", split="test", mask=by_stem.get(picture.stem))
        for picture in pictures_in(folder / _IMAGES / "Anomaly")
    ]
    return sorted(normal + anomalies, key=lambda sample: sample.path)
