"""Two models, or two versions of one, held against each other on the same pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from sightline.console.figures import NOTHING, between, number, share
from sightline.console.frame import framed
from sightline.console.job_watch import JobWatch
from sightline.console.model_file import products_of
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Which two, as the address says."""

    name: str
    a: int  # version
    b: int
    other: str  # name of the second; empty: that of the first
    product: str  # whose bank judges; empty: there is one bank

    @property
    def names(self) -> tuple[str, str]:
        """Of both."""
        return self.name, self.other or self.name

    @property
    def params(self) -> dict[str, str | int]:
        """As the job takes them, less the pictures."""
        found: dict[str, str | int] = {"name": self.name, "first": self.a, "second": self.b, "other": self.other}
        return found | ({"product": self.product} if self.product else {})

    def address(self, **query: str | int) -> str:
        """Of the page that compares them."""
        asked = {"a": self.a, "b": self.b, "other": self.other, "product": self.product, **query}
        kept = {name: value for name, value in asked.items() if value != ""}
        return f"/models/{quote(self.name, safe='')}/compare?{urlencode(kept)}"


async def page(
    request: Request,
    name: str,
    a: int = 0,
    b: int = 0,
    other: str = "",
    product: str = "",
    job: str = "",
    shown: int = _PAGE,
) -> None:
    """
    Args:
        a, b: versions.
        other: name of the second model; empty: that of the first.
        product: whose bank judges, where a model has one for each.
        job: the comparison; empty: the newest of these two, if there is one.
        shown: pictures on which they differ.
    """
    with framed(request, "/models") as session:
        known = await session.api.get("/models", list[ModelRecord], limit=200)
        versions: dict[str, list[int]] = {}
        for one in known:
            versions.setdefault(one.name, []).append(one.version)
        with ui.element("div").classes("headline"):
            ui.link(name, href(name, b if b in versions.get(name, ()) and not other else 0))
            ui.label(session.text("Compare")).classes("title").props("role=heading aria-level=1")
        pair = paired(Compared(name=name, a=a, b=b, other=other, product=product), versions)
        if pair is None:
            ui.label(session.text("There is one version only, so there is nothing to compare.")).classes("empty")
            return
        products = await _products(session, pair)
        pair = replace(pair, product=pair.product if pair.product in products else next(iter(products), ""))
        found = await _job(session, pair, job)
        await _choice(session, pair, versions, products, str(found.params.get("dataset") or _LINE) if found else _LINE)
        if found is None:
            ui.label(session.text("Choose the pictures, and start.")).classes("empty")
        elif found.state != "done":
            with ui.element("div").classes("card"):
                JobWatch(session, "", lambda done: ui.navigate.to(pair.address(job=done.id))).watch(found)
        else:
            await _result(session, pair, found, shown)


def paired(asked: Compared, versions: dict[str, list[int]]) -> Compared | None:
    """What was asked for, put right where there is no such version; None: there is nothing to compare with."""
    first = versions.get(asked.name, [])
    other = asked.other if asked.other in versions and asked.other != asked.name else ""
    second = versions[other] if other else first
    if not first or (not other and len(first) < 2):
        alone = next((name for name in versions if name != asked.name), "")
        if not first or not alone:
            return None
        other, second = alone, versions[alone]
    if other:
        a = asked.a if asked.a in first else first[0]
        return replace(asked, a=a, b=asked.b if asked.b in second else second[0], other=other)
    if asked.a in first and asked.b in first and asked.a != asked.b:
        return replace(asked, other="")
    return replace(asked, a=first[1], b=first[0], other="")


async def _products(session: Session, pair: Compared) -> tuple[str, ...]:
    """Products by whose bank both can judge; empty: neither has several."""
    asked = zip(pair.names, (pair.a, pair.b), strict=True)
    several = [found for name, version in asked if (found := await products_of(session, name, version))]
    return tuple(one for one in several[0] if all(one in found for found in several)) if several else ()


