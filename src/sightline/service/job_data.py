"""Jobs on data sets: bring an archive in, look for what is wrong, divide anew."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.duplicates import Duplicates, duplicates
from sightline.datasets.findings import about_labels
from sightline.datasets.splits import split
from sightline.datasets.survey import Look, Survey, survey
from sightline.errors import DatasetError, InspectionError, OptionError
from sightline.files import write_bytes
from sightline.service.job_task import SCRATCH, Kind, Task
from sightline.store import datasets
from sightline.store.database import Database
from sightline.store.dataset_files import from_archive, laid_out
from sightline.store.datasets import Item, KnownVersion, Making
from sightline.store.models import check_name
from sightline.store.pictures import Pictures

UPLOADS = "uploads"  # folder beside the jobs' own, with archives that wait for theirs
_KEPT_S = 7 * 86_400.0
_UNKNOWN = "(no label)"
_SHOWN = 200  # groups, pictures and so on in the result; the file has all
_IN_A_GROUP = 20
TINY = 64  # px of the shorter side, below which nothing can be seen of most defects


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """An archive that was sent to /api/v1/datasets/NAME/imports."""

    dataset: str
    upload: str  # under which it was stored
    product: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check_name(self.dataset)
        if len(self.upload) != 32 or not set(self.upload) <= set("0123456789abcdef"):
            raise OptionError(f"upload {self.upload!r:.60}: is none; send the archive to /datasets/NAME/imports.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """Which version is looked at."""

    dataset: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DivideOptions:
    """How a version is divided; pictures that are one stay in one split."""

    dataset: str
    version: int
    train: float = 0.7
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        given = (self.train, self.validation, self.test)
        if not all(0 <= share <= 1 for share in given) or abs(sum(given) - 1) > 1e-6 or self.seed < 0:
            raise OptionError("divide: give shares of 0 to 1 that sum to 1, and a seed of 0 or more.")


def tidy(folder: Path, now_s: float) -> None:
    """Make the folder of uploads, and remove those whose job never took them."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.zip"):
        if path.stat().st_mtime < now_s - _KEPT_S:
            path.unlink(missing_ok=True)


def _import(options: ImportOptions, task: Task) -> Mapping[str, Any]:
    archive = task.site.results / UPLOADS / f"{options.upload}.zip"
    if not archive.is_file():
        raise DatasetError("the archive is not on this server any more; send it again.")
    making = Making(dataset=options.dataset, product=options.product, note=options.note, author=task.author)
    task.progress("unpacking", 0, 1)
    try:
        with closing(Database(task.site.database)) as database:
            pictures, now_s = task.site.kept_pictures(database), time.time()
            items = from_archive(pictures, archive, task.folder, now_s=now_s, progress=task.progress)
            made = datasets.add_version(pictures, making, items, now_s=now_s)
    except InspectionError as error:
        archive.unlink(missing_ok=True)  # of no use; one that was interrupted begins again with it
        raise DatasetError(str(error).replace(archive.name, "the archive")) from error
    archive.unlink(missing_ok=True)
    return _made(made)


def _check(options: CheckOptions, task: Task) -> Mapping[str, Any]:
    with _opened(options.dataset, options.version, task) as opened:
        seen, repeated = opened.looked_at(task)
        found: dict[str, Any] = {
            "pictures": len(opened.items),
            "groups": [opened.group(one) for one in repeated],
            "unreadable": [opened.shown(one.path) | {"reason": opened.told(one.reason)} for one in seen.unreadable],
            "tiny": [_sized(opened, look) for look in seen.looks if min(look.height, look.width) < TINY],
            "odd": [_sized(opened, look) for look in _odd(seen.looks)],
            "sizes": dict(Counter(f"{look.width} x {look.height}" for look in seen.looks).most_common(20)),
            "findings": [{"what": one.what, "cure": one.cure} for one in about_labels(opened.dataset)],
        }
    write_bytes(task.folder / "check.json", json.dumps(found, indent=1).encode())
    lists = ("groups", "unreadable", "tiny", "odd")
    counts = {name: len(found[name]) for name in lists}
    counts["leaks"] = sum(group["leak"] for group in found["groups"])
    shown = {name: found[name][:_SHOWN] for name in lists}
    groups = [group | {"members": group["members"][:_IN_A_GROUP]} for group in shown["groups"]]
    return found | shown | {"groups": groups, "counts": counts, "file": "check.json"}


