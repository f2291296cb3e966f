import json

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tests.store.inspected import Plant

from sightline.errors import ConflictError, NotFoundError, OptionError
from sightline.evaluation.attribute_agreement import Standing
from sightline.store import studies
from sightline.store.schema import Audit
from sightline.store.studies import Item, Plan
from sightline.store.tallied import Slice

PICTURE = "ab" * 32


@pytest.fixture
def study(session: Session) -> int:
    """Two bad and two good items; the machine misses the second bad one."""
    plant = Plant(session)
    bad = [plant.part(1.0, verdict) for verdict in ("REJECT", "PASS")]
    good = [plant.part(2.0) for _ in range(2)]
    plant.finish()
    chosen = [*(Item(bad=True, inspection=id_) for id_ in bad), *(Item(bad=False, inspection=id_) for id_ in good)]
    return studies.make(session, Plan(name="caps", rounds=2), chosen, who="ann", now_s=5.0).id


def truth(session: Session, study: int) -> dict[int, bool]:
    return {item.id: item.bad for item in studies.items(session, study)}


def rate_all(session: Session, study: int, appraiser: str, wrong: int | None = None) -> list[int]:
    """Everything right but one item; the order in which items came."""
    known, seen = truth(session, study), []
    while task := studies.next_task(session, study, appraiser):
        reject = known[task.item] != (task.item == wrong)
        studies.rate(session, study, task.item, appraiser=appraiser, reject=reject, seconds=2.0, now_s=6.0)
        seen.append(task.item)
    return seen


def test_people_and_machine_are_held_against_the_standard(session: Session, study: int) -> None:
    known = truth(session, study)
    rate_all(session, study, "bob")
    rate_all(session, study, "eve", wrong=min(known))
    studies.close(session, study, who="ann", now_s=9.0)
    found = studies.result(session, study)
    by_name = {one.name: one for one in found.agreement.appraisers}
    assert by_name["bob"].standing is Standing.ACCEPTABLE
    assert by_name["eve"].miss.value == 0.5
    assert (by_name["machine"].miss.count, by_name["machine"].false_alarm.count) == (1, 0)
    assert by_name["machine"].repeatability.total == 0
    assert found.claims["bob"].sentence.startswith("2 of 2 found")
    assert found.claims["machine"].found == 1
    actions = session.scalars(select(Audit.action).order_by(Audit.number)).all()
    assert actions == ["make study", *["rate"] * 16, "close study"]


def test_each_round_and_person_has_an_order_of_its_own_that_holds(session: Session) -> None:
    plant = Plant(session)
    chosen = [Item(bad=place % 2 == 0, inspection=plant.part(1.0)) for place in range(12)]
    plant.finish()
    study = studies.make(session, Plan(name="order"), chosen, who="ann", now_s=5.0).id
    assert studies.next_task(session, study, "bob") == studies.next_task(session, study, "bob")
    bob, eve = rate_all(session, study, "bob"), rate_all(session, study, "eve")
    assert sorted(bob[:12]) == sorted(bob[12:]) == sorted(eve[:12]) == sorted(truth(session, study))
    assert len({tuple(order) for order in (bob[:12], bob[12:], eve[:12], eve[12:])}) == 4


def test_a_task_tells_nothing_of_the_truth(session: Session, study: int) -> None:
    task = studies.next_task(session, study, "bob")
    assert task is not None
    assert set(task.__slots__) == {"item", "inspection", "picture", "round", "done", "of"}
    assert (task.round, task.done, task.of) == (1, 0, 8)


def test_a_result_waits_until_the_study_is_closed_and_then_nothing_changes(session: Session, study: int) -> None:
    with pytest.raises(ConflictError, match="must stay blind"):
        studies.result(session, study)
    task = studies.next_task(session, study, "bob")
    assert task is not None
    studies.close(session, study, who="ann", now_s=9.0)
    with pytest.raises(ConflictError, match="is closed"):
        studies.rate(session, study, task.item, appraiser="bob", reject=True, seconds=None, now_s=10.0)
    with pytest.raises(ConflictError, match="is closed"):
        studies.close(session, study, who="ann", now_s=10.0)


def test_items_are_rated_in_the_order_given_and_once(session: Session, study: int) -> None:
    task = studies.next_task(session, study, "bob")
    assert task is not None
    other = next(item for item in truth(session, study) if item != task.item)
    for item in (other, 999):
        with pytest.raises(ConflictError, match="not the next one"):
            studies.rate(session, study, item, appraiser="bob", reject=True, seconds=None, now_s=6.0)
    with pytest.raises(ConflictError, match="stands for the machine"):
        studies.rate(session, study, task.item, appraiser="machine", reject=True, seconds=None, now_s=6.0)
    assert studies.progress(session, study) == {"machine": 4}


