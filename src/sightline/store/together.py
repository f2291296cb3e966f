"""Small changes of many threads in one transaction, so that the disk is waited for once and not once for each."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from sightline.errors import InspectionError, StoreError
from sightline.store.database import Database

T = TypeVar("T")
_UNMADE = StoreError("database: what was to be written with this broke off. Send it again.")


@dataclass(slots=True, eq=False)
class _Change(Generic[T]):
    make: Callable[[Session], T]
    result: T | None = None
    error: InspectionError | None = _UNMADE
    is_done: bool = False


class Together(Generic[T]):
    """Whoever comes while a transaction runs is in the next one, with all who came meanwhile; threads share it.

    So many changes wait as there are threads that make them, which the server bounds.
    """

    def __init__(self, database: Database, *, most: int = 64) -> None:
        """`most`: changes in one transaction, so that it stays short."""
        self._database, self._most = database, most
        self._waiting: list[_Change[T]] = []
        self._list, self._writing = threading.Lock(), threading.Lock()

    def make(self, change: Callable[[Session], T]) -> T:
        """What the change returns, when it is durable. It is made anew where it shared a transaction that failed.

        Raises:
            Whatever the change raises; nothing of it is then stored, and the others' are. StoreAway, StoreError: as
                `Database.writing`.
        """
        mine = _Change(change)
        with self._list:
            self._waiting.append(mine)
        with self._writing:
            while not mine.is_done:
                with self._list:
                    some, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                self._store(some)
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # it was made

    @property
    def waiting(self) -> int:
        """Changes that no transaction has taken up yet."""
        return len(self._waiting)

    def _store(self, changes: list[_Change[T]]) -> None:
        try:
            with self._database.writing() as session:
                results = [change.make(session) for change in changes]
            for change, result in zip(changes, results, strict=True):
                change.result, change.error = result, None
        except InspectionError as error:
            if len(changes) == 1:
                changes[0].error = error
            else:  # whose fault it was shows when each is alone
                for change in changes:
                    self._store([change])
        finally:  # after a fault of ours as well: nobody waits for ever, and what was not stored says so
            for change in changes:
                change.is_done = True
