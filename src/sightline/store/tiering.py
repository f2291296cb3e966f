"""Pictures on their way from tier to tier, and out: in steps that may be killed at any moment.

A step copies a picture to its new shelf, reads the copy back, switches the row, and then removes the old bytes. A
removal switches the row first. What a kill leaves are bytes too many, which `sweep` finds. Never removed is what a
data set, a standing review or a hold needs, whatever its row says.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sightline.errors import NotFoundError, StoreAway, StoreError, StoreFull
from sightline.store.pictures import Pictures, Stored, locked, stored
from sightline.store.retention import DAY_S, Kept, Retention, Tier
from sightline.store.schema import DatasetItem, Frame, Hold, Inspection, Picture, Review
from sightline.store.shelf import SHARDS

_BATCH = 100  # rows read at once
_MOST_AWAY = 100  # pictures in a row whose shelf does not answer or is full: it is so for the next one, too
_TIERS = (Tier.HOT, Tier.NEARLINE, Tier.ARCHIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a run did, or would do."""

    moved: int = 0
    removed: int = 0
    freed_bytes: int = 0  # of what was removed
    moved_bytes: int = 0
    failed: int = 0  # left where they are; told in `faults`
    held: int = 0  # over their time, and needed all the same
    swept: int = 0  # bytes without a row, or not where their row says
    faults: tuple[str, ...] = ()  # the first ten, one line each
    more: bool = False  # it ended at its bound; there is more to do

    def failing(self, fault: str) -> "Progress":
        return replace(self, failed=self.failed + 1, faults=(*self.faults, fault)[:10])


def move(
    pictures: Pictures,
    *,
    now_s: float,
    most: int = 1000,
    dry_run: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _: None,
) -> Progress:
    """Bring at most so many pictures to where they belong by their class and age; it goes on behind what fails.

    Args:
        stopped: asked before each picture; the run then ends, and loses nothing.
        progress: told how many were looked at, every so often.

    Raises:
        StoreAway: the database does not answer. A shelf that does not, or is full, is counted under `failed`; after
            many in a row the run ends.
    """
    done, away = Progress(held=_held(pictures, now_s)), 0
    for number, (row, target) in enumerate(_due(pictures, now_s)):
        if number % _BATCH == 0:
            progress(number)
        if done.moved + done.removed + done.failed >= most or away >= _MOST_AWAY or stopped():
            return replace(done, more=True)
        try:
            if target is Tier.GONE:
                if dry_run or remove(pictures, row, now_s=now_s):
                    done = replace(done, removed=done.removed + 1, freed_bytes=done.freed_bytes + row.size_bytes)
            elif dry_run or _move(pictures, row, target):
                done = replace(done, moved=done.moved + 1, moved_bytes=done.moved_bytes + row.size_bytes)
        except (StoreError, NotFoundError) as error:
            done = done.failing(f"{row.digest[:12]}: {error}")
            away = away + 1 if isinstance(error, StoreAway | StoreFull) else 0
        else:
            away = 0
    return done


def remove(pictures: Pictures, row: Stored, *, now_s: float) -> bool:
    """Remove one picture whose time is over; False where it is needed after all, or somebody else was quicker."""
    with pictures.database.writing() as session:
        # the lock first: who reviews or takes it into a data set locks it as well, and is then seen
        if locked(session, row.digest) is None:
            return False
        gone = session.scalar(
            update(Picture)
            .where(Picture.digest == row.digest, Picture.tier == row.tier)
            .where(_over(pictures.retention, now_s), ~needed())
            .values(tier=Tier.GONE)
            .returning(Picture.digest)
        )
    if gone is None:
        return False
    _take_away(pictures, row.digest, row.tier)
    return True


def sweep(pictures: Pictures, shard: int, *, dry_run: bool = False) -> Progress:
    """Take away bytes that no row says are there, below one of the 256 folders of each shelf.

    Bytes of an upload that is not entered yet get a row that says gone; the upload then sees that, and puts them again.
    """
    done = Progress()
    for tier in _TIERS:
        if not pictures.has_shelf(tier):
            continue
        names = pictures.shelf(tier).names(SHARDS[shard])
        for start in range(0, len(names), _BATCH):
            for digest in _astray(pictures, names[start : start + _BATCH], tier):
                if not dry_run:
                    _own(pictures, digest)
                    _take_away(pictures, digest, tier)
                done = replace(done, swept=done.swept + 1)
    return done


def needed() -> ColumnElement[bool]:
    """Whether a data set, a standing review or a hold needs the picture of a row, beside its class."""
    held = and_(Hold.lifted_s.is_(None), Hold.product == Inspection.product, Hold.serial.in_(("", Inspection.serial)))
    seen = or_(Frame.picture == Picture.digest, Frame.overlay == Picture.digest)
    in_a_review = exists().where(seen, Review.inspection_id == Frame.inspection_id, Review.undone_s.is_(None))
    weak = Picture.kept_as.in_((Kept.PASS, Kept.REJECT))  # a review that the class takes in has had its time
    return or_(
        exists().where(DatasetItem.picture == Picture.digest),
        and_(weak, in_a_review),
        exists().where(seen, Inspection.id == Frame.inspection_id, held),
    )