def test_the_trail_says_who_rated_and_who_had_a_machine_rate(session: Session, study: int) -> None:
    task = studies.next_task(session, study, "bob")
    assert task is not None
    studies.rate(session, study, task.item, appraiser="bob", reject=True, seconds=None, now_s=6.0)
    verdicts = dict.fromkeys(truth(session, study), "PASS")
    studies.rate_by_machine(session, study, verdicts, appraiser="cap/3", round_=1, who="ann", now_s=7.0)
    person, machine = session.scalars(select(Audit).where(Audit.action.startswith("rate")).order_by(Audit.number))
    assert (person.who, person.subject) == ("bob", "study:caps")
    assert json.loads(person.after) == {"item": task.item, "round": 1, "reject": True}
    assert (machine.who, machine.action, machine.subject) == ("ann", "rate by machine", "study:caps")
    said = {str(item): "PASS" for item in verdicts}
    assert json.loads(machine.after) == {"appraiser": "cap/3", "round": 1, "verdicts": said}


def test_a_machine_may_judge_again(session: Session, study: int) -> None:
    known = truth(session, study)
    again = {item: "FAULT" if bad else "PASS" for item, bad in known.items()}
    studies.rate_by_machine(session, study, again, appraiser="machine", round_=2, who="ann", now_s=7.0)
    with pytest.raises(ConflictError, match="in round 2"):
        studies.rate_by_machine(session, study, again, appraiser="machine", round_=2, who="ann", now_s=7.0)
    with pytest.raises(NotFoundError, match="item 999"):
        studies.rate_by_machine(session, study, {999: "PASS"}, appraiser="machine", round_=3, who="ann", now_s=7.0)
    studies.close(session, study, who="ann", now_s=9.0)
    (machine,) = studies.result(session, study).agreement.appraisers
    assert (machine.repeatability.count, machine.repeatability.total) == (3, 4)


def test_a_challenge_is_made_of_what_the_line_was_shown(session: Session) -> None:
    plant = Plant(session)
    for verdict in ("REJECT", "REJECT", "REVIEW"):
        plant.part(10.0, verdict, kind="challenge")
    plant.part(10.0, "FAULT", kind="challenge", cause="challenge_missed", judged="PASS")
    plant.part(10.0, "FAULT", kind="challenge", cause="camera")  # proves nothing
    plant.part(10.0)
    plant.finish()
    chosen = studies.challenge_items(session, Slice(since_s=0, until_s=20))
    made = studies.make(session, Plan(name="run", kind="challenge", rounds=1), chosen, who="ann", now_s=30.0)
    studies.close(session, made.id, who="ann", now_s=31.0)
    found = studies.result(session, made.id)
    assert (found.claims["machine"].found, found.claims["machine"].shown) == (3, 4)
    with pytest.raises(OptionError, match="no challenge part"):
        studies.challenge_items(session, Slice(since_s=20, until_s=30))


def test_studies_are_listed_newest_first(session: Session, study: int) -> None:
    second = studies.make(session, Plan(name="b"), [Item(bad=True, picture=PICTURE)], who="ann", now_s=6.0)
    assert [one.id for one in studies.studies(session)] == [second.id, study]
    assert [one.id for one in studies.studies(session, before=second.id)] == [study]
    with pytest.raises(NotFoundError, match="study 999"):
        studies.study(session, 999)


@pytest.mark.parametrize(
    ("plan", "chosen", "said"),
    [
        pytest.param({"name": "x"}, [], "0 items", id="none"),
        pytest.param({"name": "x"}, [Item(bad=True, picture=PICTURE)] * 2, "twice", id="twice"),
        pytest.param(
            {"name": "x", "kind": "challenge"}, [Item(bad=False, picture=PICTURE)], "bad items only", id="good"
        ),
    ],
)
def test_items_that_cannot_be_are_refused(
    session: Session, plan: dict[str, str], chosen: list[Item], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        studies.make(session, Plan(**plan), chosen, who="ann", now_s=5.0)  # type: ignore[arg-type]


def test_a_name_is_taken_once_and_inspections_must_be_there(session: Session, study: int) -> None:
    with pytest.raises(ConflictError, match="choose another"):
        studies.make(session, Plan(name="caps"), [Item(bad=True, picture=PICTURE)], who="ann", now_s=5.0)
    with pytest.raises(NotFoundError, match="no inspection nowhere"):
        studies.make(session, Plan(name="x"), [Item(bad=True, inspection="nowhere")], who="ann", now_s=5.0)
    assert session.scalar(select(func.count()).select_from(Audit)) == 1


@pytest.mark.parametrize("change", [{"name": " "}, {"kind": "quiz"}, {"rounds": 0}, {"rounds": 11}])
def test_a_plan_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="study"):
        Plan(**{"name": "x"} | change)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="an inspection or a picture"):
        Item(bad=True)
