"""Sums and findings, the same on SQLite and PostgreSQL."""

import random
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session
from tests.store.inspected import Plant

from sightline.evaluation.periods import Calendar, Step
from sightline.evaluation.throughput import FirstPass
from sightline.store import figures, findings
from sightline.store.schema import Alert, Escape
from sightline.store.tallied import Slice, tallied

KOLKATA = Calendar(zone="Asia/Kolkata", shifts=("06:00", "14:15", "22:00"))  # boundaries between the hours of UTC
BEGIN = 1_774_000_000.0
DAY = 86_400.0
ALL = Slice(since_s=BEGIN, until_s=BEGIN + 2 * DAY)


@pytest.fixture
def plant(session: Session) -> Plant:
    return Plant(session)


def busy(plant: Plant) -> list[tuple[float, str, str, str]]:
    """Two days of 120 parts at two stations; (moment, verdict, station, label) of each."""
    draw, parts = random.Random(5), []
    plant.station("st-1", "line 1")
    plant.station("st-2", "line 2")
    for _ in range(120):
        at_s = BEGIN + draw.random() * 2 * DAY
        verdict, label = draw.choice([("PASS", "")] * 6 + [("REJECT", "crack"), ("REJECT", "dent"), ("REVIEW", "dent")])
        station = draw.choice(["st-1", "st-2"])
        plant.part(at_s, verdict, station=station, label=label)
        parts.append((at_s, verdict, station, label))
    plant.part(BEGIN + 5, "REJECT", kind="challenge", label="crack")
    plant.finish()
    return parts


@pytest.mark.parametrize("step", list(Step))
def test_periods_that_cut_through_hours_count_each_part_once(session: Session, plant: Plant, step: Step) -> None:
    parts = busy(plant)
    periods = KOLKATA.periods(BEGIN, BEGIN + 2 * DAY, step)
    found = figures.by_period(session, ALL, periods)
    assert len(found) == len(periods)
    for period, counts in zip(periods, found, strict=True):
        within = [verdict for at_s, verdict, *_ in parts if period.begin_s <= at_s < period.end_s]
        assert (counts.parts, counts.passed) == (len(within), within.count("PASS")), period.name
        assert counts.defects == len(within) - within.count("PASS")
    assert sum(counts.parts for counts in found) == 120


def test_a_slice_begins_and_ends_within_hours(session: Session, plant: Plant) -> None:
    parts = busy(plant)
    for since, until in ((BEGIN + 100, BEGIN + 200), (BEGIN + 1000.5, BEGIN + DAY + 77.25), (BEGIN + 3, BEGIN + 7000)):
        within = [at_s for at_s, *_ in parts if since <= at_s < until]
        assert figures.totals(session, Slice(since_s=since, until_s=until)).parts == len(within)


def test_sums_by_label_and_place(session: Session, plant: Plant) -> None:
    parts = busy(plant)
    labels = [label for *_, label in parts if label]
    assert figures.by_label(session, ALL) == {name: labels.count(name) for name in ("crack", "dent")}
    by_line = figures.by_place(session, ALL, "line")
    assert {name: counts.parts for name, counts in by_line.items()} == {
        "line 1": sum(station == "st-1" for *_, station, _ in parts),
        "line 2": sum(station == "st-2" for *_, station, _ in parts),
    }
    one = Slice(since_s=ALL.since_s, until_s=ALL.until_s, line="line 2")
    assert figures.totals(session, one) == by_line["line 2"]
    assert list(figures.by_place(session, ALL, "product")) == ["cap"]
    nowhere = Slice(since_s=ALL.since_s, until_s=ALL.until_s, station="st-9")
    assert figures.totals(session, nowhere).parts == 0


def test_challenge_parts_are_not_production(session: Session, plant: Plant) -> None:
    busy(plant)
    challenge = replace(ALL, kinds=("challenge",))
    assert figures.totals(session, challenge).rejected == 1
    assert sum(row.parts for row in tallied(session, ALL, ("kind",))) == 120


