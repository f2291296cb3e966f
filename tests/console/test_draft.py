"""What was collected is read to its end, and carried over to what was imported since then."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from sightline.console.product import draft
from sightline.console.product.draft import MOST_READ, Draft, carry_over, items_of
from sightline.console.session import Session
from sightline.service.routes.datasets import ItemRecord, VersionDetail


class Server:
    """A data set of so many pictures; it gives and takes a thousand at once, as the API does."""

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures
        self.taken: list[str] = []

    async def get(self, path: str, kind: Any, /, *, after: int, limit: int, label: str) -> list[ItemRecord]:
        assert limit <= 1000
        last = min(after + limit, self.pictures - 1)
        places = range(after + 1, last + 1)
        return [ItemRecord(picture=f"{one:064x}", name=f"{one}.png", label="good", place=one) for one in places]

    async def change(self, method: str, path: str, kind: Any, body: Any) -> None:
        assert len(body["add"]) <= 1000
        self.taken += [one["picture"] for one in body["add"]]


def collected(server: Server) -> tuple[Session, Draft]:
    data = VersionDetail.model_construct(dataset="cap", version=1, items=server.pictures, tally=[])
    session = cast(Session, SimpleNamespace(api=server))
    return session, Draft(name="cap", data=data, job=None, model=None)


def test_all_that_was_collected_is_carried_over() -> None:
    server = Server(2_500)
    assert asyncio.run(carry_over(*collected(server))) == 2_500
    assert len(set(server.taken)) == 2_500
    assert len(asyncio.run(items_of(*collected(Server(1_000))))) == 1_000


def test_it_ends_somewhere() -> None:
    assert asyncio.run(carry_over(*collected(Server(MOST_READ + 5_000)))) == draft.MOST_READ
