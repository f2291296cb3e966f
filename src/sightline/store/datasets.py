"""Data sets and their versions, which are never changed."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, exists, func, insert, select
from sqlalchemy.orm import Session

from sightline.datasets.dataset import SPLITS
from sightline.errors import DatasetError, NotFoundError, OptionError
from sightline.store.audit import note
from sightline.store.database import Database
from sightline.store.models import check_name
from sightline.store.pictures import Pictures, strengthen_all
from sightline.store.retention import Kept
from sightline.store.schema import Dataset, DatasetItem, DatasetVersion, Label
from sightline.store.shelf import check_digest
from sightline.store.turns import take_turn

MOST_ITEMS = 100_000  # of one version
MOST_CHANGES = 1000  # that a comparison lists
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture of a version, with what it shows."""

    picture: str  # digest
    name: str  # of the file it came from, relative, with forward slashes
    split: str = ""  # one of SPLITS; empty: not yet split
    label: str = ""  # good, a defect's name; empty: not known
    annotations: dict[str, Any] = field(default_factory=dict)  # as dataset_files writes them

    def __post_init__(self) -> None:
        check_digest(self.picture)
        if self.split and self.split not in SPLITS:
            raise OptionError(f'split "{self.split:.40}" is not known; use one of {", ".join(SPLITS)}, or none.')
        parts = self.name.split("/")
        if not 0 < len(self.name) <= 1024 or not {"", ".", ".."}.isdisjoint(parts) or "\0" in self.name:
            raise OptionError(f"name {self.name[:80]!r}: give a relative path with forward slashes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVersion:
    """What is known of a version beside its items."""

    dataset: str
    product: str
    version: int
    digest: str  # of its items; equal where they are
    items: int
    note: str
    author: str
    created_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Which data set gets a version, and who makes it."""

    dataset: str
    author: str
    product: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check_name(self.dataset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which items of a version, and where to begin."""

    after: int = -1  # place of the last one that is known
    before: int | None = None  # place that these lie in front of, the nearest first; None: those behind `after`
    limit: int = 100
    split: str | None = None  # empty: those not yet split; None: any
    label: str | None = None  # empty: those without one; None: any
    labelled: bool | None = None  # whether the version or a label that stands says what it shows; None: either
    picture: str = ""  # digest; empty: any


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChange:
    """One way in which a picture differs between two versions."""

    kind: str  # added, removed, label, split, drawing
    picture: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs between two versions."""

    counts: dict[str, int]  # of all changes by kind
    changes: tuple[ItemChange, ...]  # the first of them


def add_version(pictures: Pictures, making: Making, items: Iterable[Item], *, now_s: float) -> KnownVersion:
    """Make the next version; items equal to the newest version's are that version.

    Raises:
        DatasetError: there is no item, there are too many, or a picture is not stored.
    """
    ordered = sorted(items, key=lambda item: (item.name, item.picture))
    if not 0 < len(ordered) <= MOST_ITEMS:
        raise DatasetError(f"the data set has {len(ordered)} pictures; give 1 to {MOST_ITEMS}.")
    digest = digest_of(ordered)
    with pictures.database.writing() as session:
        take_turn(session, f"dataset:{making.dataset}")
        dataset = _dataset(session, making, now_s)
        newest = session.scalar(_versions(making.dataset).limit(1))
        if newest is not None and newest.digest == digest:
            return _known(newest, dataset)
        _keep_pictures(session, pictures, ordered, now_s)
        row = DatasetVersion(
            dataset_id=dataset.id,
            version=newest.version + 1 if newest else 1,
            digest=digest,
            items=len(ordered),
            note=making.note,
            author=making.author,
            created_s=now_s,
        )
        session.add(row)
        session.flush()
        _insert(session, row.id, ordered)
        subject, after = f"dataset:{making.dataset}/{row.version}", {"items": row.items, "digest": digest}
        note(session, who=making.author, action="make version", subject=subject, before=None, after=after)
        return _known(row, dataset)


def digest_of(items: Sequence[Item]) -> str:
    """SHA-256 of the items' canonical JSON, one line each, in order."""
    found = hashlib.sha256()
    for item in items:
        line = [item.name, item.picture, item.split, item.label, item.annotations]
        found.update(json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return found.hexdigest()


def one(session: Session, dataset: str, version: int | None = None) -> KnownVersion:
    """One version; None: the newest. NotFoundError where there is none."""
    return _known(*_row(session, dataset, version))


def listed(database: Database, *, after: str = "", limit: int = 100) -> list[KnownVersion]:
    """The newest version of each data set behind `after`, by name."""
    newest = select(DatasetVersion.dataset_id, func.max(DatasetVersion.version).label("version"))
    last = newest.group_by(DatasetVersion.dataset_id).subquery()
    query = (
        select(DatasetVersion, Dataset)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .join(last, (last.c.dataset_id == DatasetVersion.dataset_id) & (last.c.version == DatasetVersion.version))
    )
    with database.reading() as session:
        rows = session.execute(query.where(Dataset.name > after).order_by(Dataset.name).limit(limit))
        return [_known(row, dataset) for row, dataset in rows]


def versions(database: Database, dataset: str, *, before: int | None = None, limit: int = 100) -> list[KnownVersion]:
    """Those of one data set below `before`, the newest first."""
    query = _versions(dataset).limit(limit)
    with database.reading() as session:
        owner = session.scalar(select(Dataset).where(Dataset.name == dataset))
        if owner is None:
            raise NotFoundError(f"data set {dataset:.120}: there is none.")
        rows = session.scalars(query if before is None else query.where(DatasetVersion.version < before))
        return [_known(row, owner) for row in rows]


def items(session: Session, dataset: str, version: int, wanted: Wanted | None = None) -> list[tuple[int, Item]]:
    """(place, item) of those that are wanted."""
    wanted = wanted or Wanted()
    row, _ = _row(session, dataset, version)
    query = _chosen(select(DatasetItem).where(DatasetItem.version_id == row.id), wanted)
    if wanted.before is not None:
        query = query.where(DatasetItem.place < wanted.before).order_by(DatasetItem.place.desc())
    else:
        query = query.where(DatasetItem.place > wanted.after).order_by(DatasetItem.place)
    return [(found.place, _item(found)) for found in session.scalars(query.limit(wanted.limit))]


def _chosen(query: Select[DatasetItem], wanted: Wanted) -> Select[DatasetItem]:
    if wanted.split is not None:
        query = query.where(DatasetItem.split == wanted.split)
    if wanted.label is not None:
        query = query.where(DatasetItem.label == wanted.label)
    if wanted.picture:
        query = query.where(DatasetItem.picture == wanted.picture)
    if wanted.labelled is not None:
        said = exists().where(Label.picture == DatasetItem.picture, Label.removed_s.is_(None))
        known = (DatasetItem.label != "") | said
        query = query.where(known if wanted.labelled else ~known)
    return query


def every_item(session: Session, dataset: str, version: int) -> list[Item]:
    """All items of a version, at most MOST_ITEMS."""
    return [item for _, item in items(session, dataset, version, Wanted(limit=MOST_ITEMS))]


def tally(session: Session, dataset: str, version: int) -> list[tuple[str, str, int]]:
    """(split, label, pictures) of those that occur."""
    row, _ = _row(session, dataset, version)
    counted = select(DatasetItem.split, DatasetItem.label, func.count()).where(DatasetItem.version_id == row.id)
    groups = counted.group_by(DatasetItem.split, DatasetItem.label)
    rows = session.execute(groups.order_by(DatasetItem.split, DatasetItem.label))
    return [(split, label, number) for split, label, number in rows]


def compare(session: Session, dataset: str, old: int, new: int) -> Comparison:
    """What became of each picture, by its content, between two versions."""
    before, after = (_by_picture(every_item(session, dataset, version)) for version in (old, new))
    changes = [change for key in sorted(before | after) for change in _changes(before.get(key), after.get(key))]
    return Comparison(counts=dict(Counter(change.kind for change in changes)), changes=tuple(changes[:MOST_CHANGES]))


def _by_picture(found: Sequence[Item]) -> dict[tuple[str, int], Item]:
    """By picture, and by number for one that occurs several times."""
    seen: Counter[str] = Counter()
    by_picture: dict[tuple[str, int], Item] = {}
    for item in found:
        by_picture[item.picture, seen[item.picture]] = item
        seen[item.picture] += 1
    return by_picture


def _changes(before: Item | None, after: Item | None) -> Iterable[ItemChange]:
    there = after or before
    assert there is not None, "every key is in one of the two"
    if before is None or after is None:
        kind = "added" if before is None else "removed"
        yield ItemChange(kind=kind, picture=there.picture, name=there.name, before="", after="")
        return
    drawn = [json.dumps(item.annotations, sort_keys=True) for item in (before, after)]
    pairs = {
        "label": (before.label, after.label),
        "split": (before.split, after.split),
        "drawing": (drawn[0], drawn[1]),
    }
    for kind, (old, new) in pairs.items():
        if old != new:
            told = ("", "") if kind == "drawing" else (old, new)
            yield ItemChange(kind=kind, picture=there.picture, name=there.name, before=told[0], after=told[1])


def _keep_pictures(session: Session, pictures: Pictures, ordered: Sequence[Item], now_s: float) -> None:
    wanted = {item.picture for item in ordered}
    if missing := sorted(wanted - strengthen_all(session, pictures, wanted, Kept.DATASET, now_s)):
        raise DatasetError(
            f"{len(missing)} pictures are not stored here, {missing[0][:12]} among them; send them first."
        )


def _insert(session: Session, version_id: int, ordered: Sequence[Item]) -> None:
    for start in range(0, len(ordered), _AT_ONCE):
        rows = [
            {
                "version_id": version_id,
                "place": start + number,
                "picture": item.picture,
                "name": item.name,
                "split": item.split,
                "label": item.label,
                "annotations": item.annotations,
            }
            for number, item in enumerate(ordered[start : start + _AT_ONCE])
        ]
        session.execute(insert(DatasetItem), rows)


def _dataset(session: Session, making: Making, now_s: float) -> Dataset:
    row = session.scalar(select(Dataset).where(Dataset.name == making.dataset))
    if row is None:
        row = Dataset(name=making.dataset, product=making.product, created_s=now_s)
        session.add(row)
        session.flush()
    return row


def _versions(dataset: str) -> Select[DatasetVersion]:
    query = select(DatasetVersion).join(Dataset, Dataset.id == DatasetVersion.dataset_id)
    return query.where(Dataset.name == dataset).order_by(DatasetVersion.version.desc())


def _row(session: Session, dataset: str, version: int | None) -> tuple[DatasetVersion, Dataset]:
    query = select(DatasetVersion, Dataset).join(Dataset, Dataset.id == DatasetVersion.dataset_id)
    query = query.where(Dataset.name == dataset).order_by(DatasetVersion.version.desc()).limit(1)
    found = session.execute(query if version is None else query.where(DatasetVersion.version == version)).first()
    if found is None:
        raise NotFoundError(f"data set {dataset:.120}: there is no {'version' if version is None else version}.")
    row, owner = found
    return row, owner


def _item(row: DatasetItem) -> Item:
    return Item(picture=row.picture, name=row.name, split=row.split, label=row.label, annotations=dict(row.annotations))


def _known(row: DatasetVersion, dataset: Dataset) -> KnownVersion:
    return KnownVersion(
        dataset=dataset.name,
        product=dataset.product,
        version=row.version,
        digest=row.digest,
        items=row.items,
        note=row.note,
        author=row.author,
        created_s=row.created_s,
    )
