"""Bad parts that were passed and found later."""

from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.errors import NotFoundError, OptionError
from sightline.store.audit import note
from sightline.store.database import Database
from sightline.store.pictures import Pictures, pictures_of, strengthen_all
from sightline.store.retention import Kept
from sightline.store.schema import Escape, Inspection
from sightline.store.webhooks import publish


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What somebody tells of an escape."""

    product: str = ""  # empty: that of the inspection
    serial: str = ""  # empty: that of the inspection, or not known
    inspection_id: str | None = None  # None: the newest pass of the serial number, where one is known
    label: str = ""
    found_s: float
    found_where: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.product and self.inspection_id is None:
            raise OptionError("an escape needs its product, or the inspection that passed it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEscape:
    """An escape as it is kept."""

    id: int
    product: str
    serial: str
    inspection_id: str | None  # None: it is not known which one passed it
    label: str
    found_s: float
    found_where: str
    note: str
    reported_by: str


def report(pictures: Pictures, finding: Finding, *, by: str, now_s: float) -> KnownEscape:
    """Keep what was found; the pictures of the inspection are kept as reviewed from now on.

    Raises:
        NotFoundError: there is no such inspection. OptionError: it is of another product, or found in the future.
    """
    if finding.found_s > now_s:
        raise OptionError("an escape was found in the future; correct the time.")
    with pictures.database.writing() as session:
        inspection = _inspection(session, finding)
        row = Escape(
            product=inspection.product if inspection else finding.product,
            serial=inspection.serial if inspection else finding.serial,
            inspection_id=inspection.id if inspection else None,
            label=finding.label.strip(),
            found_s=finding.found_s,
            found_where=finding.found_where,
            note=finding.note,
            reported_by=by,
        )
        session.add(row)
        session.flush()
        if inspection:
            strengthen_all(session, pictures, pictures_of(session, inspection.id), Kept.REVIEWED, now_s)
        known = _known(row)
        after = {"inspection": known.inspection_id, "label": known.label}
        note(session, who=by, action="report escape", subject=f"escape:{row.id}", before=None, after=after)
        publish(session, "escape.reported", asdict(known), now_s=now_s)
        return known


def take_back(database: Database, escape_id: int, *, by: str, reason: str, now_s: float) -> KnownEscape:
    """Remove a report that was a mistake; all of it stays in the audit trail.

    Raises:
        NotFoundError: there is none, or it was taken back already. OptionError: the reason is missing.
    """
    if not reason.strip():
        raise OptionError("a reason is missing; say in a few words why the report was a mistake.")
    with database.writing() as session:
        row = session.get(Escape, escape_id, with_for_update=True)
        if row is None:
            raise NotFoundError(f"escape {escape_id}: there is none.")
        known = _known(row)
        session.delete(row)
        after = {"reason": reason}
        note(session, who=by, action="take back", subject=f"escape:{known.id}", before=asdict(known), after=after)
        publish(session, "escape.withdrawn", asdict(known) | {"by": by, "reason": reason}, now_s=now_s)
        return known


def listed(
    session: Session, *, product: str = "", before: tuple[float, int] | None = None, limit: int = 100
) -> list[KnownEscape]:
    """Those found last first; `before` is (found_s, id) of the last of the page before."""
    query = select(Escape).order_by(Escape.found_s.desc(), Escape.id.desc()).limit(limit)
    if product:
        query = query.where(Escape.product == product)
    if before is not None:
        found_s, number = before
        earlier = (Escape.found_s < found_s) | ((Escape.found_s == found_s) & (Escape.id < number))
        query = query.where(earlier)
    return [_known(row) for row in session.scalars(query)]


def _inspection(session: Session, finding: Finding) -> Inspection | None:
    if finding.inspection_id is None:
        if not finding.serial:
            return None
        passed = select(Inspection).where(Inspection.serial == finding.serial, Inspection.product == finding.product)
        passed = passed.where(Inspection.verdict == "PASS", Inspection.at_s <= finding.found_s)
        return session.scalar(passed.order_by(Inspection.number.desc()).limit(1))
    found = session.get(Inspection, finding.inspection_id)
    if found is None:
        raise NotFoundError(f"inspection {finding.inspection_id:.40}: there is none.")
    if finding.product not in ("", found.product) or finding.serial not in ("", found.serial):
        raise OptionError(f"inspection {found.id} is of {found.product} {found.serial}; correct product or serial.")
    return found


def _known(row: Escape) -> KnownEscape:
    return KnownEscape(
        id=row.id,
        product=row.product,
        serial=row.serial,
        inspection_id=row.inspection_id,
        label=row.label,
        found_s=row.found_s,
        found_where=row.found_where,
        note=row.note,
        reported_by=row.reported_by,
    )
