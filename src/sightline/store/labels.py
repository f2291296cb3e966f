"""What people draw on pictures, or say of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sightline.datasets.annotations import Annotation, LabelledPicture, Mask, Polygons, Rectangle
from sightline.errors import ConflictError, NotFoundError, OptionError
from sightline.imaging.decode import read_header
from sightline.store.audit import note
from sightline.store.drawing import from_document, painted, to_document
from sightline.store.pictures import Pictures, strengthen_all
from sightline.store.retention import Kept
from sightline.store.schema import Label

MOST_OF_A_PICTURE = 1000  # standing at once


class Drawn(StrEnum):
    """What a label is."""

    CLASS = "class"  # of the whole picture
    BOX = "box"
    POLYGON = "polygon"
    MASK = "mask"


_KINDS = {Rectangle: Drawn.BOX, Polygons: Drawn.POLYGON, Mask: Drawn.MASK}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLabel:
    """One label that stands, or did."""

    id: int
    picture: str
    kind: Drawn
    label: str
    geometry: dict[str, Any]  # empty for a class
    author: str
    at_s: float
    removed_s: float | None  # None: it stands


def add(
    pictures: Pictures, picture: str, *, label: str, geometry: Mapping[str, Any], author: str, now_s: float
) -> KnownLabel:
    """Put a label on a picture.

    Args:
        geometry: as sightline.store.drawing says, kept as a mask where it is a stroke; empty: the label is of the
            whole picture.

    Raises:
        NotFoundError: there is no such picture. DatasetError: the drawing is none, or does not fit the picture.
        ConflictError: the picture has as many labels as it may have.
    """
    label = checked(label)
    kind, drawn = Drawn.CLASS, {}
    content = pictures.read(picture)
    if geometry:
        header = read_header(content, source=f"picture {picture[:12]}", max_megapixels=pictures.max_megapixels)
        shape = painted(geometry, header.height, header.width) if "stroke" in geometry else from_document(geometry)
        annotation = Annotation(label=label, geometry=shape)
        LabelledPicture(path=Path(picture[:12]), size=(header.height, header.width), annotations=(annotation,))
        kind, drawn = _KINDS[type(shape)], to_document(shape)
    with pictures.database.writing() as session:
        strengthen_all(session, pictures, [picture], Kept.REVIEWED, now_s)
        standing = select(func.count()).where(Label.picture == picture, Label.removed_s.is_(None))
        if (session.scalar(standing) or 0) >= MOST_OF_A_PICTURE:
            raise ConflictError(f"picture {picture[:12]} has {MOST_OF_A_PICTURE} labels; remove some first.")
        row = Label(picture=picture, kind=kind, label=label, geometry=drawn, author=author, at_s=now_s)
        session.add(row)
        session.flush()
        after = {"kind": kind, "label": label}
        note(session, who=author, action="label", subject=_subject(row), before=None, after=after)
        return _known(row)


def remove(pictures: Pictures, label_id: int, *, by: str, now_s: float) -> KnownLabel:
    """Take a label away; it is kept as removed. ConflictError where it is already."""
    return _stands(pictures, label_id, by=by, removed_s=now_s)


def restore(pictures: Pictures, label_id: int, *, by: str) -> KnownLabel:
    """Undo a removal."""
    return _stands(pictures, label_id, by=by, removed_s=None)


def of_picture(session: Session, picture: str, *, removed: bool = False) -> list[KnownLabel]:
    """Those that stand, in the order in which they were made; on demand those that were removed as well."""
    query = select(Label).where(Label.picture == picture).order_by(Label.id)
    if not removed:
        query = query.where(Label.removed_s.is_(None))
    return [_known(row) for row in session.scalars(query.limit(MOST_OF_A_PICTURE))]


def kind_of(geometry: Mapping[str, Any]) -> Drawn:
    """What a label with this geometry is."""
    return _KINDS[type(from_document(geometry))] if geometry else Drawn.CLASS


def checked(label: str) -> str:
    """A label's text without what surrounds it; OptionError where it is none."""
    text = label.strip()
    if not text or len(text) > 120 or not text.isprintable():
        raise OptionError(f"label {label!r:.60}: give 1 to 120 printable characters.")
    return text


def _stands(pictures: Pictures, label_id: int, *, by: str, removed_s: float | None) -> KnownLabel:
    with pictures.database.writing() as session:
        row = session.get(Label, label_id, with_for_update=True)
        if row is None:
            raise NotFoundError(f"label {label_id}: there is none.")
        if (row.removed_s is None) == (removed_s is None):
            raise ConflictError(f"label {label_id}: {'stands' if removed_s is None else 'was removed'} already.")
        before, row.removed_s = row.removed_s, removed_s
        action = "restore label" if removed_s is None else "remove label"
        note(session, who=by, action=action, subject=_subject(row), before=before, after=removed_s)
        return _known(row)


def _subject(row: Label) -> str:
    return f"label:{row.picture}/{row.id}"


def _known(row: Label) -> KnownLabel:
    return KnownLabel(
        id=row.id,
        picture=row.picture,
        kind=Drawn(row.kind),
        label=row.label,
        geometry=dict(row.geometry),
        author=row.author,
        at_s=row.at_s,
        removed_s=row.removed_s,
    )