def _over(retention: Retention, now_s: float) -> ColumnElement[bool]:
    """Whether its time is over, both by the rules when it came and by those of today."""
    days = {kept: retention.rule(kept).remove_days for kept in Kept}
    ages = {kept: now_s - number * DAY_S for kept, number in days.items() if number is not None}
    if not ages:
        return false()
    by_class = or_(*(and_(Picture.kept_as == kept, Picture.stored_s <= age) for kept, age in ages.items()))
    return and_(Picture.stored_s <= max(ages.values()), Picture.keep_until_s <= now_s, by_class)


def _held(pictures: Pictures, now_s: float) -> int:
    with pictures.database.reading() as session:
        query = select(func.count()).select_from(Picture).where(Picture.tier.in_(_TIERS))
        return session.scalar(query.where(_over(pictures.retention, now_s), needed())) or 0


def _due(pictures: Pictures, now_s: float) -> Iterator[tuple[Stored, Tier]]:
    """Pictures that do not lie where they belong; first those that go."""
    over = _over(pictures.retention, now_s)
    for tier in _TIERS:
        yield from ((row, Tier.GONE) for row in _pages(pictures, tier, and_(over, ~needed())))
    staying = or_(Picture.keep_until_s.is_(None), ~over)
    for tier in reversed(_TIERS[:-1]):  # the colder first, so that nothing is moved twice in a run
        for kept in Kept:
            for target, youngest_s, oldest_s in _bands(pictures, kept, tier, now_s):
                ages = Picture.stored_s.between(oldest_s, youngest_s)
                aged = _pages(pictures, tier, and_(Picture.kept_as == kept, ages, staying))
                yield from ((row, target) for row in aged)


def _bands(pictures: Pictures, kept: Kept, tier: Tier, now_s: float) -> Iterator[tuple[Tier, float, float]]:
    """(colder tier, when the youngest and the oldest that belong there were stored)."""
    rule = pictures.retention.rule(kept)
    oldest_s = 0.0
    for target, days in ((Tier.ARCHIVE, rule.archive_days), (Tier.NEARLINE, rule.nearline_days)):
        if days is not None and pictures.has_shelf(target) and _TIERS.index(target) > _TIERS.index(tier):
            yield target, now_s - days * DAY_S, oldest_s
        if days is not None and pictures.has_shelf(target):
            oldest_s = math.nextafter(now_s - days * DAY_S, math.inf)


def _pages(pictures: Pictures, tier: Tier, wanted: ColumnElement[bool]) -> Iterator[Stored]:
    """Rows in one tier, the oldest first; what fails is passed by, and tried again in the next run."""
    query = select(Picture).where(Picture.tier == tier, wanted).order_by(Picture.stored_s, Picture.digest)
    after = (-1.0, "")
    while rows := _page(pictures, query, after):
        yield from rows
        after = rows[-1].stored_s, rows[-1].digest


def _page(pictures: Pictures, query: Select[Picture], after: tuple[float, str]) -> list[Stored]:
    with pictures.database.reading() as session:
        page = query.where(tuple_(Picture.stored_s, Picture.digest) > after).limit(_BATCH)
        return [stored(row) for row in session.scalars(page)]


def _move(pictures: Pictures, row: Stored, target: Tier) -> bool:
    """False where somebody else was quicker."""
    shelf = pictures.shelf(target)
    shelf.put(row.digest, pictures.shelf(row.tier).get(row.digest, pictures.most_bytes))
    shelf.get(row.digest, pictures.most_bytes)
    with pictures.database.writing() as session:
        now = locked(session, row.digest)
        # under the lock: a sweep may have taken the copy away, as no row spoke for it
        if now is None or now.tier != row.tier or not shelf.has(row.digest):
            return False
        now.tier = target
    _take_away(pictures, row.digest, row.tier)
    return True


def _take_away(pictures: Pictures, digest: str, tier: Tier) -> None:
    """Remove bytes from a shelf, unless the row says by now that they belong there."""
    with pictures.database.writing() as session:
        row = locked(session, digest)
        if row is not None and row.tier != tier:
            pictures.shelf(tier).remove(digest)


def _astray(pictures: Pictures, digests: list[str], tier: Tier) -> list[str]:
    with pictures.database.reading() as session:
        there = set(session.scalars(select(Picture.digest).where(Picture.digest.in_(digests), Picture.tier == tier)))
    return [digest for digest in digests if digest not in there]


def _own(pictures: Pictures, digest: str) -> None:
    """A row for bytes that have none, which says that they are gone."""
    with pictures.database.writing() as session:
        if locked(session, digest) is None:
            row = Picture(
                digest=digest,
                media_type="",
                size_bytes=0,
                tier=Tier.GONE,
                kept_as=Kept.PASS,
                stored_s=0.0,
                keep_until_s=0.0,
            )
            _insert_or_leave(session, row)


def _insert_or_leave(session: Session, row: Picture) -> None:
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:  # the upload was quicker
        return
