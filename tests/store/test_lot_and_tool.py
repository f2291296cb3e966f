"""Lot and tool of parts: as stations tell them, found by them, summed up by them, and brought to older databases."""

import json

import pytest
from alembic import command
from sqlalchemy import insert, text
from tests.line.parts import outcome
from tests.store.lines import Teller

from sightline.errors import DeliveryRefused
from sightline.evaluation.periods import Calendar, Step
from sightline.line.outcome import canonical, digest
from sightline.records import Verdict
from sightline.store.database import Database
from sightline.store.export import Format, export
from sightline.store.figures import by_period, by_place
from sightline.store.ingest import ingest
from sightline.store.inspections import Filter, one, page
from sightline.store.migration import configuration
from sightline.store.reported import read
from sightline.store.schema import Station
from sightline.store.tallied import Slice

HOUR_S = 3600.0
BEGIN_S = 500_000 * HOUR_S


@pytest.fixture
def reported(database: Database) -> Database:
    """Two lots on two tools over three hours, and parts of neither; every third part of L-2 is bad."""
    parts = []
    for number in range(90):
        lot, tool = (("L-1", "1"), ("L-2", "2"), ("", ""))[number // 30]
        verdict = Verdict.REJECT if lot == "L-2" and number % 3 == 0 else Verdict.PASS
        parts.append(outcome(number + 1, lot=lot, tool=tool, verdict=verdict, unix_s=BEGIN_S + number * 120))
    ingest(database, Teller().tell(*parts), now_s=BEGIN_S + 4 * HOUR_S)
    return database


@pytest.mark.parametrize("since_s", [BEGIN_S, BEGIN_S - 90.0, BEGIN_S - 1800.5], ids=["whole", "cut", "both"])
def test_figures_compare_lots_and_tools(reported: Database, since_s: float) -> None:
    all_ = Slice(since_s=since_s, until_s=BEGIN_S + 3 * HOUR_S)
    with reported.reading() as session:
        lots, tools = by_place(session, all_, "lot"), by_place(session, all_, "tool")
        (bad,) = by_period(session, Slice(since_s=since_s, until_s=BEGIN_S + 1.5 * HOUR_S, lot="L-2"), ())
        both = by_place(session, Slice(since_s=since_s, until_s=BEGIN_S + 3 * HOUR_S, lot="L-2", tool="1"), "lot")
    assert {name: (counts.parts, counts.rejected) for name, counts in lots.items()} == {
        "": (30, 0),
        "L-1": (30, 0),
        "L-2": (30, 10),
    }
    assert [counts.rejected for counts in tools.values()] == [0, 0, 10]
    assert (bad.parts, bad.rejected) == (15, 5)
    assert both == {}


def test_the_course_of_a_lot_is_by_its_periods(reported: Database) -> None:
    periods = Calendar().periods(BEGIN_S, BEGIN_S + 3 * HOUR_S, Step.HOUR)
    with reported.reading() as session:
        course = by_period(session, Slice(since_s=BEGIN_S, until_s=BEGIN_S + 3 * HOUR_S, lot="L-2"), periods)
    assert [(counts.parts, counts.rejected) for counts in course] == [(0, 0), (30, 10), (0, 0)]


def test_parts_are_found_by_lot_and_tool_and_exported_with_them(reported: Database) -> None:
    with reported.reading() as session:
        found = page(session, Filter(lot="L-2", verdict="REJECT"), limit=50).items
        assert {(part.lot, part.tool) for part in found} == {("L-2", "2")}
        assert len(found) == 10
        assert page(session, Filter(lot="L-2", tool="1"), limit=50).items == ()
        assert one(session, found[0].id).document["lot"] == "L-2"
    header, *rows = b"".join(export(reported, Filter(tool="1"), Format.CSV)).decode().splitlines()
    assert header.split(",")[-2:] == ["lot", "tool"]
    assert len(rows) == 30
    assert {row.split(",")[-2] for row in rows} == {"L-1"}


def test_a_record_of_an_older_station_is_taken_and_its_chain_holds(database: Database) -> None:
    """Such a record has neither key; the one after it names its digest as it was."""
    old = {key: value for key, value in json.loads(Teller().parts(1)[0]).items() if key not in ("lot", "tool")}
    line = canonical(old)
    new = Teller(sequence=1, previous=digest(line)).tell(outcome(2, lot="L-1"))
    receipt = ingest(database, [line, *new], now_s=BEGIN_S)
    assert (receipt.stored, receipt.breaks) == (2, 0)
    with database.reading() as session:
        assert {part.lot for part in page(session, Filter(), limit=5).items} == {"", "L-1"}


def test_a_lot_that_is_too_long_is_refused() -> None:
    (line,) = Teller().tell(outcome(1, lot="x" * 65))
    with pytest.raises(DeliveryRefused, match="lot: has 65 characters; at most 64"):
        read(line, 1)


def test_an_older_database_keeps_its_sums(empty_url: str) -> None:
    database = Database(empty_url)
    with database.engine.begin() as connection:
        command.upgrade(configuration(connection), "0001")
        station = {"id": 1, "name": "s", "line": "", "first_seen_s": 1.0, "last_seen_s": 1.0, "last_sequence": 0}
        connection.execute(insert(Station), station | {"last_digest": "", "last_at_s": 0.0, "status": {}})
        connection.execute(text("INSERT INTO tallies VALUES (500000, 1, 'cap', 'production', 'PASS', '', '', 7, 0, 0)"))
    database.upgrade()
    with database.reading() as session:
        counts = by_place(session, Slice(since_s=BEGIN_S, until_s=BEGIN_S + HOUR_S), "lot")
    assert {name: found.parts for name, found in counts.items()} == {"": 7}
    line = Teller("s").tell(outcome(1, lot="L-1", unix_s=BEGIN_S + 1))
    ingest(database, line, now_s=BEGIN_S + 2)
    with database.reading() as session:
        counts = by_place(session, Slice(since_s=BEGIN_S, until_s=BEGIN_S + HOUR_S), "lot")
    database.close()
    assert {name: found.parts for name, found in counts.items()} == {"": 7, "L-1": 1}
