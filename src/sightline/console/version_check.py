"""What is wrong with a version: pictures that are one, damage, odd sizes; and its division made anew."""

from functools import partial
from typing import Any

from nicegui import ui

from sightline.console.figures import number
from sightline.console.job_watch import JobWatch
from sightline.console.layout import in_turn
from sightline.console.making import label_text, version_address
from sightline.console.session import Session
from sightline.service.rights import Right
from sightline.service.routes.datasets import VersionDetail
from sightline.service.routes.jobs import JobOut, JobPage
from sightline.store.jobs import ENDED

_LOOKED_AT = 200  # jobs, for the last check of this version
_GROUPS = 30  # at once


async def show_check(session: Session, detail: VersionDetail) -> None:
    """The last check, and what starts another one; the division, and what makes it anew."""
    text, manages = session.text, Right.MANAGE in session.caller.rights
    jobs = (await session.api.get("/jobs", JobPage, kind="check", limit=_LOOKED_AT)).jobs
    mine = [job for job in jobs if (job.params.get("dataset"), job.params.get("version")) == _key(detail)]

    def show(job: JobOut) -> None:
        results.clear()
        with results:
            _results(session, detail, job)

    with ui.element("section").classes("card"):
        ui.html(f"<h2>{text('Check of the data')}</h2>", sanitize=False)
        ui.label(text("Reads every picture and looks for leaks between the splits, duplicates, damage and odd sizes."))
        watch = JobWatch(session, text("Checking"), show)
        if manages:
            params = {"dataset": detail.dataset, "version": detail.version}
            button = ui.button(text("Check this version"), on_click=lambda: watch.start("check", dict(params)))
            button.props("unelevated no-caps")
    results = ui.element("div").classes("found")
    running = next((job for job in mine if job.state not in ENDED), None)
    last = next((job for job in mine if job.state == "done"), None)
    if running is not None:
        watch.watch(running)
    if last is not None:
        show(last)
    elif running is None:
        with results:
            ui.label(text("This version was not checked yet.")).classes("empty")
    if manages:
        _division(session, detail)


def _key(detail: VersionDetail) -> tuple[str, int]:
    return detail.dataset, detail.version


def _results(session: Session, detail: VersionDetail, job: JobOut) -> None:
    assert job.result is not None, "it is done"
    text, found = session.text, job.result
    counts = found["counts"]
    tiles = (
        ("leaks between splits", counts["leaks"], "reject"),
        ("more than once", counts["groups"] - counts["leaks"], "review"),
        ("not readable", counts["unreadable"], "reject"),
        ("tiny", counts["tiny"], "review"),
        ("of another size than most", counts["odd"], "review"),
    )
    with ui.element("div").classes("tiles"):
        for title, value, look in tiles:
            with ui.element("div").classes(f"tile {look if value else 'pass'}"):
                ui.label(text(title)).classes("name")
                ui.label(number(session, value)).classes("value")
    if not any(value for _, value, _ in tiles) and not found["findings"]:
        ui.label(text("Nothing to complain about.")).classes("empty")
    _said(session, found["findings"])
    _groups(session, detail, job.id, found)
    for title, key, what in (
        ("Not readable", "unreadable", "reason"),
        ("Tiny pictures", "tiny", "size"),
        ("Of another size than most", "odd", "size"),
    ):
        _listed(detail, text(title), found[key], what)


def _said(session: Session, findings: list[dict[str, str]]) -> None:
    if findings:
        with ui.element("section").classes("card"):
            ui.html(f"<h2>{session.text('About the labels')}</h2>", sanitize=False)
            for one in findings:
                ui.label(session.heard(one["what"])).classes("strong")
                ui.label(session.heard(one["cure"])).classes("muted")


def _groups(session: Session, detail: VersionDetail, job: str, found: dict[str, Any]) -> None:
    text, groups = session.text, found["groups"]
    if not groups:
        return
    with ui.element("section").classes("card"):
        ui.html(f"<h2>{text('Pictures that are one')}</h2>", sanitize=False)
        if any(group["leak"] for group in groups):
            ui.label(
                text(
                    "A test on a picture that was trained on proves nothing. Divide this version anew: pictures that"
                    " are one then stay in one split."
                )
            ).props("role=note")
        in_turn(session, groups, _GROUPS, partial(_group, session, detail))
        if rest := found["counts"]["groups"] - len(groups):
            ui.label(text("and {number} more", number=number(session, rest))).classes("muted")
            address = f"/api/v1/jobs/{job}/files/{found['file']}"
            ui.link(text("All of them, as JSON"), address).props("download")


def _group(session: Session, detail: VersionDetail, group: dict[str, Any]) -> None:
    text = session.text
    told = [text(group["likeness"]), *([text("in several splits")] if group["leak"] else [])]
    told += [text("with different labels")] if group["contradicts"] else []
    ui.label(", ".join(told)).classes("strong")
    with ui.element("div").classes("gallery small"):
        for member in group["members"]:
            _member(session, detail, member)


def _member(session: Session, detail: VersionDetail, member: dict[str, Any]) -> None:
    address = version_address(detail.dataset, detail.version, picture=member["picture"])
    with ui.element("a").classes("part").props(f'href="{address}"') as link:
        source = f"/api/v1/pictures/{member['picture']}?size=thumb"
        ui.element("img").props(f'src="{source}" loading=lazy').props["alt"] = member["name"]
        link.props["title"] = member["name"]
        with ui.element("div").classes("below"):
            ui.label(label_text(session, member["label"])).classes("strong")
            ui.label(session.text(member["split"] or "not divided"))


def _listed(detail: VersionDetail, title: str, found: list[dict[str, Any]], what: str) -> None:
    if not found:
        return
    with ui.element("section").classes("card scroll"):
        with ui.element("h2"):
            ui.label(title)
        with ui.element("table").classes("table"), ui.element("tbody"):
            for one in found:
                with ui.element("tr"):
                    with ui.element("td"):
                        ui.link(one["name"], version_address(detail.dataset, detail.version, picture=one["picture"]))
                    with ui.element("td"):
                        ui.label(one[what])


def _division(session: Session, detail: VersionDetail) -> None:
    """Shares in percent, and what makes a version of them."""
    text = session.text

    def made(job: JobOut) -> None:
        assert job.result is not None, "it is done"
        ui.navigate.to(version_address(detail.dataset, job.result["version"]))

    with ui.element("section").classes("card"):
        ui.html(f"<h2>{text('Divide anew')}</h2>", sanitize=False)
        ui.label(text("Each class in the same shares, at random; pictures that are one stay together. A new version."))
        with ui.element("div").classes("filters"):
            given = {}
            for name, share in (("train", 70), ("validation", 15), ("test", 15)):
                given[name] = ui.number(f"{text(name)} %", value=share, min=0, max=100, format="%d")
                given[name].props("outlined dense")
            seed = ui.number(text("Seed"), value=0, min=0, format="%d").props("outlined dense")
        told = ui.label().classes("refusal").props("role=alert")
        watch = JobWatch(session, text("Dividing"), made)

        async def divide() -> None:
            shares = {name: int(field.value or 0) for name, field in given.items()}
            fits = sum(shares.values()) == 100
            told.set_text("" if fits else text("The shares must add up to 100 %."))
            if fits:
                params = {name: share / 100 for name, share in shares.items()}
                params |= {"seed": int(seed.value or 0)}
                await watch.start("divide", {"dataset": detail.dataset, "version": detail.version, **params})

        ui.button(text("Divide"), on_click=divide).props("outline no-caps")
