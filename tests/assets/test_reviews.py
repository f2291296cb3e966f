"""People decide what is worth their time, together where asked, and nobody does what another one has before them."""

import itertools
import json
from dataclasses import asdict
from typing import Any

import pytest
from tests.assets.conftest import NOW_S, inspected, news, png, wanted

from sightline.errors import ConflictError, DatasetError, NotFoundError, OptionError
from sightline.feedback.claims import CLAIM_S, claim, release
from sightline.feedback.consensus import Opinion, State, outcome_of
from sightline.feedback.review_queue import Question, Reason, counts, waiting
from sightline.feedback.reviews import Decision, decide, of_inspection, undo
from sightline.records import Verdict
from sightline.store import escapes, labels
from sightline.store.audit import Wanted, changes
from sightline.store.database import Database
from sightline.store.escapes import Finding
from sightline.store.pictures import Pictures, ViewOf
from sightline.store.retention import Kept
from sightline.store.schema import Tally
from sightline.store.shelf import digest_of

P, R = Verdict.PASS, Verdict.REJECT


@pytest.mark.parametrize(
    ("votes", "needed", "state", "verdict"),
    [
        ([], 1, State.OPEN, None),
        ([P], 1, State.SETTLED, P),
        ([P, R], 1, State.DISPUTED, None),
        ([P, R, R], 1, State.SETTLED, R),
        ([R], 2, State.OPEN, None),
        ([R, R], 2, State.SETTLED, R),
        ([P, R], 2, State.DISPUTED, None),
        ([P, R, P], 2, State.SETTLED, P),
        ([P, R, P, R], 2, State.DISPUTED, None),
    ],
)
def test_two_who_agree_settle_it_and_else_a_third_decides(
    votes: list[Verdict], needed: int, state: State, verdict: Verdict | None
) -> None:
    for order in itertools.permutations(votes):
        opinions = [Opinion(reviewer=str(n), verdict=vote) for n, vote in enumerate(order)]
        found = outcome_of(opinions, needed)
        assert (found.state, found.verdict) == (state, verdict)


def test_the_name_of_a_defect_is_the_most_frequent_and_that_they_differ_is_told() -> None:
    said = [("a", R, "dent"), ("b", P, ""), ("c", R, "scratch"), ("d", R, "scratch")]
    found = outcome_of([Opinion(reviewer=who, verdict=verdict, label=label) for who, verdict, label in said], 2)
    assert (found.verdict, found.label, found.labels_agree) == (R, "scratch", False)


def say(pictures: Pictures, name: str, verdict: Verdict, who: str = "ada", now_s: float = NOW_S) -> None:
    decide(pictures, Decision(inspection_id=name, verdict=verdict), reviewer=who, now_s=now_s)


def standing(database: Database, name: str) -> list[tuple[str, Verdict]]:
    with database.reading() as session:
        return [(row.reviewer, row.verdict) for row in of_inspection(session, name) if row.undone_s is None]


def test_the_last_word_counts_and_undoing_it_brings_back_the_one_before(pictures: Pictures, database: Database) -> None:
    name = inspected(database, 1)
    say(pictures, name, R, now_s=NOW_S)
    say(pictures, name, P, now_s=NOW_S + 1)
    assert standing(database, name) == [("ada", P)]
    back = undo(pictures, name, reviewer="ada", now_s=NOW_S + 2)
    assert back is not None
    assert back.verdict is R
    assert standing(database, name) == [("ada", R)]
    assert undo(pictures, name, reviewer="ada", now_s=NOW_S + 3) is None
    assert standing(database, name) == []
    with pytest.raises(ConflictError, match="nothing of ada stands"):
        undo(pictures, name, reviewer="ada", now_s=NOW_S + 4)
    with pytest.raises(NotFoundError):
        say(pictures, "none", P)
    with pytest.raises(OptionError, match="leave the label out"):
        Decision(inspection_id=name, verdict=P, label="scratch")


def test_who_wants_it_is_told_what_a_person_says_and_what_they_take_back(
    pictures: Pictures, database: Database
) -> None:
    wanted(database, "review.decided")
    name = inspected(database, 1)
    say(pictures, name, R)
    say(pictures, name, P, now_s=NOW_S + 1)
    undo(pictures, name, reviewer="ada", now_s=NOW_S + 2)
    undo(pictures, name, reviewer="ada", now_s=NOW_S + 3)
    assert {(one["inspection_id"], one["reviewer"]) for one in news(database)} == {(name, "ada")}
    assert [one["verdict"] for one in news(database)] == ["REJECT", "PASS", "REJECT", None]