def test_a_challenge_part_that_was_judged_good_is_missed_however_it_was_dealt_with(
    session: Session, plant: Plant
) -> None:
    plant.part(BEGIN, "FAULT", kind="challenge", cause="challenge_missed", judged="PASS", score=None)
    plant.part(BEGIN, "REJECT", kind="challenge", judged="PASS")  # told too late
    plant.part(BEGIN, "REJECT", kind="challenge")
    plant.part(BEGIN, "REVIEW", kind="challenge")
    plant.part(BEGIN, "FAULT", kind="challenge", cause="repeated_part_id", judged="REJECT", score=None)
    plant.part(BEGIN, "REJECT", kind="challenge", judged="")  # judged too late
    plant.part(BEGIN, "FAULT", kind="challenge", cause="camera", score=None)
    plant.part(BEGIN, "PASS", kind="challenge", station="st-2", product="lid")
    plant.part(BEGIN - 1, "PASS", kind="challenge")
    plant.part(BEGIN, "PASS")
    plant.finish()
    assert figures.challenged(session, replace(ALL, station="st-1")) == figures.Challenged(found=3, missed=2, faults=2)
    assert figures.challenged(session, replace(ALL, product="lid")) == figures.Challenged(found=0, missed=1, faults=0)
    assert figures.challenged(session, ALL).judged == 6


def test_a_model_in_shadow_is_held_against_the_one_that_decides(session: Session, plant: Plant) -> None:
    plant.part(BEGIN, "PASS")  # it did not run yet
    said = [("PASS", "PASS"), ("PASS", "REJECT"), ("PASS", ""), ("FAULT", ""), ("REJECT", "REJECT"), ("REJECT", "PASS")]
    for place, (verdict, in_shadow) in enumerate([*said, ("PASS", "PASS")], 1):
        plant.part(BEGIN + place, verdict, shadow=("new" if in_shadow else "", in_shadow))
    plant.part(BEGIN + 8, "PASS")  # it was taken out
    plant.part(BEGIN + 5, "PASS", kind="challenge", shadow=("new", "REJECT"))
    plant.part(BEGIN + 2, "PASS", station="st-2", product="lid", shadow=("other", "PASS"))
    plant.finish()
    new, other = figures.shadows(session, ALL)
    assert (new.station, new.model, new.since_s, new.until_s) == ("st-1", "new", BEGIN + 1, BEGIN + 7)
    assert (new.agreed, new.disagreed, new.silent) == (3, 2, 1)
    assert new.verdicts == {"PASS": {"PASS": 2, "REJECT": 1}, "REJECT": {"PASS": 1, "REJECT": 1}}
    assert (other.station, other.model, other.agreed, other.disagreed, other.silent) == ("st-2", "other", 1, 0, 0)
    assert figures.shadows(session, replace(ALL, product="lid")) == (other,)
    (challenge,) = figures.shadows(session, replace(ALL, kinds=("challenge",)))
    assert challenge.verdicts == {"PASS": {"REJECT": 1}}
    assert figures.shadows(session, replace(ALL, until_s=BEGIN + 1)) == ()


def test_faults_by_cause_and_the_share_that_was_judged(session: Session, plant: Plant) -> None:
    for cause in ("camera", "camera", "late"):
        plant.part(BEGIN, "FAULT", cause=cause, score=None)
    plant.part(BEGIN, "PASS")
    plant.finish()
    assert figures.by_cause(session, ALL) == {"camera": 2, "late": 1}
    counts = figures.totals(session, ALL)
    assert (counts.parts, counts.judged, counts.stopped) == (4, 1, 0)


def test_the_first_pass_leaves_repeats_out(session: Session, plant: Plant) -> None:
    plant.part(BEGIN, "REJECT", serial="A")
    plant.part(BEGIN + 60, "PASS", serial="A")  # reworked
    plant.part(BEGIN + 60, "PASS", serial="A", station="st-2")  # the next station sees it for the first time
    plant.part(BEGIN + 70, "PASS", serial="A", product="lid")  # another product's serial
    plant.part(BEGIN + 80, "PASS")
    plant.part(BEGIN + 90, "PASS")
    plant.finish()
    found = figures.first_pass(session, ALL)
    assert (found.parts, found.passed, found.repeats) == (5, 4, 1)


def test_a_part_that_came_back_after_the_shift_is_a_repeat_all_the_same(session: Session, plant: Plant) -> None:
    plant.part(BEGIN - DAY, "REJECT", serial="A")
    plant.part(BEGIN + 1, "PASS", serial="A")
    plant.finish()
    assert figures.first_pass(session, ALL).parts == 0


