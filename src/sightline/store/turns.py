"""One after the other, on all servers: who changes the versions of a name waits until another one who does is done."""

import hashlib

from sqlalchemy.orm import Session

from sightline.store.database import in_turn


def take_turn(session: Session, subject: str) -> None:
    """Wait until nobody else is at this subject, and keep it until the transaction ends.

    What is read after this is what the one before has left. SQLite lets one transaction write at a time anyhow.
    """
    digest = hashlib.sha256(subject.encode()).digest()
    in_turn(session.connection(), int.from_bytes(digest[:8], signed=True))
