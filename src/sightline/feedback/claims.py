"""Who has which inspection before them, so that two people do not do the same one."""

from collections.abc import Sequence

from sqlalchemy import delete, select

from sightline.store.database import Database
from sightline.store.schema import Claim, Inspection
from sightline.store.turns import take_turn

CLAIM_S = 600.0  # a person who goes away keeps a part from others for so long
MOST_CLAIMS = 50  # of one person at once


def claim(database: Database, inspection_ids: Sequence[str], *, reviewer: str, most: int, now_s: float) -> list[str]:
    """Claim the first of these that are free or are this person's already, at most so many; those that were.

    A claim ends after CLAIM_S, with the decision, or when it is released.
    """
    most = min(most, MOST_CLAIMS)
    with database.writing() as session:
        take_turn(session, "claims")  # everybody's claims are few, and quickly made
        session.execute(delete(Claim).where(Claim.until_s <= now_s))
        rows = {row.inspection_id: row for row in session.scalars(select(Claim))}
        room = MOST_CLAIMS - sum(row.reviewer == reviewer for row in rows.values())
        known = set(session.scalars(select(Inspection.id).where(Inspection.id.in_(inspection_ids))))
        mine: list[str] = []
        for name in inspection_ids:
            row = rows.get(name)
            if len(mine) == most or name not in known or name in mine or (row and row.reviewer != reviewer):
                continue
            if row is None and room > 0:
                session.add(Claim(inspection_id=name, reviewer=reviewer, until_s=now_s + CLAIM_S))
                room -= 1
            elif row is None:
                continue
            else:
                row.until_s = now_s + CLAIM_S
            mine.append(name)
        return mine


def release(database: Database, *, reviewer: str, inspection_ids: Sequence[str] = ()) -> int:
    """Give up these claims, or all where none is named; how many that were."""
    query = delete(Claim).where(Claim.reviewer == reviewer)
    if inspection_ids:
        query = query.where(Claim.inspection_id.in_(inspection_ids))
    with database.writing() as session:
        return len(session.scalars(query.returning(Claim.inspection_id)).all())
