"""Each record once, in its station's order, whole batches or nothing; on both databases."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import func, select
from tests.line.parts import outcome
from tests.store.lines import Teller

from sightline.errors import AccessError, DeliveryRefused, StoreError
from sightline.line.events import Signal
from sightline.line.outcome import Kind, Opinion
from sightline.records import Verdict
from sightline.store import webhooks
from sightline.store.database import Database
from sightline.store.ingest import Receipt, ingest
from sightline.store.reported import read
from sightline.store.schema import Break, Defect, Delivery, Frame, Inspection, Part, Station, Tally
from sightline.store.stations import tell

NOW_S = 1.8e9 + 1000.0


def take(database: Database, lines: list[str], **options: float) -> Receipt:
    return ingest(database, lines, now_s=options.pop("now_s", NOW_S), **options)  # type: ignore[arg-type]


def id_of(line: str) -> str:
    return str(json.loads(line)["id"])


def breaks(database: Database) -> list[tuple[int, int, str]]:
    with database.reading() as session:
        return [(row.before, row.sequence, row.what) for row in session.scalars(select(Break).order_by(Break.id))]


def at(database: Database) -> list[float]:
    with database.reading() as session:
        return list(session.scalars(select(Inspection.at_s).order_by(Inspection.number)))


def test_a_new_station_may_come_to_two_servers_at_once(database: Database) -> None:
    taken = list[Receipt]()
    other = threading.Thread(target=lambda: taken.append(take(database, Teller().parts(1))))
    with database.writing() as session:
        tell(session, "line-1", {"state": "running"}, now_s=NOW_S)
        session.flush()
        other.start()
        other.join(0.5)  # it waits until this one is done
        assert not taken
    other.join(60)
    assert [receipt.stored for receipt in taken] == [1]
    with database.reading() as session:
        (station,) = session.scalars(select(Station))
        assert (station.last_sequence, station.status) == (1, {"state": "running"})


def test_a_batch_is_stored_with_all_that_it_says(database: Database) -> None:
    lines = Teller().tell(
        outcome(1, serial="A1"),
        outcome(2, verdict=Verdict.REJECT, serial="A2", late=True),
        outcome(3, verdict=Verdict.FAULT),
        outcome(4, kind=Kind.CHALLENGE, serial="A1"),
    )
    assert take(database, lines) == Receipt(through=id_of(lines[-1]), stored=4, known=0, breaks=0)
    with database.reading() as session:
        rows = session.scalars(select(Inspection).order_by(Inspection.number)).all()
        assert [row.number for row in rows] == [1, 2, 3, 4]
        assert [row.document for row in rows] == lines
        assert [(row.label, row.cause, row.late) for row in rows] == [
            ("", "", False),
            ("dent", "", True),
            ("", "camera", False),
            ("", "", False),
        ]
        assert rows[0].part_id == rows[3].part_id != rows[1].part_id
        assert rows[2].part_id is None
        assert session.scalar(select(func.count()).select_from(Part)) == 2
        (defect,) = session.scalars(select(Defect))
        assert (defect.inspection_id, defect.x, defect.height, defect.peak) == (rows[1].id, 1, 4, 1.5)
        assert session.get_one(Frame, defect.frame_id).inspection_id == rows[1].id
        assert session.scalar(select(func.count()).select_from(Frame)) == 4
        tallies = {
            (row.kind, row.verdict): (row.parts, row.defects, row.late) for row in session.scalars(select(Tally))
        }
        assert tallies == {
            ("production", "PASS"): (1, 0, 0),
            ("production", "REJECT"): (1, 1, 1),
            ("production", "FAULT"): (1, 0, 0),
            ("challenge", "PASS"): (1, 0, 0),
        }


def test_what_was_judged_told_and_said_in_shadow_is_kept_apart(database: Database) -> None:
    missed = replace(
        outcome(1, verdict=Verdict.FAULT, kind=Kind.CHALLENGE),
        cause="challenge_missed",
        judged=Verdict.PASS,
        told=Signal.FAULT,
    )
    passed = outcome(2)
    opinion = Opinion(verdict=Verdict.REJECT, score=1.5, threshold=1.2, model_id="new")
    seen = replace(passed, judged=Verdict.PASS, told=Signal.OK, views=(replace(passed.views[0], shadow=opinion),))
    late = replace(outcome(3, verdict=Verdict.REJECT), late=True)  # judged: null
    lines = Teller().tell(missed, seen, late)
    take(database, lines)
    with database.reading() as session:
        rows = session.execute(
            select(Inspection.verdict, Inspection.judged, Inspection.told).order_by(Inspection.number)
        )
        assert [tuple(row) for row in rows] == [("FAULT", "PASS", "fault"), ("PASS", "PASS", "ok"), ("REJECT", "", "")]
        said = session.execute(select(Frame.shadow_verdict, Frame.shadow_score, Frame.shadow_model).order_by(Frame.id))
        assert sorted(tuple(row) for row in said if row.shadow_verdict) == [("REJECT", 1.5, "new")]


def test_of_an_older_station_what_was_judged_is_the_verdict(database: Database) -> None:
    (line,) = Teller().tell(outcome(1, verdict=Verdict.REJECT))
    older = {key: value for key, value in json.loads(line).items() if key not in ("judged", "told")}
    older["views"] = [{key: value for key, value in view.items() if key != "shadow"} for view in older["views"]]
    take(database, [json.dumps(older)])
    with database.reading() as session:
        row = session.scalars(select(Inspection)).one()
        assert (row.judged, row.told) == ("REJECT", "")


def news(database: Database) -> list[dict[str, object]]:
    """What is on its way to webhooks."""
    with database.reading() as session:
        return [json.loads(body)["data"] for body in session.scalars(select(Delivery.body).order_by(Delivery.id))]


def wanted(database: Database, event: str, *, active: bool = True) -> None:
    with database.writing() as session:
        webhooks.add(session, url="http://mes", events=(event,), secret="k", active=active, author="ada", now_s=1.0)


def test_parts_of_production_that_did_not_pass_are_told_once_to_who_wants_it(database: Database) -> None:
    teller = Teller()
    take(database, teller.tell(outcome(1, verdict=Verdict.REJECT)))  # nobody is there
    wanted(database, "inspection.rejected", active=False)
    wanted(database, "job.ended")
    take(database, teller.tell(outcome(2, verdict=Verdict.REJECT)))
    assert news(database) == []
    wanted(database, "inspection.rejected")
    lines = teller.tell(
        outcome(3, verdict=Verdict.REJECT, serial="A3"),
        outcome(4),
        outcome(5, verdict=Verdict.FAULT),
        outcome(6, verdict=Verdict.REVIEW),
        outcome(7, verdict=Verdict.REJECT, kind=Kind.CHALLENGE),
    )
    take(database, lines)
    take(database, lines)
    told = news(database)
    assert [(one["id"], one["verdict"], one["cause"]) for one in told] == [
        (id_of(lines[0]), "REJECT", ""),
        (id_of(lines[2]), "FAULT", "camera"),
    ]
    assert (told[0]["station"], told[0]["serial"], told[0]["label"]) == ("line-1", "A3", "dent")


def test_what_comes_again_is_confirmed_and_stored_once(database: Database) -> None:
    lines = Teller().parts(30)
    take(database, lines[:20])
    assert take(database, lines[:20]) == Receipt(through=id_of(lines[19]), stored=0, known=20, breaks=0)
    assert take(database, lines[10:]) == Receipt(through=id_of(lines[29]), stored=10, known=10, breaks=0)
    with database.reading() as session:
        assert list(session.scalars(select(Inspection.document).order_by(Inspection.number))) == lines
        assert session.scalar(select(func.sum(Tally.parts))) == 30


def test_a_batch_in_disorder_is_put_in_order(database: Database) -> None:
    lines = Teller().parts(10)
    receipt = take(database, [*lines[5:], *lines[:5], lines[0]])
    assert (receipt.stored, receipt.known, receipt.breaks, receipt.through) == (10, 1, 0, id_of(lines[0]))
    with database.reading() as session:
        assert list(session.scalars(select(Inspection.sequence).order_by(Inspection.number))) == list(range(1, 11))


def test_a_missing_record_is_noted_with_its_place(database: Database) -> None:
    lines = Teller().parts(10)
    take(database, lines[:4])
    assert take(database, lines[6:]).breaks == 1
    assert breaks(database) == [(4, 7, "missing")]


def test_an_altered_record_is_noted_by_the_one_behind_it(database: Database) -> None:
    lines = Teller().parts(4)
    lines[1] = lines[1].replace('"product":"disc"', '"product":"cap"')
    assert take(database, lines).breaks == 1
    assert breaks(database) == [(2, 3, "altered")]


def test_a_station_that_begins_anew_is_noted_once(database: Database) -> None:
    take(database, Teller().parts(5))
    anew = Teller().parts(6)
    assert take(database, anew[:3]).breaks == 1
    assert take(database, anew[3:]).breaks == 0
    assert breaks(database) == [(5, 1, "restarted")]


def test_a_server_that_begins_anew_takes_the_past_on_trust(database: Database) -> None:
    assert take(database, Teller().parts(10)[6:]).breaks == 0


def test_a_first_record_that_is_not_the_first_is_noted(database: Database) -> None:
    assert take(database, Teller(previous="0" * 64).parts(1)).breaks == 1


def test_a_record_that_comes_again_otherwise_is_noted_and_the_first_stays(database: Database) -> None:
    (line,) = Teller().parts(1)
    take(database, [line])
    other = line.replace('"product":"disc"', '"product":"cap"')
    for _ in range(3):
        assert take(database, [other]).known == 1
    assert breaks(database) == [(1, 1, "differs")]
    with database.reading() as session:
        assert session.scalar(select(Inspection.product)) == "disc"


def test_without_a_clock_nothing_is_later_than_its_arrival(database: Database) -> None:
    take(database, Teller().parts(3, unix_s=NOW_S - 2, every_s=100))
    assert at(database) == [NOW_S - 2, NOW_S, NOW_S]


def test_a_clock_that_is_set_back_reorders_nothing(database: Database) -> None:
    station = Teller()
    take(database, station.parts(2, unix_s=NOW_S - 60))
    take(database, station.parts(2, unix_s=NOW_S - 7200), now_s=NOW_S + 1)
    take(database, station.parts(2, unix_s=NOW_S - 50), now_s=NOW_S + 2)
    assert at(database) == [NOW_S - 60, NOW_S - 59, NOW_S - 59, NOW_S - 59, NOW_S - 50, NOW_S - 49]


@pytest.mark.parametrize("ahead_s", [-86400.0, 5.0, 1e8])
def test_a_clock_that_tells_itself_is_put_right(database: Database, ahead_s: float) -> None:
    lines = Teller().parts(3, unix_s=NOW_S - 30 + ahead_s)
    ingest(database, lines, now_s=NOW_S, clock_s=NOW_S + ahead_s)
    assert at(database) == pytest.approx([NOW_S - 30, NOW_S - 29, NOW_S - 28])
    with database.reading() as session:
        station = session.scalars(select(Station)).one()
        assert station.clock_ahead_s == pytest.approx(ahead_s)
        assert list(session.scalars(select(Inspection.station_clock_s))) == [NOW_S + ahead_s - 30 + n for n in range(3)]


def changed(line: str, **values: object) -> str:
    return json.dumps(json.loads(line) | values)


def shadowed(line: str, shadow: object) -> str:
    return changed(line, views=[json.loads(line)["views"][0] | {"shadow": shadow}])


REFUSED: dict[str, tuple[Callable[[str], str], str]] = {
    "no JSON": (lambda line: "{", "line 2"),
    "a list": (lambda line: "[1]", "no JSON object"),
    "deep": (lambda line: "[" * 100_000, "line 2"),
    "not ASCII": (lambda line: line.replace("disc", "d\u00efsc"), "not ASCII"),
    "NaN": (lambda line: line.replace("0.5", "NaN"), "holds NaN"),
    "endless": (lambda line: changed(line, score=7).replace('"score": 7', '"score": 1e999'), "finite"),
    "a huge number": (lambda line: changed(line, score=10**400), "finite number"),
    "id": (lambda line: changed(line, id="../x"), "id: '../x'; expected a UUID"),
    "sequence": (lambda line: changed(line, sequence=0), "sequence: 0"),
    "true is no number": (lambda line: changed(line, sequence=True), "sequence: True"),
    "verdict": (lambda line: changed(line, verdict="OK"), "expected FAULT, PASS, REJECT, REVIEW"),
    "verdict, a list": (lambda line: changed(line, verdict=[]), "verdict"),
    "kind": (lambda line: changed(line, kind="test"), "kind"),
    "cause of a pass": (lambda line: changed(line, cause="camera"), "a FAULT, and only"),
    "long": (lambda line: changed(line, serial="x" * 256), "256 characters; at most 255"),
    "NUL": (lambda line: changed(line, serial="a\0b"), "no character"),
    "half a pair": (lambda line: changed(line, serial="\ud800"), "no character"),
    "no station": (lambda line: changed(line, station=""), "station: is empty"),
    "another station": (lambda line: changed(line, station="line-2"), "send each station's apart"),
    "time": (lambda line: changed(line, unix_s=-1), "seconds since 1970"),
    "recipe": (lambda line: changed(line, recipe=2**31), "recipe"),
    "views": (lambda line: changed(line, views={}), "views: {}; expected a list"),
    "many views": (lambda line: changed(line, views=[{}] * 65), "65 entries; at most 64"),
    "a view": (lambda line: changed(line, views=[1]), "views: 1"),
    "one view twice": (lambda line: changed(line, views=json.loads(line)["views"] * 2), "two have the same name"),
    "durations": (lambda line: changed(line, durations_ms=[]), "durations_ms"),
    "judged": (lambda line: changed(line, judged="OK"), "judged: 'OK'"),
    "told": (lambda line: changed(line, told="PASS"), "told: 'PASS'; expected fault, ng, ok"),
    "shadow": (lambda line: shadowed(line, 7), "shadow: 7; expected an object"),
    "a shadow without verdict": (lambda line: shadowed(line, {"model": "m"}), "verdict: None"),
    "no late": (lambda line: changed(line, late=None), "late"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_record_is_refused_by_name_and_nothing_is_stored(case: str) -> None:
    change, said = REFUSED[case]
    database = Database("sqlite://")
    first, second, third = Teller().parts(3)
    with pytest.raises(DeliveryRefused) as refused:
        take(database, [first, change(second), third])  # the database has no tables: it is not even asked
    database.close()
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "line 2" in str(refused.value)
    assert len(str(refused.value)) < 300


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    key=some.sampled_from(sorted(json.loads(Teller().parts(1)[0]))),
    value=some.recursive(
        some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
        lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    ),
)
def test_any_value_is_taken_or_refused(key: str, value: object) -> None:
    (line,) = Teller().parts(1)
    with suppress(DeliveryRefused):
        read(changed(line, **{key: value}), 1)


def test_an_empty_batch_is_refused(database: Database) -> None:
    with pytest.raises(DeliveryRefused, match="no record"):
        take(database, [])


def test_a_key_of_one_station_reports_for_no_other(database: Database) -> None:
    with pytest.raises(AccessError, match="line-1"):
        ingest(database, Teller().parts(2), now_s=NOW_S, station="line-2")


def test_what_a_newer_station_says_besides_stays_in_the_line(database: Database) -> None:
    (line,) = Teller().parts(1)
    newer = changed(line, torque_nm=3.5)
    take(database, [newer])
    with database.reading() as session:
        assert session.scalar(select(Inspection.document)) == newer


def test_a_peak_that_was_not_finite_is_the_most_anomalous(database: Database) -> None:
    (line,) = Teller().tell(outcome(1, verdict=Verdict.REJECT))
    views = json.loads(line)["views"]
    views[0]["defects"] += [views[0]["defects"][0] | {"label": "burn", "peak": None}]
    take(database, [changed(line, views=views)])
    with database.reading() as session:
        assert session.scalar(select(Inspection.label)) == "burn"


def test_stations_at_once_lose_and_double_nothing(url: str, database: Database) -> None:
    """Four stations on two servers, and one of them sends everything twice."""
    servers = [database, Database(url)]
    tellers = [Teller(station=f"line-{number % 3}") for number in range(3)]
    reports = [(teller.station, teller.parts(60)) for teller in tellers]
    errors: list[StoreError] = []

    def report(server: Database, lines: list[str]) -> None:
        try:
            for start in range(0, 60, 20):
                take(server, lines[start : start + 20])
        except StoreError as error:
            errors.append(error)

    work = [(servers[place % 2], lines) for place, (_, lines) in enumerate([*reports, reports[0]])]
    threads = [threading.Thread(target=report, args=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    servers[1].close()
    assert errors == []
    assert breaks(database) == []
    with database.reading() as session:
        rows = session.scalars(select(Inspection).order_by(Inspection.number)).all()
        assert [row.number for row in rows] == list(range(1, 181))
        for name, lines in reports:
            station = session.scalars(select(Station).where(Station.name == name)).one()
            assert [row.document for row in rows if row.station_id == station.id] == lines


def test_products_of_one_serial_are_parts_of_their_own(database: Database) -> None:
    one = outcome(1, serial="7")
    take(database, Teller().tell(one, replace(outcome(2, serial="7"), product="cap")))
    with database.reading() as session:
        assert {(part.serial, part.product) for part in session.scalars(select(Part))} == {("7", "disc"), ("7", "cap")}
