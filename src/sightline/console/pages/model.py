"""One version of a model: its report, its threshold, and whether it judges."""

from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from sightline.console.figures import NOTHING, between, moment, number, share
from sightline.console.frame import framed
from sightline.console.job_watch import JobWatch
from sightline.console.model_file import ModelFile, model_file
from sightline.console.pages.models import href, status_badge
from sightline.console.session import Session
from sightline.console.signing import ask_reason
from sightline.console.threshold_figures import Prices, Scores, scores_of
from sightline.console.threshold_panel import ThresholdPanel
from sightline.service.rights import Right
from sightline.service.routes.datasets import VersionRecord
from sightline.service.routes.jobs import JobOut
from sightline.service.routes.models import ModelRecord
from sightline.service.routes.thresholds import NewThreshold, ScoresRecord

_PRICES = Prices(escape=50.0, overkill=1.0, defect_share=0.01)  # those of `sightline calibrate` and of evaluations
_SHOWN = 12  # versions


async def page(
    request: Request, name: str, version: int = 0, scores: str = "", job: str = "", product: str = ""
) -> None:
    """
    Args:
        version: 0: the current one, or where there is none the newest.
        scores: that the threshold is moved over: calibration, reviewed, or the id of an evaluation.
        job: an evaluation that was started here.
        product: whose bank is looked at, of a model that has one for each.
    """
    with framed(request, "/models") as session:
        file = await model_file(session, name, version, scores, product)
        if file is None:
            ui.label(session.text("There is no model of this name.")).classes("empty").props("role=alert")
            return
        _headline(session, file)
        _products(session, file)
        _tiles(session, file)
        if file.refused:
            ui.label(file.refused).classes("card")
        else:
            _threshold(session, file)
        with ui.element("div").classes("split"):
            with ui.element("div").classes("column"):
                _classes(session, file)
                await _evaluate(session, file, job)
                _shadows(session, file)
            with ui.element("div").classes("column"):
                _facts(session, file)
                _history(session, file)


def _headline(session: Session, file: ModelFile) -> None:
    text, model = session.text, file.model
    with ui.element("div").classes("headline"):
        ui.link(text("Models"), "/models")
        ui.label(f"{model.name} {model.version}").classes("title").props("role=heading aria-level=1")
        status_badge(session, model.status)
        ui.element("span").classes("grow")
        _actions(session, file)
    with ui.element("nav").classes("actions versions").props(f'aria-label="{text("Versions")}"'):
        for other in file.versions[:_SHOWN]:
            link = ui.link(str(other.version), href(other.name, other.version)).classes(other.status)
            link.props(f'aria-label="{text("Version")} {other.version}"')
            if other.version == model.version:
                link.props("aria-current=page")


def _products(session: Session, file: ModelFile) -> None:
    """Of which product's bank the threshold and evaluations are."""
    if file.products:
        here = partial(href, file.model.name, file.model.version)
        ui.select(
            list(file.products),
            label=session.text("Product"),
            value=file.product,
            on_change=lambda event: ui.navigate.to(here(product=event.value)),
        ).props("outlined dense").classes("narrow-field")


def _actions(session: Session, file: ModelFile) -> None:
    text, model, may = session.text, file.model, Right.MANAGE in session.caller.rights
    others = [one.version for one in file.versions if one.version != model.version]
    against = file.current if file.current in others else next(iter(others), 0)
    place = f"/models/{quote(model.name, safe='')}/compare" + (f"?a={against}&b={model.version}" if others else "")
    ui.button(text("Compare"), on_click=lambda: ui.navigate.to(place)).props("flat")
    if not may:
        return
    ui.button(text("Download"), on_click=lambda: ui.navigate.to(_file_of(model))).props("flat")
    if model.status == "current":
        if any(one.before is not None for one in file.history):
            ui.button(text("Roll back"), on_click=lambda: _roll_back(session, model)).props("outline")
        return
    if model.status != "withdrawn":
        ui.button(text("Withdraw"), on_click=lambda: _withdraw(session, model)).props("flat")
        ui.button(text("Promote"), on_click=lambda: _promote(session, model)).props("unelevated")


