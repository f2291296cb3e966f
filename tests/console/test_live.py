"""The feed of live parts: one question for all pages, all parts once, and word of a database that is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.orm import Session
from tests.line.parts import outcome
from tests.service.plants import plant_with
from tests.store.lines import Teller

from sightline.console import live
from sightline.console.live import Feed, News, State
from sightline.errors import StoreAway
from sightline.evaluation.periods import Calendar
from sightline.records import Verdict
from sightline.service.plant import Plant
from sightline.store.database import Database
from sightline.store.ingest import ingest
from sightline.store.schema import Base, Frame
from sightline.store.shift import Settings

PATIENCE_S = 20.0


class Counted(Database):
    """Counts what it is asked, and can be away."""

    asked = 0
    away = False
    fault: Exception | None = None  # of the program

    @contextmanager
    def reading(self) -> Iterator[Session]:
        self.asked += 1
        if self.away:
            raise StoreAway("the database: cannot be reached.")
        if self.fault:
            raise self.fault
        with super().reading() as session:
            yield session


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Counted]:
    found = Counted(f"sqlite:///{tmp_path / 'plant.db'}")
    Base.metadata.create_all(found.engine)
    yield found
    found.close()


class Reader:
    """A page."""

    def __init__(self) -> None:
        self.news: list[News] = []

    def take(self, news: News) -> None:
        self.news.append(news)

    @property
    def serials(self) -> list[str]:
        return [part.serial for news in self.news for part in news.parts]

    @property
    def away(self) -> list[bool]:
        return [news.away for news in self.news]


async def until(done: Callable[[], object]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end_s, "it did not come"
        await asyncio.sleep(0.01)


def following(database: Database, task: Callable[[Feed], Awaitable[None]]) -> None:
    """Run a task beside a feed."""

    async def run() -> None:
        app = FastAPI()
        app.state.plant = plant_with(database=database, quality=Settings(calendar=Calendar()))
        feed = Feed(app)
        feed.start()
        try:
            await task(feed)
        finally:
            await feed.stop()

    asyncio.run(run())


def report(database: Database, lines: list[str]) -> None:
    ingest(database, lines, now_s=time.time())


def test_each_page_is_told_each_part_once_in_order(database: Counted) -> None:
    teller = Teller()
    report(database, teller.parts(3))

    async def task(feed: Feed) -> None:
        first, second = Reader(), Reader()
        end = feed.follow(first.take)
        await until(lambda: len(first.serials) == 3)
        feed.follow(second.take)
        report(database, teller.parts(2))
        await until(lambda: len(first.serials) == 5 and len(second.serials) == 2)
        assert first.serials == ["S1", "S2", "S3", "S4", "S5"]
        assert second.serials == ["S4", "S5"]
        end()
        end()
        report(database, teller.parts(1))
        await until(lambda: len(second.serials) == 3)
        assert len(first.serials) == 5

    following(database, task)


def test_the_state_counts_the_shift_by_station(database: Counted) -> None:
    now_s = time.time()
    good = [outcome(number, unix_s=now_s) for number in (1, 2, 3)]
    report(database, Teller("press-1").tell(*good, outcome(4, verdict=Verdict.REJECT, unix_s=now_s)))

    async def task(feed: Feed) -> None:
        reader = Reader()
        feed.follow(reader.take)
        await until(lambda: feed.state)
        assert feed.state is not None
        assert [one.name for one in feed.state.stations] == ["press-1"]
        counts = feed.state.counts["press-1"]
        assert (counts.passed, counts.rejected, counts.parts) == (3, 1, 4)

    following(database, task)


def test_nothing_is_asked_while_nobody_follows(database: Counted) -> None:
    async def task(feed: Feed) -> None:
        await asyncio.sleep(3 * live.EVERY_S)
        assert database.asked == 0
        end = feed.follow(Reader().take)
        await until(lambda: database.asked > 2)
        end()
        await until(lambda: feed.state is None)
        asked = database.asked
        await asyncio.sleep(3 * live.EVERY_S)
        assert database.asked == asked

    following(database, task)


def test_a_part_is_told_again_when_its_picture_has_come(database: Counted) -> None:
    report(database, Teller().parts(2))

    async def task(feed: Feed) -> None:
        reader = Reader()
        feed.follow(reader.take)
        await until(lambda: reader.serials)
        with database.writing() as session:
            session.execute(update(Frame).where(Frame.id == 1).values(picture="5f" * 32))
        await until(lambda: any(news.changed for news in reader.news))
        (part,) = [part for news in reader.news for part in news.changed]
        assert (part.serial, part.views[0].picture) == ("S1", "5f" * 32)
        assert reader.serials == ["S1", "S2"]

    following(database, task)


def test_a_backlog_is_not_walked_through(database: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_AT_ONCE", 5)
    report(database, Teller().parts(12))

    async def task(feed: Feed) -> None:
        reader = Reader()
        feed.follow(reader.take)
        await until(lambda: reader.serials)
        assert reader.serials == ["S8", "S9", "S10", "S11", "S12"]

    following(database, task)


def test_a_database_that_is_away_is_told_and_asked_again(database: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_AWAY_S", 0.05)
    database.away = True

    async def task(feed: Feed) -> None:
        reader = Reader()
        feed.follow(reader.take)
        await until(lambda: True in reader.away)
        assert feed.away
        database.away = False
        report(database, Teller().parts(1))
        await until(lambda: reader.serials)
        assert not feed.away
        assert reader.away[-1] is False

    following(database, task)


def test_a_fault_of_the_program_is_logged_once_and_survived(
    database: Counted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live, "_AWAY_S", 0.02)
    database.fault = KeyError("verdict")

    async def task(feed: Feed) -> None:
        reader = Reader()
        feed.follow(reader.take)
        await until(lambda: len(reader.away) > 3)
        assert feed.away
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "KeyError" in caplog.text
        report(database, Teller().parts(1))
        database.fault = None
        await until(lambda: reader.serials)
        assert reader.serials == ["S1"]
        assert not feed.away

    following(database, task)


def test_parts_are_not_lost_when_the_question_behind_them_fails(
    database: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_AWAY_S", 0.02)
    monkeypatch.setattr(live, "_STATE_S", 0.0)
    told = live._state
    faults = iter([False, True, True])

    def failing(session: Session, plant: Plant) -> State:
        if next(faults, False):
            raise ZeroDivisionError
        return told(session, plant)

    async def task(feed: Feed) -> None:
        reader = Reader()
        feed.follow(reader.take)
        await until(lambda: feed.state)
        report(database, Teller().parts(2))
        await until(lambda: reader.serials)
        assert True in reader.away
        assert reader.serials == ["S1", "S2"]

    monkeypatch.setattr(live, "_state", failing)
    following(database, task)


def test_a_page_that_cannot_be_told_leaves_the_others_alone(
    database: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: News) -> None:
        raise RuntimeError("the page was deleted")

    async def task(feed: Feed) -> None:
        reader = Reader()
        feed.follow(broken)
        feed.follow(reader.take)
        report(database, Teller().parts(2))
        await until(lambda: len(reader.serials) == 2)
        assert caplog.text.count("RuntimeError: the page was deleted") == 1

    following(database, task)
