"""Changes of many threads share transactions, and each has its own fate."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from sightline.errors import NotFoundError, StoreError
from sightline.store.database import Database
from sightline.store.schema import Station
from sightline.store.together import Together

THREADS = 16


def names(database: Database) -> set[str]:
    with database.reading() as session:
        return set(session.scalars(select(Station.name)))


def adding(name: str, *, fails: bool = False) -> Callable[[Session], str]:
    def change(session: Session) -> str:
        session.add(Station(name=name, first_seen_s=0.0, last_seen_s=0.0))
        session.flush()
        if fails:
            raise NotFoundError(f"{name} is not here")
        return name

    return change


def test_changes_that_come_meanwhile_share_one_transaction(database: Database) -> None:
    together: Together[str] = Together(database)
    begun, go_on, commits = threading.Event(), threading.Event(), [0]
    event.listen(database.engine, "commit", lambda _connection: commits.__setitem__(0, commits[0] + 1))

    def slow(session: Session) -> str:
        begun.set()
        assert go_on.wait(30)
        return adding("first")(session)

    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.submit(together.make, slow)
        assert begun.wait(30)
        others = [pool.submit(together.make, adding(f"s{place}")) for place in range(THREADS - 1)]
        while together.waiting < THREADS - 1:
            assert not first.done()
        before = commits[0]
        go_on.set()
        assert [other.result(30) for other in others] == [f"s{place}" for place in range(THREADS - 1)]
        assert first.result(30) == "first"
    assert commits[0] - before == 2, "the first one's, and one for all others"
    assert names(database) == {"first", *(f"s{place}" for place in range(THREADS - 1))}


def test_what_fails_takes_nobody_else_with_it(database: Database) -> None:
    together: Together[str] = Together(database)
    ready = threading.Barrier(THREADS)

    def make(place: int) -> str:
        ready.wait(30)
        try:
            return together.make(adding(f"s{place}", fails=place % 3 == 0))
        except NotFoundError as error:
            return str(error)

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(make, range(THREADS)))
    assert found == [f"s{place} is not here" if place % 3 == 0 else f"s{place}" for place in range(THREADS)]
    assert names(database) == {f"s{place}" for place in range(THREADS) if place % 3}


def test_a_database_that_refuses_is_told(database: Database) -> None:
    together: Together[str] = Together(database)
    together.make(adding("one"))
    with pytest.raises(StoreError):
        together.make(adding("one"))
    assert together.make(adding("two")) == "two"


def test_a_fault_of_the_program_leaves_nobody_waiting_or_in_good_faith(database: Database) -> None:
    together: Together[str] = Together(database)
    begun, go_on = threading.Event(), threading.Event()

    def slow(_session: Session) -> str:
        begun.set()
        assert go_on.wait(30)
        return "first"

    def broken(_session: Session) -> str:
        raise ZeroDivisionError

    def make(change: Callable[[Session], str]) -> str:
        try:
            return together.make(change)
        except (StoreError, ZeroDivisionError) as error:
            return type(error).__name__

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(make, slow)
        assert begun.wait(30)
        others = [pool.submit(make, change) for change in (broken, adding("a"), adding("b"))]
        while together.waiting < 3:
            assert not first.done()
        go_on.set()
        found = sorted(other.result(30) for other in others)
    assert first.result() == "first"
    assert found == ["StoreError", "StoreError", "ZeroDivisionError"]
    assert names(database) == set()
    assert together.make(adding("c")) == "c"
