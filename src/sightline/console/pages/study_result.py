"""What a closed study found: of each person and machine, how far it may be relied on."""

import asyncio
from html import escape

from nicegui import ui

from sightline.console.charts import heading, table
from sightline.console.figures import NOTHING, between, number, share
from sightline.console.pages.challenges import claim_in_words
from sightline.console.session import Session
from sightline.service.routes.inspections import Detail
from sightline.service.routes.quality_models import AppraiserShown, KappaShown, RateShown, ResultShown
from sightline.service.routes.studies import DisputedShown, ItemShown, StudyShown

_DISPUTED = 24  # items shown
_GOOD, _POOR = 0.75, 0.40  # kappa: AIAG MSA, 4th edition, chapter III section C


async def show(session: Session, study: StudyShown) -> None:
    """Tables with intervals, in words, and the parts that were judged wrongly."""
    path = f"/studies/{study.id}"
    found = await session.api.get(f"{path}/result", ResultShown)
    disputed = await session.api.get(f"{path}/disputed", list[DisputedShown], limit=_DISPUTED)
    pictures = await asyncio.gather(*(_picture_of(session, one.item) for one in disputed))
    _appraisers(session, found)
    if any(claim.shown for claim in found.claims.values()):
        _claims(session, found)
    if found.agreement.pairs:
        _kappas(session, found)
    _disputed(session, disputed, dict(zip((one.item.id for one in disputed), pictures, strict=True)))


def _appraisers(session: Session, found: ResultShown) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        heading(
            session,
            text("Against the standard"),
            text(
                "Effectiveness: parts judged rightly in all rounds. Miss rate: decisions that passed a bad part."
                " False alarm rate: decisions that rejected a good one. Kappa: agreement with the truth beyond"
                " chance, 1 at best. In brackets the 95 % interval: with few parts it is wide, and the standing is"
                " not certain."
            ),
        )
        with ui.element("ul").classes("signals"):
            for one in found.agreement.appraisers:
                with ui.element("li"):
                    ui.label(_words(session, one))
        columns = ["Appraiser", "Effectiveness", "Miss rate", "False alarm rate", "Repeatability", "Kappa", "Standing"]
        rows = [
            [
                one.name,
                *(_rate(session, rate) for rate in (one.effectiveness, one.miss, one.false_alarm, one.repeatability)),
                _kappa(session, one.kappa),
                text(one.standing),
            ]
            for one in found.agreement.appraisers
        ]
        ui.html(table([text(name) for name in columns], rows, caption=text("Against the standard")), sanitize=False)
        limits = text(
            "Limits of AIAG MSA, 4th edition: acceptable with effectiveness of at least 90 %, miss rate of at most 2"
            " % and false alarm rate of at most 5 %; marginal with 80 %, 5 % and 10 %; kappa above 0.75 good, below"
            " 0.40 poor."
        )
        ui.label(limits).classes("muted")


def _words(session: Session, one: AppraiserShown) -> str:
    value = one.kappa.value if one.kappa else None
    grade = "not known" if value is None else "good" if value > _GOOD else "poor" if value < _POOR else "moderate"
    return session.text(
        "{name} is {standing}; agreement with the truth is {grade} (kappa {kappa}).",
        name=one.name,
        standing=session.text(one.standing),
        grade=session.text(grade),
        kappa=number(session, value, 2),
    )


def _claims(session: Session, found: ResultShown) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        told = text("What the first round on the bad parts proves, as if they had been challenge parts.")
        heading(session, text("Bad parts found"), told)
        with ui.element("ul").classes("signals"):
            for name, claim in found.claims.items():
                with ui.element("li"):
                    ui.label(f"{name}: {claim_in_words(session, claim)}")


def _kappas(session: Session, found: ResultShown) -> None:
    text, agreement = session.text, found.agreement
    with ui.element("section").classes("card"):
        told = text("Kappa of each two (Cohen 1960) and of all together (Fleiss 1971), with its 95 % interval.")
        heading(session, text("Between each other"), told)
        rows = [[f"{one.first}, {one.second}", _kappa(session, one.kappa)] for one in agreement.pairs]
        if agreement.between is not None:
            rows.append([text("all together"), _kappa(session, agreement.between)])
        rows.append([text("all said the same"), _rate(session, agreement.all_agree)])
        rows.append([text("and were right"), _rate(session, agreement.all_right)])
        ui.html(table([text("Appraiser"), text("Agreement")], rows, caption=text("Between each other")), sanitize=False)


def _disputed(session: Session, found: list[DisputedShown], pictures: dict[int, str]) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        told = text(
            "Parts that somebody judged wrongly in some round: look at them together, and agree on what is bad."
        )
        heading(session, text("Where they disagree with the truth"), told)
        if not found:
            ui.label(text("All judged every part rightly.")).classes("muted")
            return
        if len(found) == _DISPUTED:
            ui.label(text("The first {most} parts.", most=_DISPUTED)).classes("muted")
        ui.html("".join(_part(session, one, pictures[one.item.id]) for one in found), sanitize=False).classes(
            "disputed"
        )


def _part(session: Session, found: DisputedShown, digest: str) -> str:
    """A part with its picture, its truth, and who said what in which round."""
    text, item = session.text, found.item
    said: dict[str, list[str]] = {}
    for one in found.ratings:
        word = text("rejected") if one.reject else text("passed")
        wrong = one.reject != item.bad
        said.setdefault(one.appraiser, []).append(f"<b>{escape(word)} ✗</b>" if wrong else escape(word))
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{', '.join(words)}</td></tr>" for name, words in said.items()
    )
    truth = text("bad: {label}", label=item.label) if item.bad and item.label else text("bad" if item.bad else "good")
    name = text("Part {place}", place=item.place + 1)
    return (
        f"<figure>{_picture(digest, name)}"
        f"<figcaption><strong>{escape(name)}</strong>{_link(session, item.inspection_id)}<br>"
        f"{escape(text('Truth'))}: {escape(truth)}<table class=table>{rows}</table></figcaption></figure>"
    )


async def _picture_of(session: Session, item: ItemShown) -> str:
    """Its picture, or that of the first view of its inspection; empty: none is kept any more."""
    if item.picture or item.inspection_id is None:
        return item.picture or ""
    found = await session.api.get(f"/inspections/{item.inspection_id}", Detail)
    return next((view.picture for view in found.inspection.views if view.picture), "")


def _picture(digest: str, name: str) -> str:
    if not digest:
        return ""
    return f'<img src="/api/v1/pictures/{escape(digest)}?size=thumb" loading=lazy alt="{escape(name)}">'


def _link(session: Session, inspection: str | None) -> str:
    if inspection is None:
        return ""
    return f' <a href="/inspections/{escape(inspection)}">{escape(session.text("Details"))}</a>'


def _rate(session: Session, one: RateShown) -> str:
    if one.value is None:
        return NOTHING
    return f"{share(session, one.value)} ({between(session, one.low, one.high, 0)})"


def _kappa(session: Session, one: KappaShown | None) -> str:
    if one is None or one.value is None:
        return NOTHING
    if one.interval is None:
        return number(session, one.value, 2)
    low, high = (number(session, end, 2) for end in one.interval)
    return f"{number(session, one.value, 2)} ({session.text('{low} to {high}', low=low, high=high)})"
