"""A new agreement study: parts are drawn or named, and somebody who knows says what each truly is."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request
from nicegui import ui

from sightline.console.charts import heading
from sightline.console.frame import framed
from sightline.console.session import Session
from sightline.console.telling import done
from sightline.service.routes.inspections import Inspection, Inspections, Names
from sightline.service.routes.reviews import ReviewsRecord
from sightline.service.routes.studies import StudyShown

HERE = "/studies/new"
_DRAWN_FROM = 500  # newest parts of each verdict
_MOST = 200  # parts of a study made here; the API takes more
_AT_ONCE = 8  # questions about reviews


@dataclass(slots=True, kw_only=True)
class _Draft:
    """What was chosen so far."""

    parts: dict[str, Inspection] = field(default_factory=dict)
    truth: dict[str, str] = field(default_factory=dict)  # id -> good or bad; those without are left out


async def page(request: Request) -> None:
    """The form, and the parts that were drawn."""
    with framed(request, "/studies") as session:
        text, draft = session.text, _Draft()
        names = await session.api.get("/inspections/names", Names)
        ui.html(f"<h1>{text('New study')}</h1>", sanitize=False)
        with ui.element("section").classes("card"):
            heading(
                session,
                text("Parts"),
                text(
                    "Some thirty parts or more, a third to a half of them bad, and among them doubtful ones: clear"
                    " cases flatter everybody. To show a miss rate of at most 2 % takes 149 decisions on bad parts"
                    " without a miss."
                ),
            )
            with ui.element("div").classes("filters"):
                product = ui.select(names.products, label=text("Product"), value=next(iter(names.products), None))
                bad = ui.number(text("Rejects"), value=10, min=0, max=100, step=1, format="%d")
                good = ui.number(text("Passes"), value=20, min=0, max=100, step=1, format="%d")
                for one in (product, bad, good):
                    one.props("outlined dense options-dense")

                async def draw() -> None:
                    wanted = {"REJECT": int(bad.value or 0), "PASS": int(good.value or 0)}
                    await _draw(session, draft, product.value or "", wanted)
                    _parts.refresh()

                ui.button(text("Draw at random"), icon="shuffle", on_click=draw).props("unelevated")
            with ui.element("div").classes("filters"):
                serial = ui.input(text("Serial number")).props("outlined dense maxlength=255")

                async def add() -> None:
                    await _add(session, draft, (serial.value or "").strip())
                    serial.value = ""
                    _parts.refresh()

                serial.on("keydown.enter", add)
                ui.button(text("Add this part"), on_click=add).props("flat")
        _parts(session, draft)
        _made(session, draft, lambda: product.value or "")


async def _draw(session: Session, draft: _Draft, product: str, wanted: dict[str, int]) -> None:
    """At random of the newest parts of each verdict; what was drawn before makes room."""
    draft.parts.clear()
    draft.truth.clear()
    for verdict, count in wanted.items():
        found = await session.api.get("/inspections", Inspections, verdict=verdict, product=product, limit=_DRAWN_FROM)
        usable = [one for one in found.items if _is_usable(one)]
        for one in secrets.SystemRandom().sample(usable, min(count, len(usable), _MOST // 2)):
            draft.parts[one.id] = one
    await _known(session, draft, list(draft.parts))


async def _add(session: Session, draft: _Draft, serial: str) -> None:
    if not serial:
        return
    found = await session.api.get("/inspections/history", list[Inspection], serial=serial, limit=1)
    usable = [one for one in found if _is_usable(one)]
    if not usable or len(draft.parts) >= _MOST:
        told = "There is no picture of a part with this serial number." if not usable else "There are enough parts."
        ui.notify(session.text(told), type="warning", position="top")
        return
    draft.parts[usable[0].id] = usable[0]
    await _known(session, draft, [usable[0].id])


def _is_usable(one: Inspection) -> bool:
    return bool(one.views) and all(view.picture for view in one.views)


async def _known(session: Session, draft: _Draft, ids: list[str]) -> None:
    """What people have said of these before is taken as their truth, until somebody says otherwise."""
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        said = await asyncio.gather(*(session.api.get(f"/inspections/{one}/reviews", ReviewsRecord) for one in some))
        for one, reviews in zip(some, said, strict=True):
            if reviews.outcome.state == "settled":
                draft.truth[one] = "good" if reviews.outcome.verdict == "PASS" else "bad"


@ui.refreshable
def _parts(session: Session, draft: _Draft) -> None:
    """Each part with the choice of what it is."""
    text = session.text
    if not draft.parts:
        ui.label(text("Draw parts at random, or add some by their serial number.")).classes("empty")
        return
    ui.label(text("Say of each part what it truly is; those without an answer are left out.")).classes("strong")
    with ui.element("div").classes("gallery study"):
        for one in draft.parts.values():
            name = one.serial or one.id[:8]
            with ui.element("div").classes("part").props("role=group") as part:
                part.props["aria-label"] = name
                for view in one.views:
                    picture = ui.element("img").props("loading=lazy")
                    picture.props["src"] = f"/api/v1/pictures/{view.picture}?size=thumb"
                    picture.props["alt"] = text("Part {serial}, view {view}", serial=name, view=view.view)
                with ui.element("div").classes("below"):
                    ui.label(name).classes("strong")
                    choice = ui.toggle(
                        {"good": text("Good"), "bad": text("Bad")}, value=draft.truth.get(one.id), clearable=True
                    )
                    choice.props("dense unelevated").on_value_change(
                        lambda event, id_=one.id: _say(draft, id_, event.value)
                    )


def _say(draft: _Draft, id_: str, truth: str | None) -> None:
    if truth is None:
        draft.truth.pop(id_, None)
    else:
        draft.truth[id_] = truth


def _made(session: Session, draft: _Draft, product: Callable[[], str]) -> None:
    text = session.text

    async def make() -> None:
        items = [
            {"bad": truth == "bad", "inspection": id_, "label": draft.parts[id_].label if truth == "bad" else ""}
            for id_, truth in draft.truth.items()
        ]
        if not items:
            ui.notify(text("Say of at least one part what it is."), type="warning", position="top")
            return
        given = {"name": name.value or "", "product": product(), "rounds": int(rounds.value or 2), "items": items}
        made = await session.api.change("POST", "/studies", StudyShown, given)
        done(text("The study is made."))
        ui.navigate.to(f"/studies/{made.id}")

    with ui.element("section").classes("card"), ui.element("div").classes("filters"):
        name = ui.input(text("Name of the study")).props("outlined dense maxlength=255")
        rounds = ui.number(text("Rounds"), value=2, min=1, max=10, step=1, format="%d").props("outlined dense")
        ui.button(text("Make the study"), on_click=make).props("unelevated")
