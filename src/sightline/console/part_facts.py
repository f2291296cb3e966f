"""What is known of one part, as HTML of which every text from outside is escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from sightline.console import parts
from sightline.console.figures import NOTHING, moment, number, share
from sightline.console.part_story import gauge
from sightline.console.session import Session
from sightline.line.faults import Fault
from sightline.line.fitness import Cause
from sightline.service.routes.inspections import Finding, Inspection, View
from sightline.service.routes.reviews import ReviewRecord

_CURES = {fault.name.lower(): fault.cure for fault in Fault} | {cause.value: Fault.UNFIT.cure for cause in Cause}
_TOLD = {"ok": "good", "ng": "not good", "fault": "fault", "": "nothing"}


def scores(session: Session, part: Inspection) -> str:
    """Each view's score beside its threshold, and what a shadow model would have said."""
    return "".join(_scored(session, view) for view in part.views) or _muted(session.text("It has no views."))


def _scored(session: Session, view: View) -> str:
    told = f"<h3>{escape(view.view)} {parts.verdict(session, view.verdict)}</h3>"
    told += gauge(session, view.score, view.threshold)
    if view.cause or view.reason:
        told += why(session, view.cause, view.reason)
    if view.shadow_model:
        said = session.text(view.shadow_verdict) if view.shadow_verdict else session.text("nothing")
        score = number(session, view.shadow_score, 3)
        told += _muted(
            session.text(
                "Shadow model {model}: {verdict}, score {score}", model=view.shadow_model, verdict=said, score=score
            )
        )
    return f"<div>{told}</div>"


def why(session: Session, cause: str, reason: str) -> str:
    """Why a part was not judged, and what to do about it."""
    cure = _CURES.get(cause, "")
    told = f'<p class="strong">{escape(parts.cause(session, cause))}</p><p>{escape(reason)}</p>'
    return told + (f"<p>{escape(session.text('What to do'))}: {escape(session.text(cure))}</p>" if cure else "")


def findings(session: Session, found: Sequence[Finding], *, views: bool) -> str:
    """
    Args:
        views: there are several, so that each finding says of which it is.
    """
    if not found:
        return _muted(session.text("Nothing was found."))
    heads = [*(["View"] if views else []), "Defect", "Confidence", "Peak", "Size"]
    rows = ""
    for one in found:
        area = f"{number(session, one.area_px)} px²"
        if one.area_mm2 is not None:
            area = f"{number(session, one.area_mm2, 2)} mm²"
        cells = [*([one.view] if views else []), parts.defect(session, one.label), share(session, one.confidence, 0)]
        cells += [number(session, one.peak, 3), area]
        rows += "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    return f'<div class="findings">{table(session, heads, rows)}</div>'


def timings(session: Session, part: Inspection, document: Mapping[str, Any]) -> str:
    """Where the time went, as bars."""
    spans = {str(name): value for name, value in dict(document.get("durations_ms") or {}).items() if _is_span(value)}
    whole = part.total_ms or spans.get("total") or max(spans.values(), default=0.0)
    if not whole:
        return _muted(session.text("The station recorded no times."))
    rows = "".join(
        f"<dt>{escape(session.text(name))}</dt><dd><i style='width:{100 * min(1.0, value / whole):.1f}%'></i>"
        f"<span>{number(session, value, 1)} ms</span></dd>"
        for name, value in spans.items()
    )
    late = f"<p class='strong'>{escape(session.text('It came after its window, and was rejected.'))}</p>"
    return f'<dl class="spans">{rows}</dl>{late if part.late else ""}'


def _is_span(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1e9


def facts(session: Session, part: Inspection) -> str:
    """What belongs to no view."""
    text = session.text
    told = {
        "Serial number": part.serial or NOTHING,
        "Lot": part.lot or NOTHING,
        "Tool": part.tool or NOTHING,
        "Product": part.product,
        "Recipe": str(part.recipe) if part.recipe else NOTHING,
        "Station": part.station,
        "Time": parts.triggered(session, part),
        "Kind": text(part.kind),
        "Told the PLC": text(_TOLD.get(part.told, part.told)),
        "Part number": str(part.part_number) if part.part_number else NOTHING,
        "Model": ", ".join(dict.fromkeys(view.model_id for view in part.views if view.model_id)) or NOTHING,
    }
    rows = "".join(f"<dt>{escape(text(name))}</dt><dd>{escape(value)}</dd>" for name, value in told.items())
    return f'<dl class="facts">{rows}</dl>'


def history(session: Session, found: Sequence[Inspection], here: str) -> str:
    """Every time that the part was judged, newest first."""
    rows = ""
    for one in found:
        when = f'<a href="{parts.address(one)}">{parts.triggered(session, one)}</a>'
        current = " aria-current=true" if one.id == here else ""
        rows += (
            f"<tr{current}><td>{when}</td><td>{escape(one.station)}</td><td>{parts.verdict(session, one.verdict)}</td>"
            f"<td>{escape(parts.defect(session, one.label) or parts.cause(session, one.cause))}</td>"
            f"<td>{number(session, one.score, 3)}</td></tr>"
        )
    return f'<div class="past">{table(session, ["Time", "Station", "Verdict", "Defect", "Score"], rows)}</div>'


def reviews(session: Session, found: Sequence[ReviewRecord]) -> str:
    """What people said, those that took it back as well."""
    if not found:
        return _muted(session.text("Nobody has decided yet."))
    rows = ""
    for one in found:
        undone = f" <span class='muted'>{escape(session.text('taken back'))}</span>" if one.undone_s is not None else ""
        rows += (
            f"<tr><td>{escape(one.reviewer)}</td><td>{parts.verdict(session, one.verdict)}{undone}</td>"
            f"<td>{escape(parts.defect(session, one.label))}</td><td>{escape(one.note)}</td>"
            f"<td>{moment(session, one.at_s)}</td></tr>"
        )
    return table(session, ["Who", "Decision", "Defect", "Note", "Time"], rows)


def table(session: Session, heads: Sequence[str], rows: str) -> str:
    named = "".join(f"<th>{escape(session.text(head))}</th>" for head in heads)
    return f'<div class="scroll" tabindex="0"><table class="table"><tr>{named}</tr>{rows}</table></div>'


def _muted(text: str) -> str:
    return f'<p class="muted">{escape(text)}</p>'
