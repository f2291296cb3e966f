"""Why a part waits for a person, in words and beside its threshold."""

from html import escape

from nicegui import ui

from sightline.console import parts
from sightline.console.desk import Part, Said
from sightline.console.figures import NOTHING, number, share
from sightline.console.session import Session
from sightline.console.viewer import Shape
from sightline.feedback.review_queue import Reason
from sightline.records import Verdict
from sightline.service.routes.inspections import Detail, View

_WHY = {
    Reason.DISPUTED: "People disagree; you decide.",
    Reason.CONTRADICTED: "Somebody says other than the machine; a second person looks.",
    Reason.UNDECIDED: "The machine does not decide.",
    Reason.NEW_KIND: "A new kind of defect, or one without a name.",
    Reason.AUDIT: "Passed, and drawn for the audit sample.",
    Reason.DOUBT: "The score is near its threshold.",
}
_BLIND = {Reason.CONTRADICTED: "A second person looks."}  # the other one's word would be known otherwise


def show_story(session: Session, part: Part, view: View | None, *, blind: bool) -> None:
    """All beside the picture.

    Args:
        blind: tell nothing of what others say.
    """
    text, found = session.text, part.detail.inspection
    said = _WHY | _BLIND if blind else _WHY
    called = escape(parts.name(session, found))
    link = f'<a href="{parts.address(found)}" target="_blank" rel="noopener">{called}</a>'
    ui.html(f"<h2>{link}</h2>{parts.verdict(session, found.verdict)}", sanitize=False).classes("headline")
    reasons = "".join(f"<li>{escape(text(said[reason]))}</li>" for reason in part.waiting.reasons)
    ui.html(reasons, sanitize=False, tag="ul").classes("why")
    if view is not None:
        ui.html(gauge(session, view.score, view.threshold), sanitize=False)
    facts = {
        text("Defect"): parts.defect(session, found.label) or NOTHING,
        text("Product"): found.product,
        text("Station"): found.station,
        text("Time"): parts.triggered(session, found),
        **({text("Cause"): parts.cause(session, found.cause)} if found.cause else {}),
    }
    rows = "".join(f"<dt>{escape(what)}</dt><dd>{escape(value)}</dd>" for what, value in facts.items())
    ui.html(rows, sanitize=False, tag="dl").classes("facts")


def gauge(session: Session, score: float | None, threshold: float | None) -> str:
    """The score on a scale of which the middle is the threshold, and both in figures."""
    if score is None or threshold is None:
        return f'<span class="muted">{escape(session.text("It was not judged: there is no score."))}</span>'
    told = session.text(
        "Score {score}, threshold {threshold}", score=number(session, score, 3), threshold=number(session, threshold, 3)
    )
    filled = min(1.0, max(0.0, score / (2 * threshold))) if threshold > 0 else float(score >= threshold)
    apart = abs(score - threshold) / abs(threshold) if threshold else None
    side = session.text("{share} above" if score >= threshold else "{share} below", share=share(session, apart))
    kind = "gauge over" if score >= threshold else "gauge"
    return (
        f'<div class="{kind}" role="img" aria-label="{escape(told)}">'
        f'<span style="width:{100 * filled:.1f}%"></span><i></i></div>'
        f'<div class="gauged"><span>{escape(told)}</span><span class="muted">{escape(side)}</span></div>'
    )


def findings(detail: Detail, view: View) -> list[Shape]:
    """What the machine marked in this view."""
    return [
        Shape(kind="box", points=((one.x, one.y), (one.x + one.width, one.y + one.height)), label=one.label)
        for one in detail.defects
        if one.view == view.view
    ]


def in_words(session: Session, said: Said) -> str:
    """A decision, for whoever made it."""
    called, verdict = parts.name(session, said.part.detail.inspection), session.text(Verdict(said.word.verdict))
    return f"{called}: {verdict}" + (f", {said.word.label}" if said.word.label else "")