def test_who_wants_it_is_told_of_an_escape(pictures: Pictures, database: Database) -> None:
    wanted(database, "escape.reported")
    name = inspected(database, 1)
    escapes.report(pictures, Finding(inspection_id=name, label="crack", found_s=NOW_S), by="bob", now_s=NOW_S)
    (told,) = news(database)
    assert (told["inspection_id"], told["product"], told["label"], told["reported_by"]) == (name, "cap", "crack", "bob")


def test_a_reviewed_picture_is_kept_longer(pictures: Pictures, database: Database) -> None:
    name = inspected(database, 1)
    content = png(1)
    view = ViewOf(inspection_id=name, view="top")
    pictures.link(content, view, digest=digest_of(content), media_type="", now_s=NOW_S)
    assert pictures.known(digest_of(content)).kept_as is Kept.PASS
    say(pictures, name, R)
    assert pictures.known(digest_of(content)).kept_as is Kept.REVIEWED


def queue(database: Database, who: str = "ada", **asked: Any) -> list[tuple[int, Reason]]:
    with database.reading() as session:
        found = waiting(session, Question(reviewer=who, **asked), now_s=NOW_S + 10)
    return [(entry.number, entry.reasons[0]) for entry in found]


def test_the_queue_begins_with_what_is_worth_most(pictures: Pictures, database: Database) -> None:
    inspected(database, 1)  # plainly good
    inspected(database, 2, score=0.95)
    inspected(database, 3, kind="audit")
    inspected(database, 4, verdict="REJECT", score=3.0, label="anomaly")
    inspected(database, 5, verdict="REVIEW", score=0.9)
    inspected(database, 6, verdict="REVIEW", score=0.99)
    contradicted = inspected(database, 7)
    disputed = inspected(database, 8, verdict="REJECT", score=9.0)
    inspected(database, 9, verdict="REJECT", score=2.0, label="bubble")
    inspected(database, 10, verdict="FAULT", label="anomaly")
    inspected(database, 11, verdict="REJECT", score=2.0, label="scratch")  # known for long
    with database.writing() as session:
        for label, days in (("scratch", 100), ("scratch", 0), ("bubble", 1)):
            hour = int(NOW_S // 3600 - 24 * days)
            key = {"station_id": 1, "product": "cap", "kind": "production", "verdict": "REJECT", "cause": ""}
            session.add(Tally(hour=hour, label=label, parts=1, defects=1, late=0, **key))
    say(pictures, contradicted, R, "bob")
    say(pictures, disputed, R, "bob")
    say(pictures, disputed, P, "eve")
    expected = [
        (8, Reason.DISPUTED),
        (7, Reason.CONTRADICTED),
        (6, Reason.UNDECIDED),
        (5, Reason.UNDECIDED),
        (9, Reason.NEW_KIND),
        (4, Reason.NEW_KIND),
        (3, Reason.AUDIT),
        (2, Reason.DOUBT),
    ]
    assert queue(database) == expected
    assert queue(database, limit=2) == expected[:2]
    assert queue(database, reason=Reason.AUDIT) == [(3, Reason.AUDIT)]
    assert queue(database, product="other") == []
    assert queue(database, "bob") == expected[2:], "what he said himself is not asked again"
    with database.reading() as session:
        words = {entry.number: entry.words for entry in waiting(session, Question(reviewer="ada"), now_s=NOW_S)}
        found = counts(session, Question(reviewer="ada"), now_s=NOW_S)
    assert words[6] == "the machine does not decide; the score is 1 % from its threshold"
    assert words[9] == '"bubble" is new here'
    assert found[Reason.UNDECIDED] == 2
    say(pictures, disputed, P, "ada")
    assert queue(database, "zoe")[0] == (7, Reason.CONTRADICTED), "a third one has decided"


def test_with_two_reviewers_the_second_is_asked_and_no_third(pictures: Pictures, database: Database) -> None:
    name = inspected(database, 1, verdict="REVIEW", score=0.97)
    say(pictures, name, R, "ada")
    assert queue(database, "bob") == []
    assert queue(database, "bob", needed=2) == [(1, Reason.UNDECIDED)]
    say(pictures, name, R, "bob")
    assert queue(database, "eve", needed=2) == []


def test_what_one_has_claimed_another_is_not_given(pictures: Pictures, database: Database) -> None:
    names = [inspected(database, number, verdict="REVIEW") for number in (1, 2, 3)]
    assert claim(database, names, reviewer="ada", most=2, now_s=NOW_S) == names[:2]
    assert claim(database, names, reviewer="bob", most=2, now_s=NOW_S) == names[2:]
    assert claim(database, names, reviewer="ada", most=3, now_s=NOW_S) == names[:2], "hers again"
    assert [number for number, _ in queue(database, "bob")] == [3]
    say(pictures, names[0], P, "ada")
    assert claim(database, names, reviewer="bob", most=9, now_s=NOW_S + 1) == [names[0], names[2]]
    assert release(database, reviewer="ada") == 1
    assert claim(database, [names[1], "none"], reviewer="bob", most=9, now_s=NOW_S + 1) == [names[1]]
    assert claim(database, names, reviewer="eve", most=9, now_s=NOW_S + 1 + CLAIM_S) == names, "they have ended"


def test_labels_fit_their_picture(pictures: Pictures) -> None:
    digest = pictures.keep(png(1), kept=Kept.PASS, now_s=NOW_S)
    drawings: dict[str, dict[str, Any]] = {
        "class": {},
        "box": {"box": [1.0, 2.0, 9.0, 8.0]},
        "polygon": {"parts": [{"outline": [[0.0, 0.0], [5.0, 0.0], [5.0, 5.0]], "holes": []}]},
        "mask": {"size": [24, 32], "runs": [10, 5, 753]},
    }
    added = [
        labels.add(pictures, digest, label="scratch", geometry=drawing, author="ada", now_s=NOW_S)
        for drawing in drawings.values()
    ]
    assert [(label.kind, label.geometry) for label in added] == list(drawings.items())
    labels.remove(pictures, added[1].id, by="ada", now_s=NOW_S)
    with pictures.database.reading() as session:
        assert [label.kind for label in labels.of_picture(session, digest)] == ["class", "polygon", "mask"]
    with pytest.raises(ConflictError, match="removed already"):
        labels.remove(pictures, added[1].id, by="ada", now_s=NOW_S)
    assert labels.restore(pictures, added[1].id, by="ada").removed_s is None
    wrong: list[dict[str, Any]] = [
        {"box": [100.0, 2.0, 109.0, 8.0]},
        {"box": [1, 2, "x", 4]},
        {"box": [float("nan")] * 4},
        {"size": [10, 10], "runs": [0, 100]},
        {"size": [24, 32], "runs": [768]},
        {"parts": [{"outline": [[0, 0], [1, 1]]}]},
        {"parts": 3},
        {"circle": [1, 2, 3]},
    ]
    for drawing in wrong:
        with pytest.raises(DatasetError):
            labels.add(pictures, digest, label="scratch", geometry=drawing, author="ada", now_s=NOW_S)
    with pytest.raises(NotFoundError):
        labels.add(pictures, "0" * 64, label="scratch", geometry={}, author="ada", now_s=NOW_S)


def test_an_escape_finds_the_inspection_that_passed_it(pictures: Pictures, database: Database) -> None:
    name = inspected(database, 1)
    found = Finding(product="cap", serial="S1", label="crack", found_s=NOW_S + 5, found_where="customer")
    kept = escapes.report(pictures, found, by="ada", now_s=NOW_S + 9)
    assert (kept.inspection_id, kept.product, kept.label) == (name, "cap", "crack")
    unknown = escapes.report(pictures, Finding(product="cap", found_s=NOW_S), by="ada", now_s=NOW_S + 9)
    assert unknown.inspection_id is None
    with database.reading() as session:
        assert escapes.listed(session) == [kept, unknown]
        assert escapes.listed(session, before=(kept.found_s, kept.id)) == [unknown]
    with pytest.raises(OptionError, match="in the future"):
        escapes.report(pictures, Finding(product="cap", found_s=NOW_S + 10), by="ada", now_s=NOW_S)
    wrong = Finding(product="lid", inspection_id=name, found_s=NOW_S)
    with pytest.raises(OptionError, match="correct product or serial"):
        escapes.report(pictures, wrong, by="ada", now_s=NOW_S)


def test_an_escape_that_was_a_mistake_counts_no_longer_and_stays_in_the_trail(
    pictures: Pictures, database: Database
) -> None:
    wanted(database, "escape.withdrawn")
    name = inspected(database, 1)
    known = escapes.report(pictures, Finding(inspection_id=name, found_s=NOW_S), by="bob", now_s=NOW_S)
    with pytest.raises(OptionError, match="a reason is missing"):
        escapes.take_back(database, known.id, by="ada", reason=" ", now_s=NOW_S)
    assert escapes.take_back(database, known.id, by="ada", reason="another part", now_s=NOW_S) == known
    with database.reading() as session:
        assert escapes.listed(session) == []
    (told,) = changes(database, Wanted(before=2**53, limit=9, action="take back"))
    assert (told["who"], told["subject"], json.loads(told["before"])) == ("ada", f"escape:{known.id}", asdict(known))
    assert json.loads(told["after"]) == {"reason": "another part"}
    assert [(one["id"], one["by"], one["reason"]) for one in news(database)] == [(known.id, "ada", "another part")]
    with pytest.raises(NotFoundError):
        escapes.take_back(database, known.id, by="ada", reason="again", now_s=NOW_S)
