"""The audit trail: who changed what, each row with the digest of the row before."""

import hashlib
import json
import time

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sightline.store.schema import Audit


def note(
    session: Session, *, who: str, action: str, subject: str, before: object, after: object, signed: bool = False
) -> None:
    """Add a row within the caller's own transaction; call it last, as others who note something wait from here on."""
    number = session.scalar(select(func.max(Audit.number))) or 0
    last = session.get(Audit, number) if number else None
    row = {"who": who, "action": action, "subject": subject, "before": json.dumps(before), "after": json.dumps(after)}
    previous = last.digest if last else "0" * 64
    digest = hashlib.sha256(f"{previous}{json.dumps(row, sort_keys=True)}".encode()).hexdigest()
    session.add(Audit(number=number + 1, at_s=time.time(), signed=signed, previous=previous, digest=digest, **row))
    session.flush()
