"""Two versions of a model, held against each other on the same pictures."""

from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from nicegui import ui

from sightline.console.figures import NOTHING, between, number, share
from sightline.console.frame import framed
from sightline.console.job_watch import JobWatch
from sightline.console.pages.models import href
from sightline.console.session import Session
from sightline.console.viewer import Viewer
from sightline.records import Verdict
from sightline.service.rights import Right
from sightline.service.routes.datasets import VersionRecord
from sightline.service.routes.jobs import JobOut, JobPage
from sightline.service.routes.models import ModelRecord

_MOST = 200  # jobs looked through for an earlier comparison
_PAGE = 12  # pictures that differ, at a time
_LINE = ""  # the pictures that they judged at the line


async def page(request: Request, name: str, a: int = 0, b: int = 0, job: str = "", shown: int = _PAGE) -> None:
    """
    Args:
        a, b: versions.
        job: the comparison; empty: the newest of these two, if there is one.
        shown: pictures on which they differ.
    """
    with framed(request, "/models") as session:
        versions = await session.api.get("/models", list[ModelRecord], name=name, limit=200)
        there = [one.version for one in versions]
        with ui.element("div").classes("headline"):
            ui.link(name, href(name, b if b in there else 0))
            ui.label(session.text("Compare")).classes("title").props("role=heading aria-level=1")
        if a not in there or b not in there or a == b:
            a, b = (there[1], there[0]) if len(there) > 1 else (0, 0)
        if not a:
            ui.label(session.text("There is one version only, so there is nothing to compare.")).classes("empty")
            return
        found = await _job(session, name, (a, b), job)
        await _choice(session, name, there, (a, b), str(found.params.get("dataset") or _LINE) if found else _LINE)
        if found is None:
            ui.label(session.text("Choose the pictures, and start.")).classes("empty")
        elif found.state != "done":
            with ui.element("div").classes("card"):
                JobWatch(session, "", lambda done: ui.navigate.to(_address(name, a, b, job=done.id))).watch(found)
        else:
            await _result(session, found, shown)


def _address(name: str, a: int, b: int, **query: str | int) -> str:
    return f"/models/{quote(name, safe='')}/compare?{urlencode({'a': a, 'b': b, **query})}"


async def _choice(session: Session, name: str, versions: list[int], pair: tuple[int, int], chosen: str) -> None:
    """
    Args:
        chosen: the pictures to begin with.
    """
    text, (a, b) = session.text, pair
    datasets = await session.api.get("/datasets", list[VersionRecord], limit=200)
    places = {_LINE: text("The last 200 pictures of the line")}
    places |= {f"{one.dataset}/{one.version}": f"{one.dataset} {one.version} ({one.items})" for one in datasets}
    with ui.element("div").classes("card"), ui.element("div").classes("filters"):
        first = ui.select(versions, label=text("Version"), value=a).props("outlined dense")
        second = ui.select(versions, label=text("With version"), value=b).props("outlined dense")
        first.on_value_change(lambda: ui.navigate.to(_address(name, first.value, second.value)))
        second.on_value_change(lambda: ui.navigate.to(_address(name, first.value, second.value)))
        known = chosen if chosen in places else _LINE
        data = ui.select(places, label=text("Pictures"), value=known).props("outlined dense").classes("wide-select")

        async def start() -> None:
            params = {"name": name, "first": a, "second": b, "dataset": data.value}
            begun = await session.api.change("POST", "/jobs", JobOut, {"kind": "compare", "params": params})
            ui.navigate.to(_address(name, a, b, job=begun.id))

        if Right.MANAGE in session.caller.rights:
            ui.button(text("Compare"), on_click=start).props("unelevated")


async def _job(session: Session, name: str, pair: tuple[int, int], job: str) -> JobOut | None:
    if job:
        return await session.api.get(f"/jobs/{quote(job, safe='')}", JobOut)
    found = await session.api.get("/jobs", JobPage, kind="compare", limit=_MOST)
    wanted = {"name": name, "first": pair[0], "second": pair[1]}
    alive = [one for one in found.jobs if one.state in ("done", "running", "waiting")]
    return next((one for one in alive if wanted.items() <= one.params.items()), None)


