"""By which names people and machines call the defects of a product."""

from collections import Counter

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sightline.records import UNNAMED
from sightline.store.schema import Inspection, Review, Tally

_MOST_REVIEWS = 5_000  # that are looked at, the newest
_WEIGHT = 1000  # of a name that a person gave, against one that a machine did


def kinds(session: Session, *, product: str = "", most: int = 20) -> list[str]:
    """Names of defects, the most frequent first; what people said counts before what machines found."""
    said = select(Review.label).join(Inspection, Inspection.id == Review.inspection_id)
    said = said.where(Review.undone_s.is_(None), Review.label != "")
    found = select(Tally.label, func.sum(Tally.parts)).where(Tally.label.not_in(("", UNNAMED))).group_by(Tally.label)
    if product:
        said, found = said.where(Inspection.product == product), found.where(Tally.product == product)
    counts = Counter(session.scalars(said.order_by(Review.id.desc()).limit(_MOST_REVIEWS)))
    counts = Counter({label: _WEIGHT * number for label, number in counts.items()})
    counts.update({label: int(parts) for label, parts in session.execute(found)})
    return sorted(counts, key=lambda label: (-counts[label], label))[:most]
