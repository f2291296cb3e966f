"""How far reviewers agree, from what they said in their daily work."""

from collections.abc import Sequence

import pytest
from tests.assets.conftest import NOW_S, inspected

from sightline.feedback.agreement import Said, agreement, agreement_of
from sightline.feedback.kinds import kinds
from sightline.feedback.reviews import Decision, decide
from sightline.records import Verdict
from sightline.store.database import Database
from sightline.store.pictures import Pictures
from sightline.store.schema import Tally


def said(part: str, who: str, reject: bool, machine: str = "PASS", seconds: float | None = None) -> Said:
    return Said(inspection_id=part, reviewer=who, reject=reject, machine=machine, seconds=seconds)


def both(rows: Sequence[tuple[bool, bool]]) -> list[Said]:
    return [one for at, (ada, bob) in enumerate(rows) for one in (said(str(at), "ada", ada), said(str(at), "bob", bob))]


def test_two_people_agree_as_worked_out_by_hand() -> None:
    # of 10 parts both reject 4 and pass 3, ada alone rejects 2, bob alone 1:
    # agreed 0.7, by chance 0.6 * 0.5 + 0.4 * 0.5
    found = agreement_of(both([(True, True)] * 4 + [(False, False)] * 3 + [(True, False)] * 2 + [(False, True)]))
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.kappa.items) == ("ada", "bob", 10)
    assert pair.kappa.value == pytest.approx(0.4)
    assert [one.others and one.others.value for one in found.reviewers] == pytest.approx([0.4, 0.4])
    assert found.between is not None
    assert found.between.value == pytest.approx((0.7 - (0.55**2 + 0.45**2)) / (1 - (0.55**2 + 0.45**2)))


def test_the_machine_counts_where_it_decided_and_nobody_else_is_no_agreement() -> None:
    found = agreement_of(
        [
            said("1", "ada", True, "REJECT", 2.0),
            said("2", "ada", False, "PASS", 4.0),
            said("3", "ada", True, "REVIEW", 9.0),
        ]
    )
    (ada,) = found.reviewers
    assert ada.machine is not None
    assert (ada.reviews, ada.seconds, ada.machine.items, ada.machine.value) == (3, 4.0, 2, 1.0)
    assert (ada.others, found.pairs, found.between) == (None, (), None)
    assert agreement_of([]).reviewers == ()


def test_names_that_people_give_come_before_those_of_machines(database: Database, pictures: Pictures) -> None:
    parts = [inspected(database, number, product=product) for number, product in enumerate(("cap", "cap", "disc"), 1)]
    for name, label in zip(parts, ("smear", "", "burr"), strict=True):
        decision = Decision(inspection_id=name, verdict=Verdict.REJECT, label=label)
        decide(pictures, decision, reviewer="ada", now_s=NOW_S)
    with database.writing() as session:
        tally = {"hour": 1, "station_id": 1, "kind": "production", "verdict": "REJECT", "cause": ""}
        for label, count in (("dent", 3), ("crack", 5), ("anomaly", 9), ("smear", 1)):
            session.add(Tally(**tally, product="cap", label=label, parts=count, defects=count, late=0))
    with database.reading() as session:
        assert kinds(session, product="cap") == ["smear", "crack", "dent"]
        assert kinds(session, product="disc") == ["burr"]
        assert [one.reviews for one in agreement(session, product="cap").reviewers] == [2]
        assert agreement(session, since_s=NOW_S + 1).reviewers == ()