def _divide(options: DivideOptions, task: Task) -> Mapping[str, Any]:
    shares = {name: getattr(options, name) for name in ("train", "validation", "test") if getattr(options, name)}
    with _opened(options.dataset, options.version, task) as opened:
        _, repeated = opened.looked_at(task)
        together = [[sample.path for sample in group.samples] for group in repeated]
        divided = split(opened.dataset, shares, options.seed, together)
        items = [replace(item, split=sample.split) for item, sample in zip(opened.items, divided.samples, strict=True)]
        note = f"version {options.version} divided anew: " + ", ".join(f"{n} {s:g}" for n, s in shares.items())
        making = Making(dataset=options.dataset, product=opened.known.product, note=note, author=task.author)
        made = datasets.add_version(opened.pictures, making, items, now_s=time.time())
    return _made(made) | {"kept_together": len(together)}


def _made(made: KnownVersion) -> dict[str, Any]:
    return {"dataset": made.dataset, "version": made.version, "pictures": made.items}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A version with its pictures as files."""

    known: KnownVersion
    pictures: Pictures
    items: Sequence[Item]
    dataset: Dataset
    by_path: Mapping[Path, Item]

    def looked_at(self, task: Task) -> tuple[Survey, tuple[Duplicates, ...]]:
        """Every picture read once, and those that are one."""
        task.progress("reading", 0, len(self.items))
        seen = survey(self.dataset, max_megapixels=self.pictures.max_megapixels, progress=False)
        task.progress("comparing", 0, 1)
        return seen, duplicates(seen.looks)

    def shown(self, path: Path) -> dict[str, Any]:
        """A picture by its digest and name."""
        item = self.by_path[path]
        return {"picture": item.picture, "name": item.name, "split": item.split, "label": item.label}

    def group(self, one: Duplicates) -> dict[str, Any]:
        members = [self.shown(sample.path) for sample in one.samples]
        told = {"likeness": str(one.likeness), "leak": one.is_leak, "contradicts": one.contradicts}
        return told | {"members": members, "pictures": len(members)}

    def told(self, reason: str) -> str:
        """Where the files lie for the time being is nobody's business."""
        return reason.replace(f"{self.dataset.root}/", "")


@contextmanager
def _opened(name: str, version: int, task: Task) -> Iterator[_Opened]:
    with (
        closing(Database(task.site.database)) as database,
        tempfile.TemporaryDirectory(prefix=f"{SCRATCH}-", dir=task.folder) as folder,
    ):
        with database.reading() as session:
            known = datasets.one(session, name, version)
            items = datasets.every_item(session, name, version)
        pictures = task.site.kept_pictures(database)
        paths = laid_out(pictures, Path(folder), items, task.progress)
        samples = (
            Sample(path=path, label=item.label or _UNKNOWN, split=item.split or "train")
            for path, item in zip(paths, items, strict=True)
        )
        dataset = Dataset(name=name, root=Path(folder), samples=tuple(samples), layout="classes")
        by_path = dict(zip(paths, items, strict=True))
        yield _Opened(known=known, pictures=pictures, items=items, dataset=dataset, by_path=by_path)


def _odd(looks: Sequence[Look]) -> list[Look]:
    """Those of another size than most; none where no size has the most."""
    sizes = Counter((look.height, look.width) for look in looks)
    usual = [size for size, number in sizes.items() if number > len(looks) / 2]
    return [look for look in looks if usual and (look.height, look.width) != usual[0]]


def _sized(opened: _Opened, look: Look) -> dict[str, Any]:
    return opened.shown(look.sample.path) | {"size": f"{look.width} x {look.height}"}


IMPORT = Kind(name="import", told="make a data set of an archive", options=ImportOptions, run=_import)
CHECK = Kind(
    name="check", told="look for leaks, duplicates and damaged pictures in a data set", options=CheckOptions, run=_check
)
DIVIDE = Kind(
    name="divide", told="divide a data set into training, validation and test", options=DivideOptions, run=_divide
)
