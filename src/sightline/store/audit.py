"""The audit trail: who changed what and when; each row holds the digest of the row before."""

import hashlib
import json
import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.store.schema import Audit


def note(
    session: Session, *, who: str, action: str, subject: str, before: object, after: object, signed: bool = False
) -> None:
    """Add a row within the caller's own transaction; call it last."""
    last = session.scalars(select(Audit).order_by(Audit.number.desc()).limit(1)).first()
    previous, number = (last.digest, last.number + 1) if last else ("0" * 64, 1)
    row = {"number": number, "at_s": time.time(), "who": who, "action": action, "subject": subject}
    row |= {"before": json.dumps(before), "after": json.dumps(after), "signed": signed, "previous": previous}
    digest = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
    session.add(Audit(**row, digest=digest))
