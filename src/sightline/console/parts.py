"""Parts in a list, as HTML of which every text from outside is escaped: one element of a page for many parts."""

from html import escape

from sightline.console.figures import calendar, moment, number
from sightline.console.session import Session
from sightline.records import UNNAMED
from sightline.service.routes.inspections import Inspection, View


def address(part: Inspection, query: str = "") -> str:
    """Of the page that shows all of it.

    Args:
        query: of the list's address, so that the parts before and after are those of the list.
    """
    return f"/inspections/{part.id}" + (f"?{query}" if query else "")


def name(session: Session, part: Inspection) -> str:
    """By which people call it."""
    return part.serial or session.text("No. {number}", number=part.number)


def triggered(session: Session, part: Inspection) -> str:
    """When it was looked at, to the second."""
    return f"{moment(session, part.at_s)}:{calendar(session).local(part.at_s):%S}"


def picture(digest: str, size: str = "thumb") -> str:
    """Where a picture is."""
    return f"/api/v1/pictures/{digest}?size={size}"


def telling_view(part: Inspection) -> View | None:
    """The view that shows why the part came to its verdict; one with a picture if there is any."""
    return max(part.views, key=lambda view: (view.picture is not None, view.verdict == part.verdict), default=None)


def defect(session: Session, label: str) -> str:
    """A kind of defect; the one without a name in the reader's language, others as they were named."""
    return session.text("anomaly") if label == UNNAMED else label


def cause(session: Session, name: str) -> str:
    """The cause of a FAULT in words, as the station's own page has it: "worker died" for `worker_died`."""
    return session.text(name.replace("_", " ")) if name else ""


def verdict(session: Session, value: str) -> str:
    """A verdict as its word."""
    return f'<span class="verdict {value.lower()}">{escape(session.text(value))}</span>'


def card(session: Session, part: Inspection, query: str) -> str:
    """A part as its picture, over which lies the map where somebody points at it; `query` as of `address`."""
    view = telling_view(part)
    called = escape(name(session, part))
    alt = escape(f"{name(session, part)}, {session.text(part.verdict)}")
    shown = f'<span class="none">{escape(session.text("no picture"))}</span>'
    if view is not None and view.picture:
        shown = f'<img src="{picture(view.picture)}" loading="lazy" alt="{alt}">'
        if view.overlay:
            shown += f'<img class="over" src="{picture(view.overlay)}" loading="lazy" alt="">'
    told = escape(defect(session, part.label) or cause(session, part.cause))
    return (
        f'<a class="part" href="{escape(address(part, query))}"><span class="sight">{shown}</span><span class="below">'
        f'{verdict(session, part.verdict)}<span class="strong">{called}</span><span class="muted">{told}</span>'
        f'<span class="muted at">{triggered(session, part)}</span>'
        f'<span class="muted at">{escape(part.station)}</span></span></a>'
    )


def row(session: Session, part: Inspection, query: str) -> str:
    """A part as a row of a table with HEADS; `query` as of `address`."""
    view = telling_view(part)
    threshold = view.threshold if view is not None else None
    late = f' <span class="muted">{escape(session.text("late"))}</span>' if part.late else ""
    return (
        f'<tr><td><a href="{escape(address(part, query))}">{escape(name(session, part))}</a></td>'
        f"<td>{triggered(session, part)}</td><td>{verdict(session, part.verdict)}{late}</td>"
        f'<td class="number">{number(session, part.score, 3)}</td>'
        f'<td class="number">{number(session, threshold, 3)}</td>'
        f"<td>{escape(defect(session, part.label))}</td><td>{escape(part.product)}</td><td>{escape(part.station)}</td>"
        f"<td>{escape(session.text(part.kind))}</td><td>{escape(cause(session, part.cause))}</td></tr>"
    )


HEADS = ("Serial number", "Time", "Verdict", "Score", "Threshold", "Defect", "Product", "Station", "Kind", "Cause")
NUMBERS = ("Score", "Threshold")