def _file_of(model: ModelRecord) -> str:
    return f"/api/v1/models/{quote(model.name, safe='')}/versions/{model.version}/file"


async def _promote(session: Session, model: ModelRecord) -> None:
    text = session.text
    title = text("Promote {model}?", model=f"{model.name} {model.version}")
    told = text("All who use this name are judged by it from now on. You can roll back at any time.")
    await _change(session, f"/models/{model.name}/versions/{model.version}/promote", title, text("Promote"), told)


async def _roll_back(session: Session, model: ModelRecord) -> None:
    text = session.text
    told = text("The version that was current before judges again.")
    await _change(session, f"/models/{model.name}/roll-back", text("Roll back?"), text("Roll back"), told)


async def _withdraw(session: Session, model: ModelRecord) -> None:
    text = session.text
    title = text("Withdraw {model}?", model=f"{model.name} {model.version}")
    told = text("It can never be promoted again. Its file stays.")
    await _change(session, f"/models/{model.name}/versions/{model.version}/withdraw", title, text("Withdraw"), told)


async def _change(session: Session, path: str, title: str, action: str, told: str) -> None:
    signed = await ask_reason(session, title, action, told=told)
    if signed is not None:
        now = await session.api.change("POST", path, ModelRecord, {"reason": signed.reason}, headers=signed.headers)
        ui.navigate.to(href(now.name, now.version))


def _tiles(session: Session, file: ModelFile) -> None:
    text, figures = session.text, file.model.figures
    shown = (("AUROC", "auroc"), ("Escapes", "escape"), ("Overkill", "overkill"))
    with ui.element("div").classes("tiles"):
        for name, key in shown:
            detail = between(session, figures.get(f"{key}_low"), figures.get(f"{key}_high"))
            _tile(text(name), share(session, figures.get(key)), detail or text("not evaluated"))
        latency = figures.get("latency_ms")
        _tile(
            text("Latency"), f"{number(session, latency)} ms" if latency else NOTHING, text("for one picture, one core")
        )
        images = file.manifest.get("provenance", {}).get("images")
        _tile(text("Learned from"), number(session, images), text("training pictures"))
        _tile(text("Size"), f"{number(session, file.model.size_bytes / 1e6, 1)} MB", file.model.method)


def _tile(name: str, value: str, detail: str) -> None:
    with ui.element("div").classes("tile"):
        ui.label(name).classes("name")
        ui.label(value).classes("value")
        ui.label(detail).classes("detail")


def _threshold(session: Session, file: ModelFile) -> None:
    text = session.text
    found = file.scores
    assert found is not None, "a model that refuses has said why"
    prices = _PRICES
    if found.price_escape is not None and found.price_overkill is not None:
        prices = Prices(escape=found.price_escape, overkill=found.price_overkill, defect_share=_PRICES.defect_share)
    with ui.element("section").classes("card").props("aria-labelledby=threshold-title"):
        with ui.element("div").classes("headline"):
            ui.label(text("Threshold")).classes("section").props("role=heading aria-level=2 id=threshold-title")
            ui.element("span").classes("grow")
            ui.select(
                {key: _source_name(session, file, key) for key in file.sources},
                label=text("Scores of"),
                value=file.source,
                on_change=lambda event: ui.navigate.to(_here(file, scores=event.value)),
            ).props("outlined dense").classes("wide-select")
        if file.source == "reviewed":
            ui.label(
                text("People look at doubtful parts more often than at others, so overkill is overstated here.")
            ).classes("muted")
        panel = ThresholdPanel(
            session, _scores(file), now=found.reject, review=found.review, prices=prices, currency=found.currency
        )
        _band(session, found)
        if Right.MANAGE in session.caller.rights:
            with ui.element("div").classes("actions"):
                ui.button(text("Use this threshold"), on_click=lambda: _use(session, file, panel)).props("unelevated")
                ui.label(text("It becomes a new version; this one stays as it is.")).classes("muted")


