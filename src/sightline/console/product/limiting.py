"""Setting a new product's limit: by the share of good parts that may be rejected, or by what errors cost."""

from collections import OrderedDict
from collections.abc import Sequence
from urllib.parse import quote

import numpy as np
from nicegui import ui

from sightline.console.figures import number, share
from sightline.console.product.collecting import bad_ones, picker
from sightline.console.product.draft import DEFECT, Draft, Step, items_of
from sightline.console.score_chart import ScoreChart
from sightline.console.session import Refused, Session
from sightline.console.signing import ask_reason
from sightline.console.threshold_figures import Prices, Scores
from sightline.console.threshold_panel import ThresholdPanel
from sightline.evaluation.thresholds import for_overkill
from sightline.service.routes.accounts import Me
from sightline.service.routes.inspect import InspectionReply
from sightline.service.routes.models import ModelRecord
from sightline.service.routes.thresholds import NewThreshold, ScoresRecord

SHARES = {0.05: "1 in 20", 0.02: "1 in 50", 0.01: "1 in 100", 0.002: "1 in 500"}
_USUAL = 0.01
_MOST_BAD = 60  # pictures judged for the cost
_BY = ("share", "cost")
_REMEMBERED = 5000
_SAID: OrderedDict[tuple[str, str], float | None] = OrderedDict()  # scores by graph and picture, the oldest first


async def limit_step(session: Session, draft: Draft, by: str) -> None:
    """
    Args:
        by: share or cost.
    """
    text, model = session.text, draft.model
    assert model is not None, "the step takes one"
    path = f"/models/{quote(draft.name, safe='')}/versions/{model.version}"
    scores = await session.api.get(f"{path}/scores", ScoresRecord)
    ui.label(
        text("From which score on is a part rejected? A low limit finds more, and rejects more good parts.")
    ).classes("lead")
    with ui.element("nav").classes("actions tabs").props(f'aria-label="{text("By what")}"'):
        for one, name in zip(_BY, ("By the share of good parts", "By what errors cost"), strict=True):
            link = ui.link(text(name), draft.address(Step.LIMIT, by=one))
            if one == by or (one == "share" and by not in _BY):
                link.props("aria-current=page")
    if by == "cost":
        await _by_cost(session, draft, scores, path)
    else:
        _by_share(session, draft, scores)


def _by_share(session: Session, draft: Draft, scores: ScoresRecord) -> None:
    text = session.text
    good = np.array(scores.calibration)
    with ui.element("div").classes("card"):
        chart = ScoreChart(
            Scores(good=good, defects={}),
            named=text("Scores of the good pictures"),
            good=text("Good pictures"),
            bad=text("Bad parts"),
            limits=[for_overkill(good, one).value for one in SHARES],
        )
        names = {share: text(told) for share, told in SHARES.items()}
        ui.label(text("How many good parts may be rejected by mistake?")).classes("strong")
        chosen = ui.radio(names, value=_USUAL).props("inline").classes("shares")
        told = ui.label().classes("muted")

        def show() -> None:
            found = for_overkill(good, chosen.value)
            chart.mark("now", found.value, text("limit"))
            rate = found.guarantee.rate if found.guarantee else 0.0
            sure = text("The limit is {limit}.", limit=number(session, found.value, 3))
            if rate > chosen.value:
                sure += " " + text(
                    "With {good} pictures no more than {rate} can be promised; more pictures make it surer.",
                    good=good.size,
                    rate=share(session, rate),
                )
            told.set_text(sure)

        chosen.on_value_change(show)
        show()

    async def use() -> None:
        if for_overkill(good, chosen.value).value == scores.reject:  # it is set so already
            ui.navigate.to(draft.address(Step.TEST))
            return
        name = text(SHARES[chosen.value])
        reason = text("{share} good parts may be rejected", share=name)
        await _make(session, draft, NewThreshold(max_overkill=chosen.value, reason=reason))

    ui.button(text("Next"), on_click=use).props("unelevated")


