"""The page of data sets asks for all of its cards at once."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from sightline.console.pages.data import contents
from sightline.console.session import Session
from sightline.service.routes.datasets import VersionRecord

PATIENCE_S = 20.0


class Server:
    """Answers nobody before all have asked."""

    def __init__(self, questions: int) -> None:
        self.barrier = asyncio.Barrier(questions)

    async def get(self, path: str, kind: Any, /, **query: object) -> Any:
        await self.barrier.wait()
        return path


def test_cards_do_not_wait_for_each_other() -> None:
    sets = [VersionRecord.model_construct(dataset=name, version=2) for name in ("cap", "ring", "disc")]

    async def ask() -> list[Any]:
        session = cast(Session, SimpleNamespace(api=Server(2 * len(sets))))
        return await asyncio.wait_for(contents(session, sets), PATIENCE_S)

    first, *_ = asyncio.run(ask())
    assert first == ("/datasets/cap/versions/2", "/datasets/cap/versions/2/items")
