"""Pictures of good parts come from parts that passed, of this product, and once."""

import asyncio
from typing import Any

from sightline.console.product.station_parts import Shot, StationParts
from sightline.line.outcome import Kind
from sightline.records import Verdict
from sightline.service.routes.inspections import Inspection, Inspections, Names, News, View


class Server:
    """Knows the parts that stations reported, in the order of their coming."""

    def __init__(self, *parts: Inspection) -> None:
        self.parts = [*parts]
        self.products = ["cap", "disc"]

    async def get(self, path: str, kind: Any, /, **asked: Any) -> Any:
        if path == "/inspections/names":
            return Names(products=self.products, labels=[])
        if path == "/inspections":
            found = [one for one in self.parts if asked.get("product", one.product) == one.product]
            return Inspections(items=found[::-1][: asked["limit"]], next=None)
        assert path == "/inspections/since"
        found = [one for one in self.parts if one.number > asked["number"]]
        return News(items=found[: asked["limit"]], newest=max(one.number for one in self.parts))


def part(number: int, verdict: Verdict = Verdict.PASS, product: str = "cap", *, stored: bool = True) -> Inspection:
    view = View.model_construct(view="top", picture=f"{number:064x}" if stored else None)
    return Inspection.model_construct(
        id=f"id-{number}",
        number=number,
        station="press",
        product=product,
        kind=Kind.PRODUCTION,
        verdict=verdict,
        views=[view],
    )


def numbers(shots: list[Shot]) -> list[int]:
    return [int(shot.item.picture, 16) for shot in shots]


def test_only_what_comes_after_the_switch_is_taken_and_only_of_this_product() -> None:
    server = Server(part(1), part(2))
    parts = StationParts(api=server, product="cap")  # type: ignore[arg-type]

    async def follow() -> None:
        await parts.begin()
        assert await parts.new("press") == []
        server.parts += [part(3), part(4, product="disc"), part(5, Verdict.REJECT), part(6, Verdict.FAULT)]
        found = await parts.new("press")
        assert [(*numbers([one]), one.passed) for one in found] == [(3, True), (5, False), (6, False)]
        assert await parts.new("press") == []

    asyncio.run(follow())


def test_a_product_that_no_station_knows_yet_goes_by_the_name_of_another() -> None:
    server = Server(part(1, product="disc"))
    parts = StationParts(api=server, product="ring")  # type: ignore[arg-type]

    async def follow() -> None:
        await parts.begin()
        server.parts.append(part(2, product="disc"))
        assert numbers(await parts.new("press")) == [2]
        assert numbers(await parts.last("press")) == [2, 1]

    asyncio.run(follow())


def test_a_picture_that_comes_after_its_record_is_taken_and_one_left_out_is_not() -> None:
    server = Server(part(1))
    parts = StationParts(api=server, product="cap")  # type: ignore[arg-type]

    async def follow() -> None:
        await parts.begin()
        server.parts += [part(2, stored=False), part(3), part(4)]
        parts.leave_out([f"{4:064x}"])
        assert numbers(await parts.new("press")) == [3]
        server.parts[1] = part(2)
        assert numbers(await parts.new("press")) == [2]

    asyncio.run(follow())


def test_its_last_parts_are_given_on_demand_whatever_was_offered_before() -> None:
    server = Server(*(part(number) for number in range(1, 31)), part(31, Verdict.REVIEW), part(32, product="disc"))
    parts = StationParts(api=server, product="cap")  # type: ignore[arg-type]

    async def ask() -> None:
        for _ in range(2):
            assert numbers(await parts.last("press")) == [*range(31, 11, -1)]
        await parts.begin()
        assert await parts.new("press") == []

    asyncio.run(ask())
