"""One version of a data set: its pictures, what is wrong with it, what changed, and its way out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from sightline.console.figures import moment, number
from sightline.console.frame import framed
from sightline.console.labelling import label_picture
from sightline.console.making import Making, label_text, version_address
from sightline.console.session import Refused, Session
from sightline.console.telling import done
from sightline.console.version_changes import show_changes
from sightline.console.version_check import show_check
from sightline.console.version_export import show_export
from sightline.datasets.dataset import GOOD, SPLITS
from sightline.service.rights import Right
from sightline.service.routes.datasets import ItemRecord, Tally, VersionDetail, VersionRecord

HERE = "/data"
_AT_ONCE = 60
_VERSIONS = 200  # that the chooser offers
_NONE = "none"  # split of those that are in none


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the address says is shown of a version."""

    name: str
    version: int
    split: str = ""
    label: str = ""
    labelled: str = ""  # yes, no, or empty

    @property
    def path(self) -> str:
        return f"/datasets/{quote(self.name, safe='')}/versions/{self.version}"

    @property
    def query(self) -> dict[str, str | bool | None]:
        """As the API takes it."""
        return {
            "split": self.split,
            "label": self.label,
            "labelled": {"yes": True, "no": False}.get(self.labelled),
        }

    def address(self, **changed: object) -> str:
        given: dict[str, object] = {"split": self.split, "label": self.label, "labelled": self.labelled}
        return version_address(self.name, self.version, **(given | changed))


async def page(
    request: Request,
    name: str,
    version: int,
    view: str = "",
    split: str = "",
    label: str = "",
    labelled: str = "",
    picture: str = "",
    against: int = 0,
) -> None:
    """
    Args:
        view: empty: the pictures; check, changes, add or export.
        split: of the pictures; none: those that are in none.
        labelled: yes or no; empty: either.
        picture: digest of the one that is labelled; empty: none is.
        against: version that this one is compared with.
    """
    shown = Shown(name=name, version=version, split=split, label=label, labelled=labelled)
    with framed(request, HERE, wide=bool(picture)) as session:
        try:
            detail = await session.api.get(shown.path, VersionDetail)
            if picture:
                await label_picture(session, detail, shown, picture)
                return
            await _headline(session, detail, shown, view)
            await _view(session, detail, shown, view, against)
        except Refused as error:
            ui.label(str(error)).classes("empty").props("role=alert")


async def _view(session: Session, detail: VersionDetail, shown: Shown, view: str, against: int) -> None:
    manages = Right.MANAGE in session.caller.rights
    if view == "check":
        await show_check(session, detail)
    elif view == "changes":
        await show_changes(session, detail, against)
    elif view == "export" and manages:
        await show_export(session, detail)
    elif view == "add" and manages:
        labels = tuple(sorted({tally.label for tally in detail.tally if tally.label}))
        with ui.element("section").classes("card"):
            Making(session, dataset=detail.dataset, base=detail.version, labels=labels)
    else:
        await _pictures(session, detail, shown)


async def _headline(session: Session, detail: VersionDetail, shown: Shown, view: str) -> None:
    text, path = session.text, f"/datasets/{quote(shown.name, safe='')}/versions"
    versions = await session.api.get(path, list[VersionRecord], limit=_VERSIONS)
    with ui.element("div").classes("headline"):
        ui.link(text("Data"), HERE)
        with ui.element("h1"):
            ui.label(detail.dataset)
        known = {one.version: text("version {number}", number=one.version) for one in versions}
        known.setdefault(detail.version, text("version {number}", number=detail.version))
        chooser = ui.select(
            known,
            value=detail.version,
            on_change=lambda event: ui.navigate.to(version_address(shown.name, event.value, view=view)),
        )
        chooser.props(f'outlined dense options-dense aria-label="{text("Version")}"')
        ui.element("span").classes("grow")
        _actions(session, detail, shown)
    told = [text("{number} pictures", number=number(session, detail.items)), detail.author]
    told += [moment(session, detail.created_s), *([detail.note] if detail.note else [])]
    ui.label(" · ".join(told)).classes("muted")
    manages = Right.MANAGE in session.caller.rights
    views = {"": "Pictures", "check": "Check and divide", "changes": "Changes"}
    views |= {"add": "Add", "export": "Export"} if manages else {}
    with ui.element("nav").classes("views").props(f'aria-label="{text("Views of this version")}"'):
        for key, title in views.items():
            address = version_address(shown.name, shown.version, view=key)
            link = ui.element("a").props(f'href="{address}"' + (" aria-current=page" if key == view else ""))
            with link:
                ui.label(text(title))


