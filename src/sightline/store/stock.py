"""What lies on the shelves of the pictures, and what goes next."""

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from sightline.store.retention import Kept, Tier
from sightline.store.schema import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Pile:
    """The pictures of one class in one tier."""

    tier: Tier
    kept_as: Kept
    pictures: int
    size_bytes: int
    oldest_s: float  # when the oldest of them was stored
    next_s: float | None  # when the time of the first of them is over; None: never
    due: int  # whose time is over by the moment asked for; holds, reviews and data sets may keep some all the same
    due_bytes: int


def piles(session: Session, *, until_s: float) -> list[Pile]:
    """All that is there, by tier and class.

    Args:
        until_s: up to when pictures are counted as due.
    """
    going = Picture.keep_until_s <= until_s
    query = (
        select(
            Picture.tier,
            Picture.kept_as,
            func.count(),
            func.sum(Picture.size_bytes),
            func.min(Picture.stored_s),
            func.min(Picture.keep_until_s),
            func.sum(case((going, 1), else_=0)),
            func.sum(case((going, Picture.size_bytes), else_=0)),
        )
        .where(Picture.tier != Tier.GONE)
        .group_by(Picture.tier, Picture.kept_as)
    )
    tiers, classes = list(Tier), list(Kept)
    found = [
        Pile(
            tier=Tier(tier),
            kept_as=Kept(kept),
            pictures=count,
            size_bytes=int(size),
            oldest_s=oldest_s,
            next_s=next_s,
            due=int(due),
            due_bytes=int(due_bytes),
        )
        for tier, kept, count, size, oldest_s, next_s, due, due_bytes in session.execute(query)
    ]
    return sorted(found, key=lambda pile: (tiers.index(pile.tier), classes.index(pile.kept_as)))
