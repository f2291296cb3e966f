"""The reviewer's desk never shows a part twice, loses none, and tells when others were quicker."""

import asyncio
from typing import Any

import pytest

from sightline.console.desk import Desk, Overtaken, Word
from sightline.console.session import Refused
from sightline.service.routes.inspections import Detail
from sightline.service.routes.labels import LabelRecord
from sightline.service.routes.reviews import Claimed, ReviewRecord, ReviewsRecord, WaitingRecord

ME, OTHER = "olga", "quentin"
PASS, REJECT = Word(verdict="PASS"), Word(verdict="REJECT", label="dent")


class Plant:
    """An API that knows some waiting parts, and what was said of them."""

    def __init__(self, parts: int) -> None:
        self.queue = [f"part-{number}" for number in range(parts)]
        self.claimed: set[str] = set()
        self.said: dict[str, list[tuple[str, str]]] = {name: [] for name in self.queue}
        self.labels: set[int] = set()
        self.refuses = False
        self.slow = asyncio.Event()  # a decision waits for it
        self.slow.set()

    async def get(self, path: str, kind: Any, /, **query: object) -> Any:
        if path == "/review-queue/counts":
            return {"doubt": len(self.queue)}
        if path == "/review-queue":
            open_ = [name for name in self.queue if not any(who == ME for who, _ in self.said[name])]
            return [waiting(name) for name in open_]
        if path.endswith("/reviews"):
            return self._reviews(path.split("/")[2])
        return Detail.model_construct(inspection=None, defects=[])  # nothing here looks into it

    async def change(self, method: str, path: str, kind: Any, body: Any = None) -> Any:
        if path == "/review-queue/claims":
            mine = body["inspection_ids"][: body["most"]]
            self.claimed |= {*mine}
            return Claimed(inspection_ids=mine, for_s=600.0)
        if path == "/review-queue/claims/release":
            self.claimed -= {*body["inspection_ids"]}
        elif path.endswith("/labels"):
            self.labels.add(len(self.labels) + 1)
            return LabelRecord.model_construct(id=len(self.labels))
        elif path.startswith("/labels/"):
            self.labels.discard(int(path.split("/")[2]))
        elif path.endswith("/undo"):
            self.said[path.split("/")[2]].pop()
        else:
            await self.slow.wait()
            if self.refuses:
                raise Refused(503, "away")
            self.said[path.split("/")[2]].append((ME, body.verdict))
        return None

    def _reviews(self, name: str) -> ReviewsRecord:
        said = [review(number, *one) for number, one in enumerate(self.said[name])]
        outcome = {"state": "settled" if said else "open", "verdict": None, "label": "", "labels_agree": True}
        return ReviewsRecord.model_validate({"outcome": outcome, "reviews": [one.model_dump() for one in said]})


def waiting(name: str) -> WaitingRecord:
    return WaitingRecord(
        inspection_id=name,
        number=1,
        product="cap",
        serial=name,
        verdict="REVIEW",
        score=1.0,
        label="",
        at_s=0.0,
        reasons=[],
        words="",
        doubt=None,
    )


def review(number: int, who: str, verdict: str) -> ReviewRecord:
    return ReviewRecord(
        id=number,
        inspection_id="",
        reviewer=who,
        verdict=verdict,
        label="",
        note="",
        at_s=0.0,
        undone_s=None,
        seconds=None,
    )


def desk_at(plant: Plant) -> Desk:
    return Desk(api=plant, reviewer=ME)  # type: ignore[arg-type]  # it has what a desk asks for


def test_a_part_whose_decision_is_on_the_way_is_not_taken_again() -> None:
    async def work() -> None:
        plant = Plant(6)
        desk = desk_at(plant)
        await desk.fill()
        plant.slow.clear()
        fast = [desk.take(), desk.take()]
        filling = asyncio.create_task(desk.fill())
        deciding = [asyncio.create_task(desk.decide(part, PASS)) for part in fast if part]
        await filling
        assert [part.id for part in desk.parts] == ["part-2", "part-3", "part-4", "part-5"]
        plant.slow.set()
        await asyncio.gather(*deciding)
        await desk.fill()
        assert [part.id for part in desk.parts] == ["part-2", "part-3", "part-4", "part-5"]
        assert desk.decided == 2

    asyncio.run(work())


def test_what_was_said_is_taken_back_with_its_labels_and_its_part_is_on_top_again() -> None:
    async def work() -> None:
        plant = Plant(3)
        desk = desk_at(plant)
        await desk.fill()
        part = desk.take()
        assert part is not None
        await desk.decide(part, REJECT)
        assert plant.said["part-0"] == [(ME, "REJECT")]
        said = await desk.undo()
        assert said is not None
        assert desk.part is part
        assert plant.said["part-0"] == []
        assert plant.labels == set()
        assert await desk.undo() is None

    asyncio.run(work())


def test_others_who_were_quicker_are_told_and_nothing_is_said() -> None:
    async def work() -> None:
        plant = Plant(2)
        desk = desk_at(plant)
        await desk.fill()
        plant.said["part-0"].append((OTHER, "PASS"))
        part = desk.take()
        assert part is not None
        with pytest.raises(Overtaken, match=OTHER):
            await desk.decide(part, REJECT)
        assert plant.said["part-0"] == [(OTHER, "PASS")]
        assert "part-0" not in plant.claimed

    asyncio.run(work())


def test_a_decision_that_is_refused_is_none_and_what_was_skipped_stays_away() -> None:
    async def work() -> None:
        plant = Plant(3)
        desk = desk_at(plant)
        await desk.fill()
        plant.refuses = True
        part = desk.take()
        assert part is not None
        with pytest.raises(Refused):
            await desk.decide(part, PASS)
        desk.put_back(part)
        assert (desk.part, desk.decided) == (part, 0)
        await desk.skip()
        await desk.fill()
        assert [one.id for one in desk.parts] == ["part-1", "part-2"]
        await desk.leave()
        assert plant.claimed == set()

    asyncio.run(work())