def _actions(session: Session, detail: VersionDetail, shown: Shown) -> None:
    text = session.text

    async def label() -> None:
        """Unlabelled ones first."""
        for wanted, labelled in ((False, "no"), (None, "")):
            found = await session.api.get(f"{shown.path}/items", list[ItemRecord], limit=1, labelled=wanted)
            if found:
                ui.navigate.to(version_address(shown.name, shown.version, labelled=labelled, picture=found[0].picture))
                return

    async def save() -> None:
        path = f"{shown.path}/from-labels"
        body = {"note": text("labels of version {number}", number=detail.version)}
        made = await session.api.change("POST", path, VersionRecord, body)
        if made.version == detail.version:
            done(text("Nothing was labelled since this version; it is as it was."))
        else:
            ui.navigate.to(version_address(shown.name, made.version, view="changes", against=detail.version))

    with ui.element("div").classes("actions"):
        if Right.REVIEW in session.caller.rights:
            ui.button(text("Label pictures"), icon="edit", on_click=label).props("unelevated no-caps")
        if Right.MANAGE in session.caller.rights:
            ui.button(text("Save labels as a new version"), on_click=save).props("outline no-caps")
            teaching = f"{version_address(shown.name, shown.version)}/teach"
            ui.button(text("Teach a class"), on_click=lambda: ui.navigate.to(teaching)).props("outline no-caps")


async def _pictures(session: Session, detail: VersionDetail, shown: Shown) -> None:
    with ui.element("div").classes("split counts"):
        with ui.element("div").classes("found"):
            _filters(session, detail, shown)
            await Gallery(session, shown).build()
        with ui.element("section").classes("card"):
            ui.html(f"<h2>{session.text('Classes')}</h2>", sanitize=False)
            _counts(session, detail.tally, shown)


def _filters(session: Session, detail: VersionDetail, shown: Shown) -> None:
    text = session.text

    def choose(name: str, value: object) -> None:
        ui.navigate.to(shown.address(**{name: value}))

    labels = {tally.label for tally in detail.tally if tally.label} | ({shown.label} if shown.label else set())
    kinds = {"": text("all")} | {one: label_text(session, one) for one in _in_order(labels)}
    splits = {"": text("all")} | {one: text(one) for one in SPLITS} | {_NONE: text("not divided")}
    said = {"": text("all"), "no": text("not labelled yet"), "yes": text("labelled")}
    with ui.element("div").classes("filters"):
        for name, title, options, value in (
            ("label", "Class", kinds, shown.label),
            ("split", "Split", splits, shown.split),
            ("labelled", "Labelled", said, shown.labelled),
        ):
            chooser = ui.select(
                options,
                label=text(title),
                value=value if value in options else "",
                on_change=lambda event, name=name: choose(name, event.value),
            )
            chooser.props("outlined dense options-dense")


class Gallery:
    """Pictures of a version, page by page."""

    def __init__(self, session: Session, shown: Shown) -> None:
        self._session, self._shown, self._last = session, shown, -1

    async def build(self) -> None:
        """The first page, and what brings the next one."""
        self._place = ui.element("div").classes("gallery")
        self._more = ui.button(self._session.text("More"), on_click=self._add).props("outline no-caps")
        await self._add()
        if self._last < 0:
            none = self._session.text("No picture is like that. Choose other filters, or add pictures.")
            ui.label(none).classes("empty")

    async def _add(self) -> None:
        path, query = f"{self._shown.path}/items", self._shown.query
        found = await self._session.api.get(path, list[ItemRecord], after=self._last, limit=_AT_ONCE, **query)
        with self._place:
            for item in found:
                part(self._session, item, self._shown.address(picture=item.picture))
        self._last = found[-1].place if found else self._last
        self._more.set_visibility(len(found) == _AT_ONCE)


def part(session: Session, item: ItemRecord, address: str) -> None:
    """One picture of a gallery, which leads somewhere."""
    with ui.element("a").classes("part").props(f'href="{address}"') as link:
        source = f"/api/v1/pictures/{item.picture}?size=thumb"
        ui.element("img").props(f'src="{source}" loading=lazy').props["alt"] = item.name
        link.props["title"] = item.name
        with ui.element("div").classes("below"):
            ui.label(label_text(session, item.label)).classes("strong")
            if item.split:
                ui.label(session.text(item.split)).classes("muted")
            if drawn := len(item.annotations.get("annotations", ())):
                ui.label(f"▢ {drawn}").classes("muted").tooltip(session.text("drawn regions"))


def _counts(session: Session, tallies: Sequence[Tally], shown: Shown) -> None:
    """Pictures of each class, with a bar of its splits."""
    by_label: dict[str, Counter[str]] = {}
    for tally in tallies:
        by_label.setdefault(tally.label, Counter())[tally.split] += tally.pictures
    most = max(sum(counted.values()) for counted in by_label.values())
    with ui.element("dl").classes("bars"):
        for label in _in_order(by_label):
            counted = by_label[label]
            with ui.element("dt"):
                ui.link(
                    label_text(session, label), shown.address(label=label) if label else shown.address(labelled="no")
                )
                ui.label(number(session, sum(counted.values())))
            with ui.element("dd"):
                for split in (*SPLITS, ""):
                    if counted[split]:
                        _bar(session, split, counted[split], most)


def _bar(session: Session, split: str, pictures: int, most: int) -> None:
    name = session.text(split or "not divided")
    with ui.element("span").classes(f"bar-of {split or _NONE}").style(f"width: {100 * pictures / most:.2f}%") as bar:
        bar.props["title"] = f"{name}: {number(session, pictures)}"
    ui.label(f"{name} {number(session, pictures)}").classes("muted")


def _in_order(labels: Sequence[str] | set[str] | dict[str, Counter[str]]) -> list[str]:
    """Good first, those without one last."""
    return sorted(labels, key=lambda label: (label != GOOD, not label, label))