def test_too_many_parts_are_not_looked_at_one_by_one(
    session: Session, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.part(BEGIN, serial="A")
    plant.part(BEGIN + 1, serial="A")
    plant.finish()
    monkeypatch.setattr(figures, "MOST_LOOKED_AT", 1)
    assert figures.first_pass(session, ALL) == FirstPass(parts=2, passed=2, repeats=None)


def test_defects_are_binned_by_their_middle(session: Session, plant: Plant) -> None:
    plant.part(BEGIN, "REJECT", label="dent", boxes=((0, 0, 10, 10), (86, 36, 10, 10)))
    plant.part(BEGIN, "REJECT", label="crack", boxes=((0, 0, 10, 10),))
    plant.part(BEGIN, "PASS", label="dent", boxes=((40, 40, 2, 2),))  # passed: its findings do not count
    plant.finish()
    (found,) = findings.positions(session, ALL, bins=12)
    assert (found.view, found.width_px, found.height_px, found.defects) == ("top", 96, 48, 3)
    assert (found.cells.shape, found.cells[0, 0], found.cells[5, 11]) == ((6, 12), 2, 1)
    (dents,) = findings.positions(session, ALL, label="dent")
    assert dents.defects == 2
    assert findings.positions(session, ALL, label="none") == ()


def test_the_audit_sample_takes_each_persons_last_word_and_doubt_is_bad(session: Session, plant: Plant) -> None:
    good, bad, torn, undone, open_ = (plant.part(BEGIN, kind="audit") for _ in range(5))
    plant.part(BEGIN, "REJECT", kind="audit")  # was not passed
    plant.review(good, "REJECT")
    plant.review(good, "PASS")  # thought again
    plant.review(bad, "REJECT")
    plant.review(torn, "PASS", by="ann")
    plant.review(torn, "REJECT", by="bob")
    plant.review(undone, "REJECT", undone=True)
    plant.finish()
    assert open_
    assert findings.audited(session, ALL) == (findings.Reviewed(product="cap", inspections=5, reviewed=3, bad=2),)


def test_what_was_not_passed_is_confirmed_by_reviews(session: Session, plant: Plant) -> None:
    ids = [plant.part(BEGIN, verdict) for verdict in ("REJECT", "REJECT", "REVIEW", "PASS")]
    for id_, verdict in zip(ids, ("REJECT", "PASS", "REJECT", "REJECT"), strict=True):
        plant.review(id_, verdict)
    plant.finish()
    assert findings.confirmed(session, ALL) == (findings.Reviewed(product="cap", inspections=3, reviewed=3, bad=2),)


def test_scores_drift_by_day(session: Session, plant: Plant) -> None:
    days = Calendar().periods(BEGIN, BEGIN + 3 * DAY, Step.DAY)
    for place, day in enumerate(days[:2]):
        for number in range(41):
            plant.part(day.begin_s + number, score=place + number / 40)
    plant.part(days[0].begin_s, "FAULT", score=None)
    plant.finish()
    found = findings.scores(session, ALL, days)
    assert [one.counted for one in found[:3]] == [41, 41, 0]
    assert [one.mean for one in found[:3]] == [pytest.approx(0.5), pytest.approx(1.5), None]
    assert found[1].quantiles == pytest.approx((1.1, 1.5, 1.9, 1.99))


def test_a_station_without_parts_for_long_stood_still(session: Session, plant: Plant) -> None:
    for at_s in (0, 10, 400, 410, 5000):
        plant.part(BEGIN + at_s)
    plant.part(BEGIN + 200, station="st-2")
    plant.finish()
    found = findings.stops(session, ALL, longer_than_s=300)
    assert [(stop.station, stop.begin_s - BEGIN, stop.seconds) for stop in found] == [
        ("st-1", 410, 4590),
        ("st-1", 10, 390),
    ]


def test_escapes_and_open_alerts_are_found(session: Session, plant: Plant) -> None:
    passed = plant.part(BEGIN)
    plant.finish()
    common = {"reported_by": "ann", "found_where": "customer"}
    session.add(Escape(product="cap", inspection_id=passed, found_s=BEGIN + 5, label="crack", **common))
    session.add(Escape(product="lid", found_s=BEGIN + 6, **common))
    session.add(Escape(product="cap", found_s=BEGIN - 6, **common))
    alert = {"rule": "disk", "subject": "plant", "message": "full", "seen_s": BEGIN, "raised_s": BEGIN}
    session.add_all([Alert(**alert), Alert(**alert | {"rule": "drift"}, ended_s=BEGIN)])
    session.flush()
    assert [one.product for one in findings.escapes(session, ALL)] == ["lid", "cap"]
    for station, labels in (("st-1", ["", "crack"]), ("st-9", [""])):  # the lid's station is not known
        of_station = Slice(since_s=ALL.since_s, until_s=ALL.until_s, station=station)
        assert [one.label for one in findings.escapes(session, of_station)] == labels
    assert [one.rule for one in findings.open_alerts(session)] == ["disk"]