def _band(session: Session, found: ScoresRecord) -> None:
    """From where on people decide, which the panel leaves as it is."""
    if found.review is None:
        return
    told = session.text(
        "Parts from {review} up to the threshold go to a person, and count as passed here. It stays so with another"
        " threshold, as far as that is above.",
        review=number(session, found.review, 3),
    )
    ui.label(told).classes("muted")


def _here(file: ModelFile, **query: str) -> str:
    """The address of this version, and of its product that is looked at."""
    asked = ({"product": file.product} if file.product else {}) | query
    return href(file.model.name, file.model.version, **asked)


def _scores(file: ModelFile) -> Scores:
    return scores_of(file.rows)


def _source_name(session: Session, file: ModelFile, key: str) -> str:
    text, (good, bad) = session.text, file.sources[key]
    counts = text("{good} good, {bad} bad", good=good, bad=bad)
    if key == "calibration":
        return f"{text('Good training pictures')} ({counts})"
    if key == "reviewed":
        return f"{text('Reviewed parts of the line')} ({counts})"
    job = next(one for one in file.evaluations if one.id == key)
    return f"{text('Evaluation')} {_data_of(job)}, {moment(session, job.ended_s)} ({counts})"


async def _use(session: Session, file: ModelFile, panel: ThresholdPanel) -> None:
    text, model = session.text, file.model
    title = text("Make a version with the threshold {value}?", value=number(session, panel.value, 3))
    told = text("It is a candidate: nothing is judged by it until it is promoted.")
    signed = await ask_reason(session, title, text("Make it"), told=told)
    if signed is None:
        return
    made = await session.api.change(
        "POST",
        f"/models/{model.name}/versions/{model.version}/thresholds",
        ModelRecord,
        NewThreshold(reject=panel.value, product=file.product, reason=signed.reason),
        headers=signed.headers,
    )
    ui.navigate.to(href(made.name, made.version))


def _classes(session: Session, file: ModelFile) -> None:
    """How many of each kind of defect the newest evaluation found."""
    text = session.text
    job = file.evaluations[0] if file.evaluations else None
    recalls: dict[str, Any] = (job.result or {}).get("recall_by_type", {}) if job else {}
    with ui.element("section").classes("card"):
        ui.label(text("Found of each kind")).classes("section").props("role=heading aria-level=2")
        if job is None or not recalls:
            ui.label(text("Not known yet. Evaluate it on a data set with defects.")).classes("muted")
            if job is not None:
                _report(session, job)
            return
        with ui.element("table").classes("table"):
            with ui.element("thead"), ui.element("tr"):
                for head, kind in (
                    ("Defect", ""),
                    ("Found", "number"),
                    ("Share", "number"),
                    ("95 % interval", "number"),
                ):
                    with ui.element("th").props("scope=col").classes(kind):
                        ui.label(text(head))
            with ui.element("tbody"):
                for label, found in recalls.items():
                    _class_row(session, label, found)
        ui.label(f"{_data_of(job)}, {moment(session, job.ended_s)}").classes("muted small")
        _report(session, job)


def _report(session: Session, job: JobOut) -> None:
    """A link to the page that the evaluation left."""
    if page := (job.result or {}).get("page"):
        link = ui.link(session.text("Report of the evaluation"), f"/api/v1/jobs/{job.id}/files/{quote(page, safe='')}")
        link.props("download")


def _class_row(session: Session, label: str, found: dict[str, Any]) -> None:
    shown = (
        f"{found['count']} / {found['total']}",
        share(session, found["value"]),
        between(session, found["low"], found["high"]),
    )
    with ui.element("tr"):
        with ui.element("td"):
            ui.label(label)
        for value in shown:
            with ui.element("td").classes("number"):
                ui.label(value)


