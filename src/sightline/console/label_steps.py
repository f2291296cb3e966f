"""What somebody does to the labels of a picture, step by step, and taken back step by step."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sightline.console.session import Session
from sightline.service.routes.labels import LabelRecord

MOST_STEPS = 200  # that can be taken back
_Undo = Callable[[], Awaitable[object]]


@dataclass(slots=True, kw_only=True)
class LabelSteps:
    """The labels of one picture, and the way back."""

    session: Session
    picture: str
    standing: dict[int, LabelRecord] = field(default_factory=dict)  # by id, in the order in which they were made
    said: bool = False  # whether anybody ever labelled it, so that what came with it counts no more
    _steps: list[list[_Undo]] = field(default_factory=list)

    @property
    def can_undo(self) -> bool:
        return bool(self._steps)

    @property
    def whole(self) -> LabelRecord | None:
        """The class of the whole picture."""
        return next((one for one in self.standing.values() if one.kind == "class"), None)

    async def read(self) -> None:
        """As the server has them now."""
        path = f"/pictures/{self.picture}/labels"
        found = await self.session.api.get(path, list[LabelRecord], removed=True)
        self.said = bool(found)
        self.standing = {one.id: one for one in found if one.removed_s is None}

    async def change(self, *, add: Iterable[tuple[str, dict[str, Any]]] = (), remove: Iterable[int] = ()) -> list[int]:
        """One step: take these away and make those of (label, geometry); returns the ids of the new ones."""
        step: list[_Undo] = []
        self._steps = [*self._steps, step][-MOST_STEPS:]
        for label_id in remove:
            await self._remove(label_id)
            step.insert(0, self._later(self.restore, label_id))
        made = []
        for label, geometry in add:
            body = {"label": label, "geometry": geometry}
            path = f"/pictures/{self.picture}/labels"
            new = await self.session.api.change("POST", path, LabelRecord, body)
            self.standing[new.id], self.said = new, True
            step.insert(0, self._later(self._remove, new.id))
            made.append(new.id)
        return made

    async def bring_back(self, label_id: int) -> None:
        """One step: a label that was taken away stands again."""
        await self.restore(label_id)
        self._steps = [*self._steps, [self._later(self._remove, label_id)]][-MOST_STEPS:]

    async def undo(self) -> None:
        """Take the last step back."""
        if self._steps:
            for back in self._steps.pop():
                await back()

    async def restore(self, label_id: int) -> None:
        label = await self.session.api.change("POST", f"/labels/{label_id}/restore", LabelRecord)
        self.standing[label_id] = label

    async def _remove(self, label_id: int) -> None:
        await self.session.api.change("DELETE", f"/labels/{label_id}", LabelRecord)
        self.standing.pop(label_id, None)

    @staticmethod
    def _later(do: Callable[[int], Awaitable[object]], label_id: int) -> _Undo:
        return lambda: do(label_id)
