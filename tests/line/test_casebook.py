"""From what views say to what is on record: held before it is told, and then what was told, whatever the disk does."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from tests.line.deadline import until

from sightline.errors import StoreError
from sightline.line.board import Board
from sightline.line.casebook import Casebook, Offer
from sightline.line.events import Part, Signal
from sightline.line.faults import Fault
from sightline.line.fusion import Fused, fuse
from sightline.line.history import History, verify
from sightline.line.images import ImagePolicy, ImageWriter
from sightline.line.outcome import Kind, ViewOutcome
from sightline.line.pictures import PictureFolder
from sightline.line.setup import Setup
from sightline.line.spool import Spool
from sightline.line.view import Seen, View
from sightline.records import Frame, Inspection, Verdict

pytest.importorskip("prometheus_client")

from sightline.line.metrics import Metrics

FRAME = Frame(pixels=np.zeros((4, 4, 1), np.uint8))
PASS = Inspection(
    source="", verdict=Verdict.PASS, score=1.0, threshold=2.0, review_threshold=None, p_value=0.5, model_id="new"
)


@dataclass
class BlindView:
    """A view that is told what it has seen."""

    name: str = "top"
    shadow: object | None = None
    asked: list[int] = field(default_factory=list)
    passed_over: int = 0

    def pass_over(self, since_s: float) -> None:
        self.passed_over += 1

    def look(self, number: int, part_id: int, since_s: float, counts_s: float | None = None) -> None:
        assert part_id > 0, "the PLC's number, by which pictures may be named"
        self.asked.append(number)


@dataclass
class Desk:
    """A casebook and its clock."""

    folder: Path
    spool: Spool
    board: Board
    metrics: Metrics
    book: Casebook
    setup: Setup
    now_s: float = 100.0
    number: int = 0

    def part(self, *, challenge: bool = False) -> Part:
        self.number += 1
        return Part(
            sequence=self.number,
            part_id=1000 + self.number,
            serial="",
            challenge=challenge,
            recipe=1,
            encoder=None,
            encoder_before=None,
            since_s=self.now_s,
            deadline_s=self.now_s + 1.0,
        )

    def judged(self, *, challenge: bool = False, inspection: Inspection = PASS) -> int:
        """A part that its view has passed, or found to be as this says."""
        part = self.part(challenge=challenge)
        self.book.take(part, self.setup, self.now_s)
        outcome = ViewOutcome(view="top", verdict=inspection.verdict, score=1.0, threshold=2.0, model_id="old")
        self.book.hear(Seen(view="top", number=part.sequence, frame=FRAME))
        self.book.hear(Seen(view="top", number=part.sequence, outcome=outcome, inspection=inspection))
        return part.sequence

    def offer(self) -> Offer:
        offers: list[Offer] = []

        def offered() -> bool:
            offers.extend(self.book.settle(self.now_s))
            return bool(offers)

        until(offered)
        (offer,) = offers
        return offer

    def records(self, count: int) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            self.book.settle(self.now_s)
            with closing(History(self.folder / "records.db")) as history:
                return [json.loads(row.document) for row in history.after(0, 10_000)]

        until(lambda: len(found()) >= count)
        return found()


@pytest.fixture
def view() -> BlindView:
    return BlindView()


@pytest.fixture
def desk(tmp_path: Path, view: BlindView) -> Iterator[Desk]:
    def worst(views: Mapping[str, Inspection]) -> Fused:
        return fuse({"top": 1.0}, views)

    spool, board, metrics = Spool(tmp_path / "records.db", station="test"), Board("test"), Metrics()
    pictures = PictureFolder(tmp_path / "pictures")
    images = ImageWriter(pictures, ImagePolicy())
    book = Casebook(spool, images, board, metrics, most_kept=20)
    setup = Setup(product="disc", recipe=1, views=(cast(View, view),), fuse=worst, window_s=1.0)
    desk = Desk(folder=tmp_path, spool=spool, board=board, metrics=metrics, book=book, setup=setup)
    yield desk
    book.close(desk.now_s)
    images.close()
    pictures.close()
    spool.close()
    assert verify(tmp_path / "records.db") is None


def test_a_verdict_is_durable_when_it_is_offered_and_on_record_when_it_was_told(desk: Desk) -> None:
    sequence = desk.judged()
    offer = desk.offer()
    assert (offer.case.part.sequence, offer.verdict, offer.fault) == (sequence, Verdict.PASS, Fault.NONE)
    assert desk.records(0) == []
    desk.spool.close()
    Spool(desk.folder / "records.db", station="test").close()  # as after a crash in this moment
    (left,) = desk.records(1)
    assert (left["verdict"], left["judged"], left["told"]) == ("PASS", "PASS", None)


@pytest.mark.parametrize(
    ("signal", "fault", "verdict", "cause", "late"),
    [
        pytest.param(Signal.OK, Fault.NONE, "PASS", None, False, id="ok"),
        pytest.param(Signal.NG, Fault.LATE, "REJECT", None, True, id="too late"),
        pytest.param(None, Fault.DROPPED, "FAULT", "dropped", False, id="the PLC was lost"),
        pytest.param(Signal.FAULT, Fault.REPEATED_PART_ID, "FAULT", "repeated_part_id", False, id="its number twice"),
    ],
)
def test_the_record_says_what_was_done_with_the_part_and_what_was_judged(
    desk: Desk, signal: Signal | None, fault: Fault, verdict: str, cause: str | None, late: bool
) -> None:
    sequence = desk.judged()
    desk.offer()
    desk.book.told(sequence, signal, fault)
    (record,) = desk.records(1)
    assert (record["verdict"], record["cause"], record["late"]) == (verdict, cause, late)
    assert (record["judged"], record["told"]) == ("PASS", signal)
    assert record["views"][0]["score"] == 1.0
    assert desk.book.open == 0
    assert desk.board.status()["counts"][verdict] == 1


def test_a_part_told_before_its_views_are_in_is_recorded_when_they_are(desk: Desk) -> None:
    part = desk.part()
    desk.book.take(part, desk.setup, desk.now_s)
    desk.book.told(part.sequence, None, Fault.DROPPED)
    assert desk.book.settle(desk.now_s) == []
    desk.now_s += 1.0
    (record,) = desk.records(1)
    assert (record["verdict"], record["cause"], record["judged"]) == ("FAULT", "view_missing", None)


def test_a_challenge_part_that_passed_is_rejected_and_the_record_says_both(desk: Desk) -> None:
    sequence = desk.judged(challenge=True)
    offer = desk.offer()
    assert offer.fault is Fault.CHALLENGE_MISSED
    desk.book.told(sequence, Signal.FAULT, offer.fault)
    (record,) = desk.records(1)
    assert (record["kind"], record["verdict"], record["judged"]) == (Kind.CHALLENGE, "FAULT", "PASS")
    assert b"sightline_line_missed_challenges_total 1.0" in desk.metrics.page()


@pytest.mark.parametrize(
    ("review_passes", "fault", "missed"), [(True, Fault.CHALLENGE_MISSED, b"1.0"), (False, Fault.NONE, b"0.0")]
)
def test_a_challenge_part_in_doubt_is_missed_where_doubt_passes(
    desk: Desk, review_passes: bool, fault: Fault, missed: bytes
) -> None:
    desk.setup = replace(desk.setup, review_passes=review_passes)
    sequence = desk.judged(challenge=True, inspection=replace(PASS, verdict=Verdict.REVIEW))
    offer = desk.offer()
    assert (offer.verdict, offer.fault) == (Verdict.REVIEW, fault)
    desk.book.told(sequence, Signal.FAULT if fault else Signal.NG, fault)
    desk.records(1)
    assert b"sightline_line_missed_challenges_total " + missed in desk.metrics.page()


def test_a_missed_part_may_be_told_before_its_record_which_follows(desk: Desk) -> None:
    part = desk.part()
    desk.book.pass_over(part, Fault.MISSED_TRIGGER, desk.setup, desk.now_s)
    desk.book.told(part.sequence, Signal.NG, Fault.MISSED_TRIGGER)
    (record,) = desk.records(1)
    assert (record["verdict"], record["cause"], record["told"]) == ("FAULT", "missed_trigger", "ng")


def test_what_the_disk_refuses_is_a_fault_now_and_all_is_recorded_when_it_is_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as are kept, one by one; those beyond, none of which was judged, by one record that says how many."""
    monkeypatch.setattr("sightline.line.recorder._LINGER_S", 0.0)
    record, broken = desk.spool.record, [True]

    def failing(*outcomes: Any) -> None:
        if broken[0]:
            raise StoreError("the disk is full.")
        record(*outcomes)

    monkeypatch.setattr(desk.spool, "record", failing)
    sequence = desk.judged()
    assert desk.offer().fault is Fault.NOT_RECORDED
    desk.book.told(sequence, Signal.FAULT, Fault.NOT_RECORDED)
    assert desk.book.failing
    assert any("cannot be written" in alarm for alarm in desk.board.status()["alarms"])
    for _ in range(50):
        part = desk.part()
        desk.book.pass_over(part, Fault.MISSED_TRIGGER, desk.setup, desk.now_s)
        desk.book.told(part.sequence, Signal.NG, Fault.MISSED_TRIGGER)
        desk.book.settle(desk.now_s)
    broken[0] = False
    found = desk.records(21)
    assert not desk.book.failing
    assert not desk.board.status()["alarms"]
    assert (found[0]["verdict"], found[0]["cause"], found[0]["judged"]) == ("FAULT", "not_recorded", "PASS")
    assert [record["part_id"] for record in found] == list(range(1001, 1022))
    assert "so were 30 more" in found[-1]["reason"]
    assert "up to number 1051" in found[-1]["reason"]
    assert b"sightline_line_crowded_records_total 31.0" in desk.metrics.page()


