"""The figures of a time at a glance, each with its interval and what it is."""

from dataclasses import dataclass
from html import escape

from nicegui import ui

from sightline.console.charts import what
from sightline.console.figures import NOTHING, between, duration, number, share
from sightline.console.pages.quality_figures import Glance
from sightline.console.session import Session
from sightline.evaluation.intervals import rate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    name: str
    value: str
    detail: str
    told: str  # what it is
    kind: str = ""


def show(session: Session, found: Glance) -> None:
    """The tiles of the page Quality."""
    makers = (_first_pass, _parts, _rejects, _false_rejects, _escapes, _recall, _saved, _stops)
    content = "".join(_html(session, make(session, found)) for make in makers)
    ui.html(content, sanitize=False).classes("tiles figures")


def _html(session: Session, tile: _Tile) -> str:
    return (
        f'<div class="tile {tile.kind}"><div class=heading><span class=name>{escape(tile.name)}</span>'
        f"{what(session, tile.name, tile.told)}</div>"
        f"<div class=value>{escape(tile.value)}</div><div class=detail>{escape(tile.detail)}</div></div>"
    )


def _first_pass(session: Session, found: Glance) -> _Tile:
    text, first = session.text, found.summary.first_pass
    interval = rate(first.passed, first.parts)
    return _Tile(
        name=text("First-pass yield"),
        value=share(session, first.share),
        detail=text("95 % interval: {interval}", interval=between(session, interval.low, interval.high)),
        told=text(
            "Share of the parts that passed at their first inspection at a station (ISO 22400-2). A part that comes"
            " back with the same serial number does not count again. The interval is where the true share lies with"
            " 95 % confidence."
        ),
        kind="pass",
    )


def _parts(session: Session, found: Glance) -> _Tile:
    text, counts = session.text, found.summary.counts
    return _Tile(
        name=text("Parts"),
        value=number(session, counts.parts),
        detail=text(
            "{passed} passed, {fault} could not be judged",
            passed=number(session, counts.passed),
            fault=number(session, counts.fault),
        ),
        told=text("Parts inspected in this time, of all verdicts. Challenge parts do not count."),
    )


def _rejects(session: Session, found: Glance) -> _Tile:
    text, counts = session.text, found.summary.counts
    judged = rate(counts.rejected + counts.review, counts.parts - counts.fault)
    return _Tile(
        name=text("Rejects"),
        value=number(session, judged.count),
        detail=text(
            "{share} of those judged ({interval})",
            share=share(session, judged.value),
            interval=between(session, judged.low, judged.high),
        ),
        told=text(
            "Parts that were judged and not passed: rejected, or left to a person. In brackets the 95 % interval of"
            " their share."
        ),
        kind="reject",
    )


def _false_rejects(session: Session, found: Glance) -> _Tile:
    text, seen = session.text, found.recall
    wrong = rate(seen.reviewed - seen.confirmed, seen.reviewed)
    return _Tile(
        name=text("False rejects"),
        value=share(session, wrong.value),
        detail=text(
            "{count} of {of} rejects that people looked at ({interval})",
            count=number(session, wrong.count),
            of=number(session, wrong.total),
            interval=between(session, wrong.low, wrong.high),
        )
        if wrong.total
        else text("Nobody has looked at rejects of this time yet; do so on the page Review."),
        told=text(
            "Overkill: rejects that people found to be good, of the rejects that people looked at. In brackets the 95 %"
            " interval."
        ),
    )


def _escapes(session: Session, found: Glance) -> _Tile:
    text, estimate = session.text, found.recall.estimate
    return _Tile(
        name=text("Escapes found later"),
        value=number(session, found.escapes.count),
        detail=text("Only those that were reported; nothing can be estimated yet.")
        if estimate is None or estimate.escapes is None
        else text(
            "Reported; there may be {low} to {high} by the audit sample.",
            low=number(session, estimate.escapes_low),
            high=number(session, estimate.escapes_high),
        ),
        told=text(
            "Bad parts that had been passed and were found in this time, at a customer or further down the line. How"
            " many there may be in truth is estimated from the audit sample, with its 95 % interval."
        ),
        kind="reject" if found.escapes.count else "",
    )


def _recall(session: Session, found: Glance) -> _Tile:
    text, estimate = session.text, found.recall.estimate
    audited = sum(one.audited for one in found.recall.strata)
    return _Tile(
        name=text("Recall estimate"),
        value=NOTHING if estimate is None else share(session, estimate.recall),
        detail=text("For an estimate people must look at some passes and some rejects: the audit sample in Review.")
        if estimate is None
        else text(
            "{interval}; {audited} audited passes",
            interval=between(session, estimate.recall_low, estimate.recall_high),
            audited=number(session, audited),
        ),
        told=text(
            "Share of the bad parts that are caught: caught / (caught + escapes). The escapes are estimated from"
            " passes that were drawn at random and looked at by people, each product for itself. The interval holds"
            " with 95 % confidence."
        ),
    )


def _saved(session: Session, found: Glance) -> _Tile:
    text, worth = session.text, found.value
    if worth is None:
        value, detail = NOTHING, text("No prices are set: they are in the section quality of the server's settings.")
    else:
        value = f"{number(session, worth.saved)}\u00a0{worth.currency}"
        detail = text(
            "{system} with the system, {manual} by hand",
            system=number(session, worth.system.total),
            manual=number(session, worth.manual.total),
        )
    return _Tile(
        name=text("Cost saved"),
        value=value,
        detail=detail,
        told=text(
            "What inspection by people of every part would have cost in this time, less what it cost with the system:"
            " escapes, overkill, people and running. Escapes are the estimate, or those reported if they are more."
        ),
    )


def _stops(session: Session, found: Glance) -> _Tile:
    text = session.text
    return _Tile(
        name=text("Stops"),
        value=number(session, len(found.stops)),
        detail=text("{time} in all", time=duration(session, sum(one.seconds for one in found.stops))),
        told=text("Times of more than five minutes in which a station saw no part; the longest 200 count."),
    )
