"""Inspections that people have decided, as pictures of a data set."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.datasets.dataset import GOOD
from sightline.feedback.consensus import Outcome, State
from sightline.feedback.reviews import outcomes
from sightline.records import UNNAMED, Verdict
from sightline.store.datasets import MOST_ITEMS, Item
from sightline.store.labels import Drawn, KnownLabel, of_picture
from sightline.store.schema import Frame, Inspection, Picture, Review

_AT_ONCE = 500
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/bmp": "bmp", "image/webp": "webp", "image/tiff": "tif"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which inspections."""

    product: str = ""  # empty: any
    since_s: float = 0.0  # triggered then or later
    needed: int = 1  # people who have to agree


def reviewed_items(session: Session, choice: Choice) -> tuple[Item, ...]:
    """Pictures of settled inspections, at most MOST_ITEMS, none in a split yet.

    A view of a rejected part is labelled where it is the only one, where it was drawn on, or where the machine did
    not pass it; of the others nobody has said what they show, and they have no label.
    """
    return tuple(item for item, _ in zip(_items(session, choice), range(MOST_ITEMS), strict=False))


def _items(session: Session, choice: Choice) -> Iterator[Item]:
    query = select(Inspection.id).where(Inspection.at_s >= choice.since_s).order_by(Inspection.id)
    query = query.where(Inspection.id.in_(select(Review.inspection_id).where(Review.undone_s.is_(None))))
    if choice.product:
        query = query.where(Inspection.product == choice.product)
    after = ""
    while names := list(session.scalars(query.where(Inspection.id > after).limit(_AT_ONCE))):
        for name, outcome in outcomes(session, names, choice.needed).items():
            if outcome.state is State.SETTLED:
                yield from _of_inspection(session, name, outcome)
        after = names[-1]


def _of_inspection(session: Session, name: str, outcome: Outcome) -> Iterator[Item]:
    query = select(Frame, Picture).join(Picture, Picture.digest == Frame.picture).where(Frame.inspection_id == name)
    views = list(session.execute(query.where(Picture.tier != "gone").order_by(Frame.view)))
    for frame, picture in views:
        drawn = of_picture(session, picture.digest)
        said = [label for label in drawn if label.kind is Drawn.CLASS]
        annotations = [
            {"label": label.label, "geometry": label.geometry, "confidence": None}
            for label in drawn
            if label.kind is not Drawn.CLASS
        ]
        shown = GOOD if outcome.verdict is Verdict.PASS else ""
        if not shown and (len(views) == 1 or drawn or frame.verdict != Verdict.PASS):
            shown = _first(said) or outcome.label or _first(drawn) or UNNAMED
        yield Item(
            picture=picture.digest,
            name=f"{name}/{frame.view}.{_SUFFIXES.get(picture.media_type, 'bin')}",
            label=shown,
            annotations={
                "labels": [shown] if shown else [],
                "annotated": bool(shown),
                "confidence": None,
                "annotations": annotations if shown != GOOD else [],
            },
        )


def _first(labels: list[KnownLabel]) -> str:
    return labels[0].label if labels else ""