async def _choice(
    session: Session, pair: Compared, versions: dict[str, list[int]], products: Sequence[str], chosen: str
) -> None:
    """
    Args:
        versions: of each name.
        chosen: the pictures to begin with.
    """
    text, (_, second) = session.text, pair.names
    datasets = await session.api.get("/datasets", list[VersionRecord], limit=200)
    places = {_LINE: text("The last 200 pictures of the line")}
    places |= {f"{one.dataset}/{one.version}": f"{one.dataset} {one.version} ({one.items})" for one in datasets}

    def chooser(options: Sequence[str | int], label: str, value: str | int, field: str) -> None:
        def go(event: ValueChangeEventArguments[Any]) -> None:
            given: Any = "" if (field, event.value) == ("other", pair.name) else event.value
            ui.navigate.to(replace(pair, **{field: given}).address())

        ui.select(list(options), label=label, value=value, on_change=go).props("outlined dense options-dense")

    with ui.element("div").classes("card"), ui.element("div").classes("filters"):
        chooser(versions[pair.name], text("Version"), pair.a, "a")
        chooser(sorted(versions), text("With model"), second, "other")
        chooser(versions[second], text("With version"), pair.b, "b")
        if products:
            chooser(products, text("Product"), pair.product, "product")
        known = chosen if chosen in places else _LINE
        data = ui.select(places, label=text("Pictures"), value=known).props("outlined dense").classes("wide-select")

        async def start() -> None:
            params = pair.params | {"dataset": data.value}
            begun = await session.api.change("POST", "/jobs", JobOut, {"kind": "compare", "params": params})
            ui.navigate.to(pair.address(job=begun.id))

        if Right.MANAGE in session.caller.rights:
            ui.button(text("Compare"), on_click=start).props("unelevated")


async def _job(session: Session, pair: Compared, job: str) -> JobOut | None:
    if job:
        return await session.api.get(f"/jobs/{quote(job, safe='')}", JobOut)
    found = await session.api.get("/jobs", JobPage, kind="compare", limit=_MOST)
    alive = [one for one in found.jobs if one.state in ("done", "running", "waiting")]
    usual = {"other": "", "product": None}  # comparisons that were made before there were these
    wanted = usual | pair.params
    return next((one for one in alive if wanted.items() <= (usual | one.params).items()), None)


async def _result(session: Session, pair: Compared, job: JobOut, shown: int) -> None:
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
        _table(session, pair, result)
    _differing(session, pair, job, differ, shown)


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


def _table(session: Session, pair: Compared, result: dict[str, Any]) -> None:
    """Pictures by what the one and the other say."""
    text, table = session.text, result["agreement"]
    used = [v for v in Verdict if table.get(v) or any(v in row for row in table.values())]
    with ui.element("table").classes("table agreement"):
        with ui.element("thead"), ui.element("tr"):
            with ui.element("th").props("scope=col"):
                ui.label("{} ↓ / {} →".format(*_called(session, pair)))
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


def _differing(session: Session, pair: Compared, job: JobOut, differ: list[dict[str, Any]], shown: int) -> None:
    text = session.text
    if not differ:
        return
    ui.label(text("Where they differ")).classes("section").props("role=heading aria-level=2")
    for row in differ[:shown]:
        with ui.element("div").classes("card pair"):
            with ui.element("div").classes("headline"):
                ui.label(row["label"] or text("not decided")).classes("strong")
                ui.element("span").classes("grow")
                look = partial(_look_into, session, row["picture"], pair)
                ui.button(text("Look into it"), icon="zoom_in", on_click=look).props("flat dense no-caps")
            with ui.element("div").classes("sides"):
                for which, called in enumerate(_called(session, pair)):
                    _side(session, job, row, which, called)
    if len(differ) > shown:
        ui.link(text("More"), pair.address(job=job.id, shown=shown + _PAGE))


def _called(session: Session, pair: Compared) -> tuple[str, str]:
    """Both, as they are told apart: by their versions, or by their names as well."""
    if not pair.other:
        return f"{session.text('Version')} {pair.a}", f"{session.text('Version')} {pair.b}"
    return f"{pair.name} {pair.a}", f"{pair.other} {pair.b}"


def _look_into(session: Session, picture: str, pair: Compared) -> None:
    """The picture to its pixels, with the map of the version in use on demand."""
    with ui.dialog().props("maximized") as dialog, ui.card().classes("looked-into"):
        with ui.element("div").classes("actions end"):
            ui.button(session.text("Close"), icon="close", on_click=dialog.close).props("flat no-caps")
        Viewer(picture, model=pair.name, product=pair.product, name=session.text("The picture"))
    dialog.on_value_change(lambda event: None if event.value else dialog.delete())
    dialog.open()


def _side(session: Session, job: JobOut, row: dict[str, Any], which: int, called: str) -> None:
    text, verdict = session.text, row["verdicts"][which]
    drawn = (row.get("drawn") or ["", ""])[which]
    source = f"/api/v1/jobs/{job.id}/files/{drawn}" if drawn else f"/api/v1/pictures/{row['picture']}?size=medium"
    told = text("What {model} sees", model=called)
    with ui.element("figure"):
        ui.element("img").props(f'src="{source}" loading=lazy alt="{told}"')
        with ui.element("figcaption").classes("actions"):
            ui.label(called)
            ui.label(text(verdict)).classes(f"verdict {verdict.lower()}")
            ui.label(number(session, row["scores"][which], 3)).classes("muted")
