"""What people said of a data set's pictures, brought into a new version of it.

What they drew and said stands in place of what came with the picture, all of it or none: so before somebody changes a
part of what came with it, that is taken over as labels.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.datasets.dataset import GOOD
from sightline.store.audit import note
from sightline.store.datasets import Item
from sightline.store.labels import MOST_OF_A_PICTURE, Drawn, checked, kind_of
from sightline.store.pictures import Pictures
from sightline.store.schema import Label
from sightline.store.turns import take_turn

_AT_ONCE = 500


def relabelled(session: Session, items: Sequence[Item]) -> Iterator[Item]:
    """The same pictures, with what people say of those that anybody labelled.

    A picture whose labels were all removed is one of which nobody says anything.
    """
    for start in range(0, len(items), _AT_ONCE):
        part = items[start : start + _AT_ONCE]
        query = select(Label).where(Label.picture.in_({item.picture for item in part})).order_by(Label.id)
        said: defaultdict[str, list[Label]] = defaultdict(list)
        for row in session.scalars(query):
            said[row.picture].append(row)
        for item in part:
            yield _with(item, said[item.picture]) if item.picture in said else item


def take_over(pictures: Pictures, item: Item, *, author: str, now_s: float) -> int:
    """Make labels of what came with a picture, unless it had labels at any time; returns how many."""
    with pictures.database.writing() as session:
        take_turn(session, f"labels:{item.picture}")
        if session.scalar(select(Label.id).where(Label.picture == item.picture).limit(1)) is not None:
            return 0
        rows = [
            Label(
                picture=item.picture,
                kind=kind_of(geometry),
                label=checked(label),
                geometry=geometry,
                author=author,
                at_s=now_s,
            )
            for label, geometry in _said_by(item)
        ]
        session.add_all(rows)
        subject = f"label:{item.picture}"
        note(session, who=author, action="take labels over", subject=subject, before=None, after=len(rows))
        return len(rows)


def _said_by(item: Item) -> list[tuple[str, dict[str, object]]]:
    """(label, geometry) of what came with a picture, as many as a picture may have."""
    known = item.annotations
    drawn = [(one["label"], one["geometry"]) for one in known.get("annotations", ())]
    whole = list(known.get("labels", ())) or ([item.label] if item.label and not drawn else [])
    return ([(label, {}) for label in whole] + drawn)[:MOST_OF_A_PICTURE]


def _with(item: Item, rows: Iterable[Label]) -> Item:
    standing = [row for row in rows if row.removed_s is None]
    whole = [row.label for row in standing if row.kind == Drawn.CLASS]
    drawn = [row for row in standing if row.kind != Drawn.CLASS]
    counted = Counter(row.label for row in drawn)
    often = min(counted, key=lambda label: (-counted[label], label), default="")
    label = whole[0] if whole else often
    shown = [] if label == GOOD else drawn
    annotations = [{"label": row.label, "geometry": row.geometry, "confidence": None} for row in shown]
    return replace(
        item,
        label=label,
        annotations={
            "labels": whole,
            "annotated": bool(standing),
            "confidence": None,
            "annotations": annotations,
        },
    )
