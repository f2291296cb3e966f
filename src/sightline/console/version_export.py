"""A version of a data set on its way out, in any format."""

import json
from urllib.parse import quote

from nicegui import ui

from sightline.console.gate import ASSETS
from sightline.console.session import Session
from sightline.console.telling import done
from sightline.service.routes.dataset_work import FormatRecord
from sightline.service.routes.datasets import VersionDetail

_LONGEST_S = 900.0
_COMMAND = " Convert it all the same with --lossy."  # which is of no use here: there is a button


async def show_export(session: Session, detail: VersionDetail) -> None:
    """All formats with what they carry; each is one click away."""
    text = session.text
    ui.add_head_html(f'<script src="{ASSETS}/fetching.js" defer></script>')
    formats = await session.api.get("/datasets/formats", list[FormatRecord])
    path = f"/datasets/{quote(detail.dataset, safe='')}/versions/{detail.version}/export?format="
    told = ui.element("div").props("role=status aria-live=polite")

    async def save(form: FormatRecord, lossy: bool) -> None:
        told.clear()
        with told:  # not where the button was that asked for it: it may be gone with the rest
            with ui.element("div").classes("actions"):
                ui.spinner()
                ui.label(text("Making {title} …", title=form.title))
            address = path + quote(form.name) + ("&lossy=true" if lossy else "")
            fault = await ui.run_javascript(f"return await sightline.save({json.dumps(address)})", timeout=_LONGEST_S)
            told.clear()
            if fault:
                refuse(form, str(fault))
            else:
                done(text("{title} was saved.", title=form.title))

    def refuse(form: FormatRecord, fault: str) -> None:
        with ui.element("div").classes("card"):
            ui.label(fault.replace(_COMMAND, "")).classes("refusal").props("role=alert")
            if _COMMAND in fault:
                again = text("Export it all the same, and leave this out")
                ui.button(again, on_click=lambda: save(form, True)).props("outline no-caps")

    with ui.element("div").classes("card scroll"), ui.element("table").classes("table"):
        with ui.element("thead"), ui.element("tr"):
            for title in ("Format", "Carries", ""):
                with ui.element("th"):
                    ui.label(text(title) if title else "")
        with ui.element("tbody"):
            for form in formats:
                with ui.element("tr"):
                    with ui.element("td"):
                        ui.label(form.title).classes("strong")
                    with ui.element("td"):
                        ui.label(", ".join(text(what) for what in form.carries)).classes("muted")
                    with ui.element("td"):
                        button = ui.button(icon="download", on_click=lambda form=form: save(form, False))
                        button.props(f'flat round aria-label="{text("Download {title}", title=form.title)}"')