async def _evaluate(session: Session, file: ModelFile, job_id: str) -> None:
    text, model = session.text, file.model
    if Right.MANAGE not in session.caller.rights:
        return
    datasets = await session.api.get("/datasets", list[VersionRecord], limit=200)
    with ui.element("section").classes("card"):
        ui.label(text("Evaluate")).classes("section").props("role=heading aria-level=2")
        if not datasets:
            ui.label(text("It takes a data set with labelled pictures; bring one under Data.")).classes("muted")
            return
        with ui.element("div").classes("actions"):
            names = {f"{one.dataset}/{one.version}": f"{one.dataset} {one.version} ({one.items})" for one in datasets}
            chosen = ui.select(names, label=text("Data set"), value=next(iter(names))).props("outlined dense")

            async def start() -> None:
                params = {"model": f"{model.name}/{model.version}", "dataset": chosen.value}
                params |= {"product": file.product} if file.product else {}
                begun = await session.api.change("POST", "/jobs", JobOut, {"kind": "validate", "params": params})
                ui.navigate.to(_here(file, job=begun.id))

            ui.button(text("Evaluate"), on_click=start).props("outline")
        if job_id:
            job = await session.api.get(f"/jobs/{quote(job_id, safe='')}", JobOut)
            if job.state != "done":
                JobWatch(session, "", lambda done: ui.navigate.to(_here(file, scores=done.id))).watch(job)


def _shadows(session: Session, file: ModelFile) -> None:
    text = session.text
    if not file.shadows:
        return
    with ui.element("section").classes("card"):
        ui.label(text("In shadow, the last week")).classes("section").props("role=heading aria-level=2")
        for one in file.shadows:
            both = one.agreed + one.disagreed
            agreed = share(session, one.agreed / both if both else None)
            ui.label(
                text("{station}: agreed on {share} of {parts} parts", station=one.station, share=agreed, parts=both)
            )
            for decided, said in one.verdicts.items():
                for verdict, count in said.items():
                    if verdict != decided and count:
                        told = text(
                            "{count} times {first} became {second}",
                            count=count,
                            first=text(decided),
                            second=text(verdict),
                        )
                        ui.label(told).classes("muted")


def _facts(session: Session, file: ModelFile) -> None:
    text, model, manifest = session.text, file.model, file.manifest
    thresholds, provenance = manifest.get("thresholds", {}), manifest.get("provenance", {})
    size = manifest.get("working_size") or [0, 0]
    facts = {
        "Rule": thresholds.get("rule"),
        "Promise": thresholds.get("promise"),
        "Calibration": manifest.get("calibration", {}).get("source"),
        "Data set": provenance.get("dataset"),
        "Working size": f"{size[1]} x {size[0]} px",
        "Model id": model.model_id,
        "Note": model.note,
        "Made": f"{moment(session, model.created_s)}, {model.author}",
    }
    with ui.element("section").classes("card"):
        ui.label(text("Report")).classes("section").props("role=heading aria-level=2")
        with ui.element("dl").classes("facts"):
            for name, value in facts.items():
                if value:
                    with ui.element("dt"):
                        ui.label(text(name))
                    with ui.element("dd"):
                        ui.label(str(value))


def _history(session: Session, file: ModelFile) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        ui.label(text("History")).classes("section").props("role=heading aria-level=2")
        if not file.history:
            ui.label(text("No version was promoted yet.")).classes("muted")
        for one in file.history[:20]:
            with ui.element("div"):
                ui.label(text("Version {version} became current", version=one.version)).classes("strong")
                ui.label(f"{moment(session, one.at_s)}, {one.by}: {one.reason}").classes("muted")


def _data_of(job: JobOut) -> str:
    return str(job.params.get("dataset") or job.params.get("data") or "")
