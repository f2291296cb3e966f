"""Where on the part its defects lie: heat over the picture of a good one."""

from html import escape

from nicegui import ui

from sightline.console.charts import heading
from sightline.console.figures import number, share
from sightline.console.pages.quality_figures import Positions
from sightline.console.session import Session
from sightline.service.routes.quality_models import PositionsShown

_FEW = 3  # defects, with fewer of which there is no pattern
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
# sizes of the cells are in px of the picture, which only the browser knows the size of
_FITTING = "event => { const {naturalWidth: w, naturalHeight: h} = event.target;" + (
    " event.target.parentElement.querySelector('svg').setAttribute('viewBox', `0 0 ${w} ${h}`); }"
)


def show(session: Session, found: Positions) -> None:
    """A map for each view of the one product that was chosen, or that there is."""
    text = session.text
    with ui.element("section").classes("card"):
        heading(
            session,
            text("Defect positions"),
            text(
                "The middles of the defects of the newest 10,000 parts not passed, over the last good picture of the"
                " part. Defects that pile up in one place have one cause there: a tool, a gripper, a lamp, or a mask"
                " that is missing."
            ),
        )
        if len(found.products) > 1:
            ui.label(text("There are parts of several products: choose one above, to see its defects on it.")).classes(
                "muted"
            )
            return
        if not found.views:
            ui.label(text("No part with a defect was rejected in this time.")).classes("muted")
            return
        for one in found.views:
            _view(session, one, found.pictures.get(one.view, ""))


def _view(session: Session, found: PositionsShown, picture: str) -> None:
    text, most = session.text, max(max(row) for row in found.cells)
    words = _words(session, found)
    ui.label(words)
    if found.defects < _FEW:
        ui.label(text("Too few for a pattern.")).classes("muted")
    with ui.element("figure").classes("heat"), ui.element("div").classes("below"):
        if picture:
            shown = ui.element("img").on("load", js_handler=_FITTING)
            shown.props["src"] = f"/api/v1/pictures/{picture}"
            shown.props["alt"] = text("The last good part, view {view}", view=found.view)
        ui.html(_heat(found, most, words, alone=not picture), sanitize=False).classes("cells")
    ui.html(_legend(session, most), sanitize=False)


def _heat(found: PositionsShown, most: int, words: str, *, alone: bool) -> str:
    side = found.width_px / len(found.cells[0])
    cells = "".join(
        f'<rect x="{column * side:g}" y="{row * side:g}" width="{side:g}" height="{side:g}"'
        f' fill-opacity="{0.3 + 0.65 * count / most:.2f}"><title>{count}</title></rect>'
        for row, counts in enumerate(found.cells)
        for column, count in enumerate(counts)
        if count
    )
    return (
        f'<svg viewBox="0 0 {found.width_px} {found.height_px}" role=img aria-label="{escape(words)}"'
        f"{' class=alone' if alone else ''}>{cells}</svg>"
    )


def _legend(session: Session, most: int) -> str:
    name = escape(session.text("Defects in a cell"))
    highest = f"<span class=ramp aria-hidden=true></span><span>{number(session, most)}</span>" if most > 1 else ""
    single = "" if highest else "<span class='ramp one' aria-hidden=true></span>"
    return f"<div class=legend><span>{name}:</span><span>1</span>{highest}{single}</div>"


def _words(session: Session, found: PositionsShown) -> str:
    """How many lie in which ninth of what the defects cover."""
    text, counts = session.text, dict[tuple[int, int], int]()
    rows, columns = len(found.cells), len(found.cells[0])
    for row, of_row in enumerate(found.cells):
        for column, count in enumerate(of_row):
            place = (3 * row // rows, 3 * column // columns)
            counts[place] = counts.get(place, 0) + count
    (row, column), count = max(counts.items(), key=lambda one: one[1])
    return text(
        "View {view}: {count} of {defects} defects ({share}) lie at the {row} {column}.",
        view=found.view,
        count=number(session, count),
        defects=number(session, found.defects),
        share=share(session, count / found.defects, 0),
        row=text(_ROWS[row]),
        column=text(_COLUMNS[column]),
    )
