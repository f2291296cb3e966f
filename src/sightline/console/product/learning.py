"""Training a new product's model, and looking at the pictures that it finds the most unusual."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import numpy as np
from nicegui import ui

from sightline.console.figures import number
from sightline.console.job_watch import JobWatch
from sightline.console.product.draft import ENOUGH, LEAST, Draft, Step
from sightline.console.score_chart import ScoreChart
from sightline.console.session import Session
from sightline.console.threshold_figures import Scores
from sightline.service.routes.datasets import VersionRecord
from sightline.service.routes.jobs import JobOut
from sightline.service.routes.thresholds import ScoresRecord

_SHOWN = 8  # of the most unusual


async def train_step(session: Session, draft: Draft) -> None:
    """Start it, watch it, and go on by itself."""
    text, job = session.text, draft.job
    alive = job is not None and job.state in ("waiting", "running")
    if draft.good < LEAST and not alive:
        ui.label(text("At least {least} are needed.", least=LEAST)).classes("empty")
        return
    ui.label(
        text("It learns from {good} good pictures what good parts look like.", good=draft.good)
        + " "
        + text("That takes a few minutes. You may leave this page; the work goes on.")
    ).classes("lead")
    if draft.good < ENOUGH:
        ui.label(text("With fewer than {enough} pictures the limit is less sure.", enough=ENOUGH)).classes("muted")
    done = job is not None and job.state == "done" and job.params.get("dataset") == draft.dataset
    with ui.element("div").classes("card"):
        if job is not None and alive:
            JobWatch(session, "", lambda _: ui.navigate.to(draft.address(Step.LOOK))).watch(job)
            return
        if done:
            ui.label(text("It has learned from these pictures already."))
        elif job is not None and job.state == "failed":
            ui.label(job.message).classes("told").props("role=alert")
        with ui.element("div").classes("actions"):
            again = ui.button(text("Train again") if done else text("Train"), on_click=lambda: begin(session, draft))
            again.props("outline" if done else "unelevated")
            if done:
                ui.button(text("Next"), on_click=lambda: ui.navigate.to(draft.address(Step.LOOK))).props("unelevated")


async def begin(session: Session, draft: Draft) -> None:
    """Train on what is collected now."""
    params = {"dataset": draft.dataset, "name": draft.name}
    await session.api.change("POST", "/jobs", JobOut, {"kind": "train", "params": params})
    ui.navigate.to(f"/new-product?name={draft.name}&step={Step.TRAIN.value}")


async def look_step(session: Session, draft: Draft) -> None:
    """The scores of the good pictures, and the most unusual of them, which may be left out."""
    text, model = session.text, draft.model
    assert model is not None, "the step takes one"
    path = f"/models/{quote(draft.name, safe='')}/versions/{model.version}/scores"
    scores = await session.api.get(path, ScoresRecord)
    good = Scores(good=np.array(scores.calibration), defects={})
    ui.label(
        text("Each good picture has a score: how unusual it is. Those far to the right are odd. Are they really good?")
    ).classes("lead")
    with ui.element("div").classes("card"):
        chart = ScoreChart(
            good, named=text("Scores of the good pictures"), good=text("Good pictures"), bad=text("Bad parts")
        )
        chart.mark("now", scores.reject, text("limit"))
    result = (draft.job.result or {}) if draft.job and draft.job.state == "done" else {}
    highest: Sequence[dict[str, Any]] = result.get("highest", [])[:_SHOWN]
    boxes = _pictures(session, highest)
    _next(session, draft, boxes)


def _pictures(session: Session, highest: Sequence[dict[str, Any]]) -> dict[str, ui.checkbox]:
    text = session.text
    boxes: dict[str, ui.checkbox] = {}
    with ui.element("div").classes("gallery"):
        for one in highest:
            digest = PurePath(str(one["image"])).stem
            with ui.element("div").classes("part"):
                picture = ui.element("img").props("loading=lazy")
                picture.props["src"] = f"/api/v1/pictures/{digest}?size=thumb"
                picture.props["alt"] = text(
                    "Good picture with the score {score}", score=number(session, one["score"], 2)
                )
                with ui.element("div").classes("below"):
                    ui.label(number(session, one["score"], 2)).classes("muted")
                    boxes[digest] = ui.checkbox(text("Leave out"))
    return boxes


def _next(session: Session, draft: Draft, boxes: dict[str, ui.checkbox]) -> None:
    text = session.text

    async def again() -> None:
        remove = [digest for digest, box in boxes.items() if box.value]
        body = {"product": draft.name, "remove": remove}
        path = f"/datasets/{quote(draft.name, safe='')}/versions/from-newest"
        made = await session.api.change("POST", path, VersionRecord, body)
        params = {"dataset": f"{draft.name}/{made.version}", "name": draft.name}
        await session.api.change("POST", "/jobs", JobOut, {"kind": "train", "params": params})
        ui.navigate.to(f"/new-product?name={draft.name}&step={Step.TRAIN.value}")

    with ui.element("div").classes("actions"):
        ui.button(text("They are all good"), on_click=lambda: ui.navigate.to(draft.address(Step.LIMIT))).props(
            "unelevated"
        )
        anew = ui.button(text("Leave out and train again"), on_click=again).props("outline")
        anew.set_visibility(False)

    def changed() -> None:
        anew.set_visibility(any(box.value for box in boxes.values()))

    for box in boxes.values():
        box.on_value_change(changed)
