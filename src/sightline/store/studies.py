"""Studies: the same items judged by people, blind and in random order, and by machines, against what is known.

A study is open until it is closed: then it may be rated, and nobody sees a result. Once closed, its result is shown and
nothing of it changes any more. The audit trail has each rating at once: only administrators read it.
"""

import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from sightline.errors import ConflictError, NotFoundError, OptionError
from sightline.evaluation.attribute_agreement import Agreement, Rating, analyse
from sightline.evaluation.challenge import Claim, claim
from sightline.records import Verdict
from sightline.store.audit import note
from sightline.store.schema import Inspection
from sightline.store.study_tables import Study, StudyItem, StudyRating
from sightline.store.tallied import Slice, conditions, stations

MAX_ITEMS = 5_000
MAX_ROUNDS = 10
MACHINE = "machine"  # the appraiser that the verdicts of the items' own inspections are of
KINDS = ("agreement", "challenge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to judge, and what it truly is; it has an inspection, a picture, or both."""

    bad: bool
    inspection: str = ""  # id
    picture: str = ""  # digest
    label: str = ""  # of the defect it has

    def __post_init__(self) -> None:
        if not (self.inspection or self.picture):
            raise OptionError("study: each item needs an inspection or a picture.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a study shall be."""

    name: str
    kind: str = "agreement"
    product: str = ""
    rounds: int = 2  # how often each person judges each item
    note: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise OptionError("study: give it a name.")
        if self.kind not in KINDS:
            raise OptionError(f"study: kind {self.kind!r:.20} is not known; give agreement or challenge.")
        if not 1 <= self.rounds <= MAX_ROUNDS:
            raise OptionError(f"study: {self.rounds} rounds; give 1 to {MAX_ROUNDS}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What an appraiser shall judge next: nothing that tells what is right, or what others said."""

    item: int
    inspection: str
    picture: str
    round: int
    done: int  # ratings by this appraiser
    of: int  # ratings expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a closed study found."""

    agreement: Agreement
    claims: dict[str, Claim]  # appraiser -> what its decisions on the bad items prove, its first round


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed:
    """An item that was not judged rightly by all, and who said what of it."""

    item: StudyItem
    ratings: tuple[Rating, ...]


def make(session: Session, plan: Plan, items: Sequence[Item], *, who: str, now_s: float) -> Study:
    """A new study; the verdicts of the items' own inspections become the machine's ratings.

    Raises:
        OptionError: there are no items or too many, one is there twice, or a challenge holds a good one.
        ConflictError: the name is taken. NotFoundError: an inspection does not exist.
    """
    _check_items(plan, items)
    if session.scalar(select(Study.id).where(Study.name == plan.name)) is not None:
        raise ConflictError(f"study {plan.name}: there is one of this name; choose another.")
    verdicts = _verdicts(session, [item.inspection for item in items if item.inspection])
    study = Study(
        name=plan.name,
        kind=plan.kind,
        product=plan.product,
        rounds=plan.rounds,
        seed=secrets.randbelow(2**31),
        note=plan.note,
        author=who,
        created_s=now_s,
    )
    session.add(study)
    session.flush()
    made = [
        StudyItem(
            study_id=study.id,
            place=place,
            inspection_id=item.inspection or None,
            picture=item.picture or None,
            bad=item.bad,
            label=item.label,
        )
        for place, item in enumerate(items)
    ]
    session.add_all(made)
    session.flush()
    judged = [(item, verdicts[item.inspection_id]) for item in made if item.inspection_id]
    _store(session, [(item.id, verdict) for item, verdict in judged], MACHINE, 1, machine=True, now_s=now_s)
    note(session, who=who, action="make study", subject=f"study:{study.name}", before=None, after={"items": len(made)})
    return study


def challenge_items(session: Session, chosen: Slice) -> tuple[Item, ...]:
    """The challenge parts that a line was shown in a time and that its views judged, all known to be bad.

    Raises:
        OptionError: there are none, or more than `MAX_ITEMS`.
    """
    query = select(Inspection.id).where(
        Inspection.kind == "challenge",
        Inspection.judged.in_((Verdict.PASS, Verdict.REJECT, Verdict.REVIEW)),
        Inspection.at_s >= chosen.since_s,
        Inspection.at_s < chosen.until_s,
        *conditions(replace(chosen, kinds=()), stations(session, chosen)),
    )
    found = session.scalars(query.order_by(Inspection.at_s, Inspection.number).limit(MAX_ITEMS + 1)).all()
    if not found:
        raise OptionError("challenge: no challenge part was judged in that time.")
    return tuple(Item(bad=True, inspection=id_) for id_ in found)


def studies(session: Session, *, before: int | None = None, most: int = 50) -> tuple[Study, ...]:
    """The newest studies; `before` is the id of the last one already seen."""
    query = select(Study).order_by(Study.id.desc()).limit(most)
    return tuple(session.scalars(query if before is None else query.where(Study.id < before)))


def study(session: Session, id_: int) -> Study:
    found = session.get(Study, id_)
    if found is None:
        raise NotFoundError(f"study {id_}: there is none.")
    return found


def items(session: Session, id_: int) -> tuple[StudyItem, ...]:
    """All items with their truth, in their order: not for those who rate."""
    study(session, id_)
    return tuple(session.scalars(select(StudyItem).where(StudyItem.study_id == id_).order_by(StudyItem.place)))


def next_task(session: Session, id_: int, appraiser: str) -> Task | None:
    """What somebody shall judge next: each round in a random order of its own, the same whenever it is asked for.

    Returns:
        None: this appraiser has judged everything.

    Raises:
        NotFoundError: there is no such study. ConflictError: it is closed.
    """
    found = _open(session, id_)
    rows = session.execute(
        select(StudyItem.id, StudyItem.inspection_id, StudyItem.picture)
        .where(StudyItem.study_id == id_)
        .order_by(StudyItem.place)
    ).all()
    done = _rated(session, id_, appraiser)
    for number in range(1, found.rounds + 1):
        for place in _order(found, appraiser, number, len(rows)):
            item, inspection, picture = rows[place]
            if (item, number) not in done:
                return Task(
                    item=item,
                    inspection=inspection or "",
                    picture=picture or "",
                    round=number,
                    done=len(done),
                    of=found.rounds * len(rows),
                )
    return None


def _order(found: Study, appraiser: str, number: int, count: int) -> list[int]:
    draw = np.random.default_rng([found.seed, zlib.crc32(appraiser.encode("utf-8", "replace")), number])
    return [int(place) for place in draw.permutation(count)]


def rate(
    session: Session, id_: int, item: int, *, appraiser: str, reject: bool, seconds: float | None, now_s: float
) -> None:
    """Store what somebody said of the item that `next_task` gave.

    Raises:
        ConflictError: the study is closed, or another item is this appraiser's next one.
    """
    if appraiser == MACHINE:
        raise ConflictError(f"study: the name {MACHINE} stands for the machine; rate under another one.")
    task = next_task(session, id_, appraiser)
    if task is None or task.item != item:
        raise ConflictError(f"study {id_}: item {item} is not the next one for {appraiser}; ask for the next item.")
    session.add(
        StudyRating(
            item_id=item,
            appraiser=appraiser,
            round=task.round,
            machine=False,
            reject=reject,
            at_s=now_s,
            seconds=seconds,
        )
    )
    session.flush()
    after = {"item": item, "round": task.round, "reject": reject}
    note(session, who=appraiser, action="rate", subject=_subject(session, id_), before=None, after=after)


def rate_by_machine(
    session: Session, id_: int, verdicts: dict[int, str], *, appraiser: str, round_: int, who: str, now_s: float
) -> None:
    """Store what a model, or the same line once more, said of items; what it did not pass counts as rejected.

    Args:
        verdicts: item -> PASS, REJECT, REVIEW or FAULT.
        appraiser: which machine, say its model; `MACHINE` has round 1 where items have inspections.
        who: had it judge.

    Raises:
        NotFoundError: an item is not of this study. ConflictError: it is closed, or one has such a rating.
    """
    _open(session, id_)
    if not 1 <= round_ <= MAX_ROUNDS:
        raise OptionError(f"study: round {round_}; give 1 to {MAX_ROUNDS}.")
    known = set(session.scalars(select(StudyItem.id).where(StudyItem.study_id == id_)))
    if not verdicts.keys() <= known:
        raise NotFoundError(f"study {id_}: item {min(verdicts.keys() - known)} is not of it.")
    done = _rated(session, id_, appraiser)
    twice = [item for item in verdicts if (item, round_) in done]
    if twice:
        raise ConflictError(f"study {id_}: {appraiser} has rated item {twice[0]} in round {round_}.")
    _store(session, list(verdicts.items()), appraiser, round_, machine=True, now_s=now_s)
    after = {"appraiser": appraiser, "round": round_, "verdicts": verdicts}
    note(session, who=who, action="rate by machine", subject=_subject(session, id_), before=None, after=after)


def close(session: Session, id_: int, *, who: str, now_s: float) -> Study:
    """End the rating; from here on the result is shown.

    Raises:
        ConflictError: it is closed already.
    """
    found = _open(session, id_)
    found.closed_s = now_s
    note(session, who=who, action="close study", subject=f"study:{found.name}", before="open", after="closed")
    return found


def result(session: Session, id_: int) -> Result:
    """What a closed study found.

    Raises:
        ConflictError: it is still open, and whoever rates must stay blind.
    """
    found = study(session, id_)
    if found.closed_s is None:
        raise ConflictError(f"study {found.name}: is open, and whoever rates must stay blind. Close it first.")
    truth = {str(item.id): item.bad for item in items(session, id_)}
    rows = session.scalars(
        select(StudyRating).join(StudyItem, StudyItem.id == StudyRating.item_id).where(StudyItem.study_id == id_)
    )
    ratings = [
        Rating(appraiser=row.appraiser, item=str(row.item_id), round=row.round, reject=row.reject) for row in rows
    ]
    first = [one for one in ratings if one.round == 1 and truth[one.item]]
    claims = {}
    for name in sorted({one.appraiser for one in first}):
        said = [one.reject for one in first if one.appraiser == name]
        claims[name] = claim(sum(said), len(said))
    return Result(agreement=analyse(truth, ratings), claims=claims)


def disputed(session: Session, id_: int, *, most: int = 100) -> tuple[Disputed, ...]:
    """Items of a closed study that somebody, or a machine, judged wrongly in some round; in their order.

    Raises:
        ConflictError: it is still open.
    """
    if study(session, id_).closed_s is None:
        raise ConflictError(f"study {id_}: is open, and whoever rates must stay blind. Close it first.")
    wrong = select(StudyRating.item_id).where(
        StudyRating.item_id == StudyItem.id, StudyRating.reject.is_distinct_from(StudyItem.bad)
    )
    query = select(StudyItem).where(StudyItem.study_id == id_, wrong.exists()).order_by(StudyItem.place).limit(most)
    found = {item.id: item for item in session.scalars(query)}
    rows = session.scalars(
        select(StudyRating)
        .where(StudyRating.item_id.in_(found))
        .order_by(StudyRating.machine, StudyRating.appraiser, StudyRating.round)
    )
    said: dict[int, list[Rating]] = {}
    for row in rows:
        rating = Rating(appraiser=row.appraiser, item=str(row.item_id), round=row.round, reject=row.reject)
        said.setdefault(row.item_id, []).append(rating)
    return tuple(Disputed(item=item, ratings=tuple(said[known_as])) for known_as, item in found.items())


def progress(session: Session, id_: int) -> dict[str, int]:
    """How many ratings each appraiser has given: all that may be seen of an open study."""
    query = select(StudyRating.appraiser, func.count()).join(StudyItem, StudyItem.id == StudyRating.item_id)
    query = query.where(StudyItem.study_id == id_).group_by(StudyRating.appraiser).order_by(StudyRating.appraiser)
    return {row[0]: row[1] for row in session.execute(query)}


def _check_items(plan: Plan, chosen: Sequence[Item]) -> None:
    if not 1 <= len(chosen) <= MAX_ITEMS:
        raise OptionError(f"study {plan.name}: {len(chosen)} items; give 1 to {MAX_ITEMS:,}.")
    if len({(item.inspection, item.picture) for item in chosen}) < len(chosen):
        raise OptionError(f"study {plan.name}: an item is there twice; each must be judged for itself.")
    if plan.kind == "challenge" and not all(item.bad for item in chosen):
        raise OptionError(f"study {plan.name}: a challenge has bad items only; leave the good ones out.")


def _verdicts(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """What the views of these judged; where they did not say, how the part was dealt with."""
    found: dict[str, str] = {}
    for first in range(0, len(ids), 500):
        query = select(Inspection.id, Inspection.judged, Inspection.verdict)
        rows = session.execute(query.where(Inspection.id.in_(ids[first : first + 500])))
        found |= {row.id: row.judged or row.verdict for row in rows}
    missing = set(ids) - found.keys()
    if missing:
        raise NotFoundError(f"study: there is no inspection {min(missing):.40}.")
    return found


def _store(
    session: Session, verdicts: Sequence[tuple[int, str]], appraiser: str, round_: int, *, machine: bool, now_s: float
) -> None:
    rows = [
        {
            "item_id": item,
            "appraiser": appraiser,
            "round": round_,
            "machine": machine,
            "reject": verdict != Verdict.PASS,
            "at_s": now_s,
        }
        for item, verdict in verdicts
    ]
    if rows:
        session.execute(insert(StudyRating), rows)


def _subject(session: Session, id_: int) -> str:
    """Of a row of the audit trail."""
    return f"study:{study(session, id_).name}"


def _open(session: Session, id_: int) -> Study:
    found = study(session, id_)
    if found.closed_s is not None:
        raise ConflictError(f"study {found.name}: is closed; make a new one.")
    return found


def _rated(session: Session, id_: int, appraiser: str) -> set[tuple[int, int]]:
    query = select(StudyRating.item_id, StudyRating.round).join(StudyItem, StudyItem.id == StudyRating.item_id)
    rows = session.execute(query.where(StudyItem.study_id == id_, StudyRating.appraiser == appraiser))
    return {(item, number) for item, number in rows}
