"""How far a new product is: all of it is on the server, so that nothing is lost on the way."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlencode

from sightline.console.session import Refused, Session
from sightline.service.routes.datasets import ItemRecord, VersionDetail, VersionRecord
from sightline.service.routes.jobs import JobOut, JobPage
from sightline.service.routes.models import ModelRecord

ENOUGH, LEAST = 50, 10  # good pictures: those that are wanted, and those below which nothing can be learned
GOOD, DEFECT = "good", "defect"
MOST_READ = 10_000  # pictures of a version
_MOST = 200
_PAGE = 1000  # pictures that the API takes, or gives, at once


class Step(StrEnum):
    """The way, in its order."""

    NAME = "name"
    COLLECT = "collect"
    TRAIN = "train"
    LOOK = "look"
    LIMIT = "limit"
    TEST = "test"
    USE = "use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A product on its way."""

    name: str
    data: VersionDetail | None  # None: nothing was collected yet
    job: JobOut | None  # the newest training
    model: ModelRecord | None  # the version that is worked on

    @property
    def good(self) -> int:
        return self._count(GOOD)

    @property
    def bad(self) -> int:
        return self._count(DEFECT)

    @property
    def dataset(self) -> str:
        """NAME/VERSION of what was collected."""
        return f"{self.name}/{self.data.version}" if self.data else ""

    def reached(self, step: Step) -> bool:
        """Whether all is there that a step takes."""
        if step in (Step.NAME, Step.COLLECT):
            return step is Step.NAME or bool(self.name)
        return self.good >= LEAST if step is Step.TRAIN else self.model is not None

    def address(self, step: Step, **query: str | int) -> str:
        """Where a step is."""
        known = {"name": self.name} if self.name else {}
        chosen = {"version": self.model.version} if self.model and list(Step).index(step) > 2 else {}
        return f"/new-product?{urlencode({**known, 'step': step.value, **chosen, **query})}"

    def _count(self, label: str) -> int:
        return sum(tally.pictures for tally in self.data.tally if tally.label == label) if self.data else 0


async def draft_of(session: Session, name: str, version: int = 0) -> Draft:
    """
    Args:
        version: of the model; 0: the newest that was trained or made here.
    """
    if not name:
        return Draft(name="", data=None, job=None, model=None)
    data, base = None, f"/datasets/{quote(name, safe='')}/versions"
    try:
        newest = await session.api.get(base, list[VersionRecord], limit=1)
        data = await session.api.get(f"{base}/{newest[0].version}", VersionDetail)
    except Refused as refusal:
        if refusal.status != 404:
            raise
    jobs = await session.api.get("/jobs", JobPage, kind="train", limit=_MOST)
    job = next((one for one in jobs.jobs if one.params.get("name") == name), None)
    models = await session.api.get("/models", list[ModelRecord], name=name, limit=_MOST)
    chosen = [one for one in models if one.version == version] or models
    return Draft(name=name, data=data, job=job, model=chosen[0] if chosen else None)


async def items_of(session: Session, draft: Draft, label: str = "") -> list[ItemRecord]:
    """What was collected, in its order; the first MOST_READ.

    Args:
        label: that they have; empty: any.
    """
    if draft.data is None:
        return []
    path = f"/datasets/{quote(draft.name, safe='')}/versions/{draft.data.version}/items"
    found = list[ItemRecord]()
    while len(found) < MOST_READ:
        after = found[-1].place if found else -1
        page = await session.api.get(path, list[ItemRecord], after=after, limit=_PAGE, label=label)
        found += page
        if len(page) < _PAGE:
            break
    return found


async def carry_over(session: Session, draft: Draft) -> int:
    """Add what was collected until then to the newest version; how many pictures that are, at most MOST_READ."""
    items = await items_of(session, draft)
    path = f"/datasets/{quote(draft.name, safe='')}/versions/from-newest"
    for first in range(0, len(items), _PAGE):
        add = [item.model_dump(exclude={"place"}) for item in items[first : first + _PAGE]]
        await session.api.change("POST", path, VersionRecord, {"product": draft.name, "add": add})
    return len(items)


def plain_name(typed: str) -> str:
    """A name that fits into addresses and files: `Cap 30 mm` becomes `Cap-30-mm`; empty where nothing is left."""
    spelt = typed.strip().translate(
        {ord(a): b for a, b in zip("äöüÄÖÜß", ("ae", "oe", "ue", "Ae", "Oe", "Ue", "ss"), strict=True)}
    )
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", spelt).strip("-_.")[:100]