async def _by_cost(session: Session, draft: Draft, scores: ScoresRecord, path: str) -> None:
    text = session.text
    with ui.element("div").classes("card drop") as place:
        place.props["data-collect"] = bad_ones(draft.name)
        ui.label(text("Drop some pictures of bad parts here, or choose them.")).classes("strong")
        ui.label(text("They are not learned from; they show which limit is the cheapest.")).classes("muted")
        with ui.element("div").classes("actions"):
            picker(text("Choose pictures"), "pick-bad", "multiple accept=image/*,.tif,.tiff,.bmp")
        told = ui.label().classes("told").props("role=alert")

    def collected(event: object) -> None:
        news = dict(event.args)  # type: ignore[attr-defined]
        if news["faults"]:
            told.set_text(" ".join(map(str, news["faults"][:5])))
        elif news["done"] == news["total"]:
            ui.navigate.to(draft.address(Step.LIMIT, by="cost"))

    ui.on("collected", collected)
    items = (await items_of(session, draft, DEFECT))[:_MOST_BAD]
    if not items:
        return
    with ui.element("div").classes("card") as board:
        progress = ui.label(text("Judging {count} pictures", count=len(items))).props("role=status")
        bar = ui.linear_progress(0.0, show_value=False).props(f'aria-label="{text("Progress")}"')

    async def judge() -> None:
        bad = list[float]()
        for place, item in enumerate(items, 1):
            if board.is_deleted:  # the page was closed
                return
            score = await _score(session, draft, item.picture, path)
            bad += [] if score is None else [score]
            bar.set_value(place / len(items))
        if not bad:
            progress.set_text(text("The model can judge none of these pictures."))
            return
        board.clear()
        with board:
            _panel(session, draft, scores, bad)

    ui.timer(0.0, judge, once=True)  # the page is there first: judging may take longer than a browser waits for it


def _panel(session: Session, draft: Draft, scores: ScoresRecord, bad: Sequence[float]) -> None:
    """What errors cost at which limit."""
    text = session.text
    found = Scores(good=np.array(scores.calibration), defects={DEFECT: np.sort(np.array(bad))})
    prices = Prices(escape=scores.price_escape or 50.0, overkill=scores.price_overkill or 1.0, defect_share=0.01)
    panel = ThresholdPanel(
        session, found, now=scores.reject, review=scores.review, prices=prices, currency=scores.currency
    )

    async def use() -> None:
        if panel.value == scores.reject:
            ui.navigate.to(draft.address(Step.TEST))
        else:
            await _make(session, draft, NewThreshold(reject=panel.value, reason=text("by what errors cost")))

    ui.button(text("Next"), on_click=use).props("unelevated")


async def _score(session: Session, draft: Draft, picture: str, path: str) -> float | None:
    """What the model says of a picture; None: it cannot judge it. What it said once is not asked again."""
    assert draft.model is not None, "the step takes one"
    key = draft.model.graph, picture
    if key not in _SAID:
        try:
            content = await session.api.content(f"/pictures/{picture}")
            reply = await session.api.send(
                f"{path}/inspect", content, InspectionReply, media_type="application/octet-stream"
            )
        except Refused:
            return None  # and asked again the next time, as the server may only have been busy
        _SAID[key] = reply.score
        if len(_SAID) > _REMEMBERED:
            _SAID.popitem(last=False)
    return _SAID[key]


async def _make(session: Session, draft: Draft, wish: NewThreshold) -> None:
    """The version with this limit, on which one goes on."""
    assert draft.model is not None, "the step takes one"
    headers = {}
    if (await session.api.get("/account", Me)).signature:
        signed = await ask_reason(session, session.text("Set this limit?"), session.text("Set it"))
        if signed is None:
            return
        wish, headers = wish.model_copy(update={"reason": signed.reason}), dict(signed.headers)
    path = f"/models/{quote(draft.name, safe='')}/versions/{draft.model.version}/thresholds"
    made = await session.api.change("POST", path, ModelRecord, wish, headers=headers)
    ui.navigate.to(f"/new-product?name={draft.name}&step={Step.TEST.value}&version={made.version}")
