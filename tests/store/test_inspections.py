"""What pages ask: the right rows, in order, each once, by an index."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event, text, update
from tests.line.parts import outcome
from tests.store.lines import Teller

from sightline.errors import NotFoundError, OptionError
from sightline.line.outcome import Kind, Outcome, ViewOutcome
from sightline.records import Verdict
from sightline.store import inspections
from sightline.store.database import Database
from sightline.store.ingest import ingest
from sightline.store.inspections import (
    Filter,
    Summary,
    history,
    labels,
    newest,
    one,
    page,
    place,
    products,
    since,
)
from sightline.store.schema import Frame
from sightline.store.stations import broken, standings
from sightline.store.tallies import Count, counts

DAY_S = 1_800_057_600.0  # a midnight in UTC
NOW_S = DAY_S + 86_400.0


def part(number: int) -> Outcome:
    """Every fifth is rejected, every eleventh a fault, every seventh a cap, every ninth an audit."""
    verdict = Verdict.FAULT if number % 11 == 0 else Verdict.REJECT if number % 5 == 0 else Verdict.PASS
    kind = Kind.AUDIT if number % 9 == 0 else Kind.PRODUCTION
    made = outcome(number, verdict=verdict, kind=kind, serial=f"S{number % 40}", unix_s=DAY_S + 600 * number)
    model = "m2" if number % 50 == 0 else "m1"
    views = tuple(replace(view, model_id=model) for view in made.views)
    return replace(made, product="cap" if number % 7 == 0 else "disc", views=views, late=number == 30)


@pytest.fixture
def filled(database: Database) -> Database:
    """120 parts of 20 h at each of two stations."""
    for station in ("line-1", "line-2"):
        ingest(database, Teller(station=station).tell(*(part(number) for number in range(1, 121))), now_s=NOW_S)
    return database


def everything(database: Database, chosen: Filter, limit: int) -> list[Summary]:
    found: list[Summary] = []
    before = None
    with database.reading() as session:
        while True:
            got = page(session, chosen, before=before, limit=limit)
            assert len(got.items) <= limit
            found += got.items
            if got.next is None:
                return found
            before = place(str(got.next))


ASKED: dict[str, tuple[Filter, Callable[[int], bool]]] = {
    "all": (Filter(), lambda n: True),
    "time": (Filter(since_s=DAY_S + 6000, until_s=DAY_S + 12000), lambda n: 10 <= n < 20),
    "product": (Filter(product="cap"), lambda n: n % 7 == 0),
    "serial": (Filter(serial="S7"), lambda n: n % 40 == 7),
    "verdict": (Filter(verdict="REJECT"), lambda n: n % 5 == 0 and n % 11 > 0),
    "label": (Filter(label="dent"), lambda n: n % 5 == 0 and n % 11 > 0),
    "kind": (Filter(kind="audit"), lambda n: n % 9 == 0),
    "cause": (Filter(cause="camera"), lambda n: n % 11 == 0),
    "late": (Filter(late=True), lambda n: n == 30),
    "model": (Filter(model="m2"), lambda n: n % 50 == 0),
    "many": (
        Filter(product="cap", verdict="PASS", kind="production"),
        lambda n: n % 7 == 0 and all(n % k for k in (5, 9, 11)),
    ),
    "nothing": (Filter(product="ring"), lambda n: False),
}


@pytest.mark.parametrize("scanned", [20_000, 3])
def test_pages_hold_each_that_was_asked_for_once_newest_first(
    filled: Database, monkeypatch: pytest.MonkeyPatch, scanned: int
) -> None:
    monkeypatch.setattr(inspections, "SCANNED", scanned)
    monkeypatch.setattr(inspections, "_FIRST", 2)
    for chosen, right in ASKED.values():
        found = everything(filled, chosen, 7)
        expected = sorted(n for n in range(1, 121) if right(n)) * 2
        assert sorted(item.sequence for item in found) == sorted(expected), chosen
        assert [item.place for item in found] == sorted(
            (item.place for item in found), key=lambda at: (at.at_s, at.number), reverse=True
        )
        assert len({item.id for item in found}) == len(found)


def test_of_one_station_and_of_none(filled: Database) -> None:
    assert {item.station for item in everything(filled, Filter(station="line-2"), 50)} == {"line-2"}
    assert everything(filled, Filter(station="line-9"), 50) == []


def test_what_comes_in_meanwhile_shifts_no_page(filled: Database) -> None:
    with filled.reading() as session:
        first = page(session, Filter(), limit=100)
    ingest(filled, Teller(station="line-3").parts(5, unix_s=NOW_S), now_s=NOW_S)
    with filled.reading() as session:
        second = page(session, Filter(), before=first.next, limit=200)
    assert len(second.items) == 140
    assert not {item.id for item in first.items} & {item.id for item in second.items}


@pytest.mark.parametrize(
    "said", ["", "1", "nan_1", "1.0_-1", "1e5_1", "1.0_1\n", "1.0_99999999999999999999", "\u0661.0_1"]
)
def test_a_place_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(OptionError, match="`next` of the page before"):
        place(said)


def test_one_has_everything(database: Database) -> None:
    made = outcome(1, verdict=Verdict.REJECT)
    (view,) = made.views
    side = ViewOutcome(view="side", verdict=Verdict.PASS, score=0.1, threshold=1.0, model_id="m")
    (line,) = Teller().tell(replace(made, views=(view, side)))
    ingest(database, [line], now_s=NOW_S)
    with database.writing() as session:
        session.execute(update(Frame).where(Frame.view == "side").values(picture="a" * 64))
    with database.reading() as session:
        found = one(session, made.id)
    assert [(shown.view, shown.picture) for shown in found.summary.views] == [("side", "a" * 64), ("top", None)]
    assert [(defect.view, defect.label, defect.area_px) for defect in found.defects] == [("top", "dent", 9)]
    assert found.document["id"] == found.summary.id == made.id


def test_one_that_is_not_there(database: Database) -> None:
    with database.reading() as session, pytest.raises(NotFoundError, match="not known"):
        one(session, "x")


def test_the_history_of_a_part_has_all_stations(filled: Database) -> None:
    with filled.reading() as session:
        found = history(session, "S7")
        assert [(item.station, item.sequence) for item in found] == [
            (station, number) for station in ("line-2", "line-1") for number in (87, 47, 7)
        ]
        assert [item.sequence for item in history(session, "S7", product="cap")] == [7, 7]
        assert history(session, "") == ()


def test_what_is_new_comes_in_the_order_of_its_coming(filled: Database) -> None:
    with filled.reading() as session:
        assert newest(session) == 240
        assert [item.number for item in since(session, 230, limit=5)] == [231, 232, 233, 234, 235]
        assert [item.number for item in since(session, 0, station="line-2", limit=2)] == [121, 122]
        assert since(session, 240) == ()


def test_names(filled: Database) -> None:
    with filled.reading() as session:
        assert products(session) == ["cap", "disc"]
        assert labels(session) == ["dent"]


def test_counts_agree_with_the_rows(filled: Database) -> None:
    with filled.reading() as session:
        found = counts(session, since_s=DAY_S, until_s=NOW_S, station="line-1", product="disc")
    expected: dict[tuple[float, str], int] = {}
    for number in range(1, 121):
        one_part = part(number)
        if one_part.kind is Kind.PRODUCTION and one_part.product == "disc":
            key = (DAY_S + number // 6 * 3600, str(one_part.verdict))
            expected[key] = expected.get(key, 0) + 1
    assert {(count.start_s, count.verdict): count.parts for count in found} == expected
    assert [count.start_s for count in found] == sorted(count.start_s for count in found)


def test_counts_of_shifts_and_days_begin_where_they_are_told(filled: Database) -> None:
    with filled.reading() as session:
        days = counts(session, since_s=DAY_S, until_s=NOW_S, step_h=24, kind="")
        shifts = counts(session, since_s=DAY_S, until_s=NOW_S, step_h=8, offset_h=6, kind="")
    assert {count.start_s for count in days} == {DAY_S}
    assert sum(count.parts for count in days) == 240
    assert Count(start_s=DAY_S, verdict="REJECT", parts=44, defects=44, late=2) in days
    assert {(count.start_s - DAY_S) / 3600 for count in shifts} == {-2, 6, 14}


@pytest.mark.parametrize(("step_h", "offset_h", "until_s"), [(0, 0, 9e9), (1, 24, 9e9), (1, 0, 0), (1, 0, 9e9)])
def test_counts_of_what_makes_no_sense_are_refused(
    database: Database, step_h: int, offset_h: int, until_s: float
) -> None:
    with database.reading() as session, pytest.raises(OptionError):
        counts(session, since_s=10.0, until_s=until_s, step_h=step_h, offset_h=offset_h)


def test_stations_say_how_they_stand(filled: Database) -> None:
    lost = Teller(station="line-1", sequence=200).parts(1, unix_s=NOW_S)
    ingest(filled, lost, now_s=NOW_S + 5, clock_s=NOW_S + 7)
    with filled.reading() as session:
        first, second = standings(session)
        (gap,) = broken(session, "line-1")
        assert broken(session, "line-2") == []
    assert (first.name, first.breaks, first.last_sequence, first.clock_ahead_s) == ("line-1", 1, 201, 2.0)
    assert (second.name, second.breaks, second.last_sequence, second.clock_ahead_s) == ("line-2", 0, 120, None)
    assert (gap.before, gap.sequence, gap.what) == (120, 201, "missing")


@pytest.fixture
def plans(tmp_path: Path, made_sqlite: Path) -> Iterator[tuple[Database, list[str]]]:
    """A database on SQLite, and how it goes about each statement."""
    database, seen = Database(f"sqlite:///{made_sqlite}"), []

    def explain(connection, cursor, statement, parameters, context, executemany) -> None:  # type: ignore[no-untyped-def]
        if statement.startswith("SELECT"):
            cursor = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            seen.append("; ".join(row[3] for row in cursor.fetchall()))

    event.listen(database.engine, "before_cursor_execute", explain)
    yield database, seen
    database.close()


@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        (Filter(), "ix_inspections_at"),
        (Filter(product="a"), "ix_inspections_product_at"),
        (Filter(verdict="REJECT"), "ix_inspections_verdict_at"),
        (Filter(label="a"), "ix_inspections_label_at"),
        (Filter(kind="audit"), "ix_inspections_kind_at"),
        (Filter(lot="a"), "ix_inspections_lot_at"),
        (Filter(tool="a"), "ix_inspections_tool_at"),
        (Filter(station="a"), "ix_inspections_station_at"),
        (Filter(serial="a"), "ix_inspections_serial"),
    ],
)
def test_each_list_is_read_from_an_index(plans: tuple[Database, list[str]], chosen: Filter, index: str) -> None:
    database, seen = plans
    with database.reading() as session:
        page(session, replace(chosen, since_s=1.0), before=place("2.0_5"))
    assert any(index in plan for plan in seen), seen
    assert not any("SCAN inspections" in plan for plan in seen)
    if not chosen.serial:
        assert not any("TEMP B-TREE" in plan for plan in seen if "inspections" in plan)


def test_a_database_is_read_as_of_one_moment(filled: Database, url: str) -> None:
    other = Database(url)
    with filled.reading() as session:
        before = newest(session)
        ingest(other, Teller(station="line-3").parts(1), now_s=NOW_S)
        assert newest(session) == before
    other.close()
    with filled.reading() as session:
        assert newest(session) == before + 1
        assert session.execute(text("SELECT 1")).scalar() == 1
