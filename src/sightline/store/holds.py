"""Holds: pictures of these parts are not removed, whatever their age."""

from dataclasses import dataclass

from sqlalchemy import select

from sightline.errors import ConflictError, NotFoundError, OptionError
from sightline.store.audit import note
from sightline.store.database import Database
from sightline.store.schema import Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHold:
    """A hold that is in force, or was."""

    id: int
    product: str
    serial: str  # empty: all parts of the product
    reason: str
    author: str
    at_s: float
    lifted_s: float | None  # None: it is in force


def place(database: Database, *, product: str, serial: str, reason: str, by: str, now_s: float) -> KnownHold:
    """Keep all pictures of a part, or of a product where the serial number is empty."""
    if not product.strip() or not reason.strip():
        raise OptionError("a hold needs a product and a reason.")
    with database.writing() as session:
        row = Hold(product=product, serial=serial, reason=reason, author=by, at_s=now_s)
        session.add(row)
        session.flush()
        after = {"product": product, "serial": serial, "reason": reason}
        note(session, who=by, action="place hold", subject=f"hold:{row.id}", before=None, after=after)
        return _known(row)


def lift(database: Database, hold_id: int, *, by: str, now_s: float) -> KnownHold:
    """End a hold; ConflictError where it has ended already."""
    with database.writing() as session:
        row = session.get(Hold, hold_id, with_for_update=True)
        if row is None:
            raise NotFoundError(f"hold {hold_id}: there is none.")
        if row.lifted_s is not None:
            raise ConflictError(f"hold {hold_id}: was lifted already.")
        row.lifted_s = now_s
        note(session, who=by, action="lift hold", subject=f"hold:{row.id}", before=None, after={"lifted_s": now_s})
        return _known(row)


def listed(database: Database, *, before: int | None = None, limit: int = 100) -> list[KnownHold]:
    """The newest first, those lifted as well; `before` is the last `id` of the page before."""
    query = select(Hold).order_by(Hold.id.desc()).limit(limit)
    with database.reading() as session:
        return [_known(row) for row in session.scalars(query if before is None else query.where(Hold.id < before))]


def _known(row: Hold) -> KnownHold:
    return KnownHold(
        id=row.id,
        product=row.product,
        serial=row.serial,
        reason=row.reason,
        author=row.author,
        at_s=row.at_s,
        lifted_s=row.lifted_s,
    )
