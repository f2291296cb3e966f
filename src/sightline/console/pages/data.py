"""Data sets: which there are, and new ones."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

from fastapi import Request
from nicegui import ui
from starlette.responses import RedirectResponse

from sightline.console.figures import moment, number
from sightline.console.frame import framed
from sightline.console.making import Making, label_text, version_address
from sightline.console.session import Refused, Session, session_of
from sightline.service.rights import Right
from sightline.service.routes.datasets import ItemRecord, VersionDetail, VersionRecord

HERE = "/data"
_AT_ONCE = 24
_SHOWN = 4  # pictures of each
_CLASSES = 4  # that are named


async def page(request: Request, after: str = "") -> None:
    """
    Args:
        after: name of the data set that the list goes on behind.
    """
    with framed(request, HERE) as session:
        text = session.text
        found = await session.api.get("/datasets", list[VersionRecord], after=after, limit=_AT_ONCE)
        with ui.element("div").classes("headline"):
            ui.html(f"<h1>{text('Data')}</h1>", sanitize=False)
        if found:
            inside = await contents(session, found)
            with ui.element("div").classes("cards"):
                for one, (detail, some) in zip(found, inside, strict=True):
                    _card(session, one, detail, some)
        else:
            first = text("There are no data sets yet. Make the first one of an archive or of pictures.")
            ui.label(first).classes("empty")
        if len(found) == _AT_ONCE:
            ui.link(text("More"), f"{HERE}?after={quote(found[-1].dataset)}")
        if Right.MANAGE in session.caller.rights:
            with ui.element("section").classes("card"):
                ui.html(f"<h2>{text('New data set')}</h2>", sanitize=False)
                Making(session)


async def newest(request: Request, name: str) -> RedirectResponse | None:
    """To the newest version of a data set."""
    path = f"/datasets/{quote(name, safe='')}/versions"
    try:
        versions = await session_of(request).api.get(path, list[VersionRecord], limit=1)
    except Refused as error:
        with framed(request, HERE):
            ui.label(str(error)).classes("empty").props("role=alert")
        return None
    return RedirectResponse(version_address(name, versions[0].version), 303)


async def contents(session: Session, versions: Sequence[VersionRecord]) -> list[tuple[VersionDetail, list[ItemRecord]]]:
    """What is in each version, and some of its pictures."""

    async def ask(one: VersionRecord) -> tuple[VersionDetail, list[ItemRecord]]:
        path = f"/datasets/{quote(one.dataset, safe='')}/versions/{one.version}"
        detail, some = await asyncio.gather(
            session.api.get(path, VersionDetail), session.api.get(f"{path}/items", list[ItemRecord], limit=_SHOWN)
        )
        return detail, some

    return await asyncio.gather(*(ask(one) for one in versions))


def _card(session: Session, one: VersionRecord, detail: VersionDetail, some: list[ItemRecord]) -> None:
    text = session.text
    with ui.element("a").classes("card dataset").props(f'href="{version_address(one.dataset, one.version)}"'):
        with ui.element("div").classes("strip"):
            for item in some:
                ui.html(f'<img src="/api/v1/pictures/{item.picture}?size=thumb" alt="" loading="lazy">', sanitize=False)
        with ui.element("div").classes("headline"):
            ui.label(one.dataset).classes("strong")
            ui.element("span").classes("grow")
            ui.label(text("version {number}", number=one.version)).classes("muted")
        labels = Counter[str]()
        for tally in detail.tally:
            labels[tally.label] += tally.pictures
        classes = ", ".join(label_text(session, label) for label, _ in labels.most_common(_CLASSES))
        more = " …" if len(labels) > _CLASSES else ""
        ui.label(f"{text('{number} pictures', number=number(session, one.items))}: {classes}{more}")
        if one.note:
            ui.label(one.note).classes("note")
        ui.label(f"{one.author} · {moment(session, one.created_s)}").classes("muted")
