"""What became of each picture between two versions."""

from functools import partial
from urllib.parse import quote

from nicegui import ui

from sightline.console.figures import number
from sightline.console.layout import in_turn
from sightline.console.making import label_text, version_address
from sightline.console.session import Session
from sightline.service.routes.datasets import ChangeRecord, ComparisonRecord, VersionDetail, VersionRecord

_KINDS = {
    "added": "added",
    "removed": "removed",
    "label": "class changed",
    "split": "split changed",
    "drawing": "drawn",
}
_AT_ONCE = 120


async def show_changes(session: Session, detail: VersionDetail, against: int) -> None:
    """
    Args:
        against: version to compare with; 0: the one before.
    """
    text, path = session.text, f"/datasets/{quote(detail.dataset, safe='')}/versions"
    versions = await session.api.get(path, list[VersionRecord], limit=200)
    others = [one for one in versions if one.version != detail.version]
    if not others:
        ui.label(text("This is the only version. A new one is made of labels, or of more pictures.")).classes("empty")
        return
    earlier = [one.version for one in others if one.version < detail.version]
    old = against if any(one.version == against for one in others) else max(earlier or [others[0].version])
    options = {one.version: f"{one.version} · {one.author} · {one.note}"[:80] for one in others}
    chooser = ui.select(
        options,
        label=text("Compared with version"),
        value=old,
        on_change=lambda event: ui.navigate.to(
            version_address(detail.dataset, detail.version, view="changes", against=event.value)
        ),
    )
    chooser.props("outlined dense options-dense").classes("narrow-field")
    found = await session.api.get(f"{path}/{old}/compared-with/{detail.version}", ComparisonRecord)
    if not found.changes:
        ui.label(text("Both have the same pictures with the same labels.")).classes("empty")
        return
    with ui.element("div").classes("tiles"):
        for kind, title in _KINDS.items():
            if found.counts.get(kind):
                with ui.element("div").classes("tile"):
                    ui.label(text(title)).classes("name")
                    ui.label(number(session, found.counts[kind])).classes("value")
    with ui.element("div").classes("gallery"):
        in_turn(session, found.changes, _AT_ONCE, partial(_part, session, detail, old))
    if rest := sum(found.counts.values()) - len(found.changes):
        ui.label(text("and {number} more", number=number(session, rest))).classes("muted")


def _part(session: Session, detail: VersionDetail, old: int, change: ChangeRecord) -> None:
    version = old if change.kind == "removed" else detail.version
    address = version_address(detail.dataset, version, picture=change.picture)
    with ui.element("a").classes("part").props(f'href="{address}"') as link:
        source = f"/api/v1/pictures/{change.picture}?size=thumb"
        ui.element("img").props(f'src="{source}" loading=lazy').props["alt"] = change.name
        link.props["title"] = change.name
        with ui.element("div").classes("below"):
            ui.label(session.text(_KINDS.get(change.kind, change.kind))).classes("strong")
            if change.kind in ("label", "split"):
                ui.label(f"{_word(session, change, change.before)} → {_word(session, change, change.after)}")


def _word(session: Session, change: ChangeRecord, value: str) -> str:
    return label_text(session, value) if change.kind == "label" else session.text(value or "not divided")
