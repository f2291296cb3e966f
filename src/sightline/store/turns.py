"""One after the other, on all servers: who changes the versions of a name waits until another one who does is done."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def take_turn(session: Session, subject: str) -> None:
    """Wait until nobody else is at this subject, and keep it until the transaction ends.

    What is read after this is what the one before has left. SQLite lets one transaction write at a time anyhow.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(subject, 0))))