def test_a_model_in_shadow_is_on_record_and_counted_and_decides_nothing(desk: Desk, view: BlindView) -> None:
    view.shadow = object()
    for verdict in (Verdict.PASS, Verdict.REJECT, None):
        sequence = desk.judged()
        assert desk.offer().verdict is Verdict.PASS  # whatever the shadow is doing
        desk.book.told(sequence, Signal.OK, Fault.NONE)
        if verdict is not None:
            opinion = Inspection(
                source="",
                verdict=verdict,
                score=3.0,
                threshold=2.5,
                review_threshold=None,
                p_value=0.1,
                model_id="next",
            )
            desk.book.hear(Seen(view="top", number=sequence, shadow=opinion, shadow_ended=True))
        else:
            desk.now_s += 1.0  # its deadline: nobody waits any longer
    shadows = [record["views"][0]["shadow"] for record in desk.records(3)]
    assert shadows[1] == {"verdict": "REJECT", "score": 3.0, "threshold": 2.5, "model": "next"}
    assert shadows[2] is None
    counts = desk.board.status()["counts"]
    assert [counts[f"shadow_{word}"] for word in ("agreed", "disagreed", "silent")] == [1, 1, 1]


def test_what_is_in_hand_when_the_station_ends_is_recorded(desk: Desk) -> None:
    desk.book.take(desk.part(), desk.setup, desk.now_s)
    desk.judged()
    desk.book.close(desk.now_s)
    assert [(record["verdict"], record["told"]) for record in desk.records(2)] == [("FAULT", None)] * 2
    assert time.time() - desk.records(2)[0]["unix_s"] < 3600


class _Asked:
    """A case that, while it is asked, another thread adds to."""

    def __init__(self, cases: dict[int, Any]) -> None:
        self._cases = cases

    @property
    def told(self) -> None:
        self._cases[len(self._cases) + 1] = self


def test_parts_may_be_counted_while_the_loop_goes_on(desk: Desk) -> None:
    cases: dict[int, Any] = desk.book._cases
    cases[1] = _Asked(cases)
    assert desk.book.open == 1
    assert len(cases) == 2
    cases.clear()
