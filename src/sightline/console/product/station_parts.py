"""Which of a station's parts are good pictures for a new product: those that passed; of the others a person says so."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sightline.console.product.draft import GOOD
from sightline.console.session import Api
from sightline.records import Verdict
from sightline.service.routes.datasets import NewItem
from sightline.service.routes.inspections import Inspection, Inspections, Names, News

_AT_ONCE = 20  # pictures taken on demand
_MOST_NEW = 500  # parts looked at in one go
_LOOKED_BACK = 200  # numbers, as a part's pictures come after its record


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A picture of a part."""

    item: NewItem
    verdict: Verdict  # of the part

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASS


@dataclass(slots=True, kw_only=True, eq=False)
class StationParts:
    """What one page has taken from stations, and from which part on it takes new ones."""

    api: Api
    product: str
    _begin: int = 0  # number of the newest part when following began
    _last: int = 0  # of the newest part looked at since then
    _known: set[str] = field(default_factory=set)  # digests that were offered, or left out: never again by themselves

    async def begin(self) -> None:
        """Only what comes from now on is new."""
        news = await self.api.get("/inspections/since", News, number=0, limit=1)
        self._begin = self._last = news.newest

    async def new(self, station: str) -> list[Shot]:
        """Pictures that came since `begin` and were not offered yet, the oldest first."""
        number = max(self._begin, self._last - _LOOKED_BACK)
        news = await self.api.get("/inspections/since", News, number=number, station=station, limit=_MOST_NEW)
        self._last = max([self._last, *(part.number for part in news.items)])
        found = [shot for shot in _shots(await self._own(news.items)) if shot.item.picture not in self._known]
        self._known |= {shot.item.picture for shot in found}
        return found

    async def last(self, station: str) -> list[Shot]:
        """Those of its last parts, whatever was offered before."""
        only = {"product": self.product} if await self._is_known() else {}
        found = await self.api.get("/inspections", Inspections, station=station, limit=_AT_ONCE, **only)
        shots = _shots(found.items)
        self._known |= {shot.item.picture for shot in shots}
        return shots

    def leave_out(self, pictures: Iterable[str]) -> None:
        """Do not offer these again."""
        self._known |= set(pictures)

    async def _own(self, parts: list[Inspection]) -> list[Inspection]:
        if not parts or not await self._is_known():
            return parts
        return [part for part in parts if part.product == self.product]

    async def _is_known(self) -> bool:
        """Whether a station has inspected it by its name; a part of a new product goes by another's."""
        return self.product in (await self.api.get("/inspections/names", Names)).products


def _shots(parts: Iterable[Inspection]) -> list[Shot]:
    return [
        Shot(
            item=NewItem(picture=view.picture, name=f"{part.station}/{part.id}-{view.view}.png", label=GOOD),
            verdict=part.verdict,
        )
        for part in parts
        for view in part.views
        if view.picture
    ]
