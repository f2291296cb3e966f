"""One after the other, on all servers: who changes the versions of a name waits until another one who does is done."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy.orm import Session

from sightline.store.database import Database, in_turn


def take_turn(session: Session, subject: str) -> None:
    """Wait until nobody else is at this subject, and keep it until the transaction ends.

    What is read after this is what the one before has left. SQLite lets one transaction write at a time anyhow.
    """
    digest = hashlib.sha256(subject.encode()).digest()
    in_turn(session.connection(), int.from_bytes(digest[:8], signed=True))


@contextmanager
def alone(database: Database, subject: str, lock: threading.Lock) -> Iterator[None]:
    """While the block runs nobody else is at this subject, be it files or rows: no thread here, and no other server.

    Args:
        lock: of this server's threads for the subject; with SQLite it is all, as there is one server then.

    Raises:
        StoreAway: the database does not answer, or another server was at it for too long.
    """
    with lock, ExitStack() as opened:
        if not database.is_sqlite:
            take_turn(opened.enter_context(database.writing()), subject)
        yield