async def _result(session: Session, job: JobOut, shown: int) -> None:
    text, result = session.text, job.result or {}
    rows = await session.api.get(f"/jobs/{job.id}/files/{result['file']}", list[dict[str, Any]])
    differ = [row for row in rows if row["verdicts"][0] != row["verdicts"][1]]
    agreed = result["agreed"]
    with ui.element("div").classes("tiles"):
        interval = between(session, agreed["low"], agreed["high"])
        _tile(text("They agree"), share(session, agreed["value"]), interval)
        _tile(text("They differ"), str(len(differ)), text("of {parts} pictures", parts=result["pictures"]))
        if "auroc" in result:
            _difference(session, text("AUROC"), result["auroc"])
        for name, key in (("Escapes", "escape"), ("Overkill", "overkill")):
            if key in result:
                _difference(session, text(name), result[key])
    if not result["labelled"]:
        ui.label(
            text("Nobody has said yet what these pictures show, so it is not known which of the two is right.")
        ).classes("muted")
    with ui.element("div").classes("card scroll"):
        _table(session, result)
    _differing(session, job, differ, shown)


def _difference(session: Session, name: str, found: dict[str, Any]) -> None:
    """A figure of both, and of the second less the first with its interval."""
    text, gap = session.text, found["difference"]
    first, second = (share(session, found[which]["value"]) for which in ("first", "second"))
    sign = "+" if gap["value"] > 0 else ""
    clear = gap["low"] > 0 or gap["high"] < 0
    told = text("a clear difference") if clear else text("no difference shown")
    points = f"{number(session, 100 * gap['low'], 1)} {NOTHING} {number(session, 100 * gap['high'], 1)}"
    value = f"{sign}{number(session, 100 * gap['value'], 1)}"
    _tile(f"{name}: {first} → {second}", f"{value} {text('points')}", f"95 %: {points}; {told}")


def _tile(name: str, value: str, detail: str) -> None:
    with ui.element("div").classes("tile"):
        ui.label(name).classes("name")
        ui.label(value).classes("value")
        ui.label(detail).classes("detail")


def _table(session: Session, result: dict[str, Any]) -> None:
    """Pictures by what the one and the other say."""
    text, table = session.text, result["agreement"]
    used = [v for v in Verdict if table.get(v) or any(v in row for row in table.values())]
    with ui.element("table").classes("table agreement"):
        with ui.element("thead"), ui.element("tr"):
            with ui.element("th").props("scope=col"):
                ui.label(f"{text('Version')} {result['first']} ↓ / {result['second']} →")
            for verdict in used:
                with ui.element("th").props("scope=col").classes("number"):
                    ui.label(text(verdict))
        with ui.element("tbody"):
            for one in used:
                with ui.element("tr"):
                    with ui.element("th").props("scope=row"):
                        ui.label(text(one))
                    for other in used:
                        with ui.element("td").classes("number same" if one == other else "number"):
                            ui.label(str(table.get(one, {}).get(other, 0)))


def _differing(session: Session, job: JobOut, differ: list[dict[str, Any]], shown: int) -> None:
    text, result = session.text, job.result or {}
    if not differ:
        return
    ui.label(text("Where they differ")).classes("section").props("role=heading aria-level=2")
    for row in differ[:shown]:
        with ui.element("div").classes("card pair"):
            with ui.element("div").classes("headline"):
                ui.label(row["label"] or text("not decided")).classes("strong")
                ui.element("span").classes("grow")
                look = partial(_look_into, session, row["picture"], result["name"])
                ui.button(text("Look into it"), icon="zoom_in", on_click=look).props("flat dense no-caps")
            with ui.element("div").classes("sides"):
                for which, version in enumerate((result["first"], result["second"])):
                    _side(session, job, row, which, version)
    if len(differ) > shown:
        a, b, name = result["first"], result["second"], result["name"]
        ui.link(text("More"), _address(name, a, b, job=job.id, shown=shown + _PAGE))


def _look_into(session: Session, picture: str, model: str) -> None:
    """The picture to its pixels, with the map of the version in use on demand."""
    with ui.dialog().props("maximized") as dialog, ui.card().classes("looked-into"):
        with ui.element("div").classes("actions end"):
            ui.button(session.text("Close"), icon="close", on_click=dialog.close).props("flat no-caps")
        Viewer(picture, model=model, name=session.text("The picture"))
    dialog.on_value_change(lambda event: None if event.value else dialog.delete())
    dialog.open()


def _side(session: Session, job: JobOut, row: dict[str, Any], which: int, version: int) -> None:
    text, verdict = session.text, row["verdicts"][which]
    drawn = (row.get("drawn") or ["", ""])[which]
    source = f"/api/v1/jobs/{job.id}/files/{drawn}" if drawn else f"/api/v1/pictures/{row['picture']}?size=medium"
    told = text("What version {version} sees", version=version)
    with ui.element("figure"):
        ui.element("img").props(f'src="{source}" loading=lazy alt="{told}"')
        with ui.element("figcaption").classes("actions"):
            ui.label(f"{text('Version')} {version}")
            ui.label(text(verdict)).classes(f"verdict {verdict.lower()}")
            ui.label(number(session, row["scores"][which], 3)).classes("muted")
