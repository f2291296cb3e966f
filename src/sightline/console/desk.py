"""A reviewer's desk: the parts taken from the queue, what was said of them, and taking that back."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sightline.console.drawn import Labelled
from sightline.console.parts import telling_view
from sightline.console.session import Api, Refused
from sightline.feedback.claims import CLAIM_S
from sightline.feedback.consensus import State
from sightline.feedback.review_queue import Reason
from sightline.service.routes.inspections import Detail, View
from sightline.service.routes.labels import LabelRecord, NewLabel
from sightline.service.routes.reviews import Claimed, NewReview, Released, ReviewRecord, ReviewsRecord, WaitingRecord

RENEW_S = CLAIM_S / 3
_AHEAD = 4  # parts on the desk: the one that is looked at, and the next ones
_ASKED = 20  # of the queue at once, as others may claim some of them first
_REMEMBERED = 50  # decisions that can be taken back
_MOST_SKIPPED = 500


class Overtaken(Exception):  # noqa: N818 - what happened
    """Others have settled the part meanwhile."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by  # the last of them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A part on the desk."""

    waiting: WaitingRecord
    detail: Detail
    seen: frozenset[int]  # reviews by others that stood when it was taken up

    @property
    def id(self) -> str:
        return self.waiting.inspection_id

    @property
    def view(self) -> View | None:
        """The view that shows why it is here."""
        return telling_view(self.detail.inspection)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What the reviewer says of a part."""

    verdict: Literal["PASS", "REJECT"]
    label: str = ""  # of a REJECT; empty: not named
    picture: str = ""  # digest of the one that was drawn on
    drawn: Sequence[Labelled] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """A decision that stands."""

    part: Part
    word: Word
    labels: tuple[int, ...]  # stored with it


@dataclass(slots=True, kw_only=True, eq=False)
class Desk:
    """One reviewer's. What changes it is done in turn; what only looks at it never waits."""

    api: Api
    reviewer: str
    product: str = ""
    needed: int = 1  # people who have to agree
    parts: deque[Part] = field(default_factory=deque)  # the first one is looked at
    said: deque[Said] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    skipped: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_SKIPPED))
    decided: int = 0
    waiting: int = 0  # in the queue, for this reviewer
    _lifted: set[str] = field(default_factory=set)  # taken, and not said yet: the queue still has them
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def part(self) -> Part | None:
        """The one that is looked at; None: nothing waits."""
        return self.parts[0] if self.parts else None

    @property
    def next(self) -> Part | None:
        return self.parts[1] if len(self.parts) > 1 else None

    async def fill(self) -> None:
        """Take the worthiest parts that are free; raises Refused."""
        async with self._turn:
            await self._count()
            known = {part.id for part in self.parts} | self._lifted
            room = _AHEAD - len(self.parts)
            if room < 1:
                return
            limit = _ASKED + len(known) + len(self.skipped)
            queue = await self.api.get(
                "/review-queue", list[WaitingRecord], needed=self.needed, product=self.product, limit=limit
            )
            free = {one.inspection_id: one for one in queue if one.inspection_id not in {*known, *self.skipped}}
            if not free:
                return
            body = {"inspection_ids": [*free], "most": room}
            claimed = await self.api.change("POST", "/review-queue/claims", Claimed, body)
            self.parts.extend(await asyncio.gather(*(self._taken(free[name]) for name in claimed.inspection_ids)))

    def take(self) -> Part | None:
        """Lift the first part off the desk, so that the next one is looked at; `decide` or `put_back` follows."""
        if not self.parts:
            return None
        part = self.parts.popleft()
        self._lifted.add(part.id)
        return part

    def put_back(self, part: Part) -> None:
        """On top of the others."""
        self._lifted.discard(part.id)
        self.parts.appendleft(part)

    async def decide(self, part: Part, word: Word) -> Said:
        """Say something of a part that was taken.

        Raises:
            Overtaken: others settled it; nothing was said.
            Refused: nothing was said.
        """
        async with self._turn:
            found = await self._reviews(part.id)
            new = [one for one in _standing(found, self.reviewer) if one.id not in part.seen]
            if new and found.outcome.state == State.SETTLED:
                await self._release([part.id])
                self._lifted.discard(part.id)
                raise Overtaken(new[-1].reviewer)
            labels = await self._draw(word)
            body = NewReview(verdict=word.verdict, label=word.label, seconds=word.seconds)
            try:
                await self.api.change("POST", f"/inspections/{part.id}/reviews", ReviewRecord, body)
            except Refused:
                await self._erase(labels)
                raise
            self._lifted.discard(part.id)
            said = Said(part=part, word=word, labels=tuple(labels))
            self.said.append(said)
            self.decided += 1
            self.waiting = max(0, self.waiting - 1)
            return said

    async def undo(self) -> Said | None:
        """Take back the last decision, and put its part on top; None: there is none. Raises Refused."""
        async with self._turn:
            if not self.said:
                return None
            said = self.said[-1]
            await self.api.change("POST", f"/inspections/{said.part.id}/reviews/undo", object)
            self.said.pop()
            self.decided -= 1
            self.waiting += 1
            self.parts.appendleft(said.part)
            await self._erase(said.labels)
            await self._claim([said.part.id])
            return said

    async def skip(self) -> None:
        """Leave the first part to others; it comes again when the page is opened anew."""
        if part := self.take():
            self.skipped.append(part.id)
            async with self._turn:
                await self._release([part.id])
                self._lifted.discard(part.id)

    async def renew(self) -> bool:
        """Keep what is on the desk; whether the part that is looked at was lost to somebody else."""
        async with self._turn:
            before = self.part
            kept = await self._claim([part.id for part in self.parts]) if self.parts else set()
            self.parts = deque(part for part in self.parts if part.id in kept)
            return before is not None and before.id not in kept

    async def leave(self) -> None:
        """Give up what is on the desk."""
        async with self._turn:
            if names := [part.id for part in self.parts]:
                self.parts.clear()
                await self._release(names)

    async def _count(self) -> None:
        counts = await self.api.get("/review-queue/counts", dict[Reason, int], needed=self.needed, product=self.product)
        self.waiting = sum(counts.values())

    async def _taken(self, waiting: WaitingRecord) -> Part:
        detail = await self.api.get(f"/inspections/{waiting.inspection_id}", Detail)
        others = _standing(await self._reviews(waiting.inspection_id), self.reviewer)
        return Part(waiting=waiting, detail=detail, seen=frozenset(one.id for one in others))

    async def _reviews(self, name: str) -> ReviewsRecord:
        return await self.api.get(f"/inspections/{name}/reviews", ReviewsRecord, needed=self.needed)

    async def _draw(self, word: Word) -> list[int]:
        """All of it or nothing."""
        made: list[int] = []
        try:
            for one in word.drawn:
                body = NewLabel(label=one.label, geometry=one.geometry)
                made.append((await self.api.change("POST", f"/pictures/{word.picture}/labels", LabelRecord, body)).id)
        except Refused:
            await self._erase(made)
            raise
        return made

    async def _erase(self, labels: Sequence[int]) -> None:
        for label in labels:
            await self.api.change("DELETE", f"/labels/{label}", LabelRecord)

    async def _claim(self, names: Sequence[str]) -> set[str]:
        body: dict[str, Any] = {"inspection_ids": [*names], "most": len(names)}
        return {*(await self.api.change("POST", "/review-queue/claims", Claimed, body)).inspection_ids}

    async def _release(self, names: Sequence[str]) -> None:
        await self.api.change("POST", "/review-queue/claims/release", Released, {"inspection_ids": [*names]})


def _standing(found: ReviewsRecord, reviewer: str) -> list[ReviewRecord]:
    """Of others."""
    return [one for one in found.reviews if one.undone_s is None and one.reviewer != reviewer]
