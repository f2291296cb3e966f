"""Alerts: what is the matter, who knows of it, and the rules that find it."""

import json
import time
from functools import partial
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from sightline.console.figures import moment, number
from sightline.console.form import Form, named
from sightline.console.layout import agreed, heading, mark, row, table
from sightline.console.pages.health import HERE, health
from sightline.console.session import Refused, Session
from sightline.console.sizes import ago
from sightline.console.telling import done
from sightline.service.rights import Right
from sightline.service.routes.alerts import AlertOut, AlertPage, RuleKindOut, RuleOut
from sightline.service.routes.webhooks import WebhookOut

ALERTS = f"{HERE}/alerts"
_PAGE = 50
_EVERY_S = 5.0
_AGES_S = 60.0  # after which the list is drawn anew though no alert came or went: it tells how long ago


async def page(request: Request, show: str = "open") -> None:
    """Open alerts, or all there were, and the rules.

    Args:
        show: open, or all.
    """
    with health(request, ALERTS) as session:
        text = session.text
        all_of_them = show == "all"
        with ui.element("div").classes("headline"):
            heading(session, "History" if all_of_them else "Open alerts")
            ui.link(
                text("Open alerts") if all_of_them else text("History"), ALERTS if all_of_them else f"{ALERTS}?show=all"
            )
        shown = ui.element("section").classes("card")
        drawn: list[tuple[int, float | None, float | None]] | None = None
        drawn_s = 0.0

        async def look() -> None:
            nonlocal drawn, drawn_s
            try:
                now = await _asked(session, open_only=not all_of_them)
            except Refused:  # the server is away for a moment; the next look tells
                return
            standing = [(one.id, one.acknowledged_s, one.ended_s) for one in now.alerts]
            if standing != drawn or time.time() - drawn_s > _AGES_S:
                drawn, drawn_s = standing, time.time()
                shown.clear()
                _alerts(session, shown, now, open_only=not all_of_them)

        await look()
        ui.timer(_EVERY_S, look, immediate=False)
        await _rules(session)


async def _asked(session: Session, *, open_only: bool, before: int | None = None) -> AlertPage:
    return await session.api.get("/alerts", AlertPage, open=open_only, before=before, limit=_PAGE)


def _alerts(
    session: Session, shown: ui.element, found: AlertPage, *, open_only: bool, before: int | None = None
) -> None:
    with shown:
        if not found.alerts and before is None:
            ui.label(session.text("Nothing is the matter.")).classes("muted")
            return
        with table(session, "Since", "What", "Where", "Rule", "State", ""):
            for alert in found.alerts:
                _alert(session, alert)
        if found.next is not None:
            more = ui.button(session.text("More")).props("flat")

            async def on() -> None:
                more.delete()
                further = await _asked(session, open_only=open_only, before=found.next)
                _alerts(session, shown, further, open_only=open_only, before=found.next)

            more.on_click(on)


def _alert(session: Session, alert: AlertOut) -> None:
    text = session.text

    async def acknowledge() -> None:
        told = await session.api.change("POST", f"/alerts/{alert.id}/acknowledge", AlertOut)
        cell.clear()
        action.clear()
        with cell:
            _standing(session, told)
        done(text("You take care of it"))

    with row(moment(session, alert.raised_s), session.heard(alert.message), alert.subject, alert.rule):
        with ui.element("td") as cell:
            _standing(session, alert)
        with ui.element("td") as action:
            if alert.acknowledged_s is None and alert.ended_s is None and Right.REVIEW in session.caller.rights:
                ui.button(text("I take care"), on_click=acknowledge).props("outline dense")


def _standing(session: Session, alert: AlertOut) -> None:
    text = session.text
    if alert.ended_s is not None:
        mark(text("over"), "pass")
        ui.label(moment(session, alert.ended_s)).classes("muted")
    elif alert.acknowledged_s is not None:
        mark(text("known"), "review")
    else:
        mark(text("open"), "fault")
    if alert.acknowledged_by:
        ui.label(f"{alert.acknowledged_by}, {ago(session, alert.acknowledged_s)}").classes("muted")
    if alert.times > 1:
        ui.label(text("found {count} times", count=number(session, alert.times))).classes("muted")


async def _rules(session: Session) -> None:
    text = session.text
    rules = await session.api.get("/alerts/rules", list[RuleOut])
    may = Right.MANAGE in session.caller.rights
    with ui.element("section").classes("card"):
        with ui.element("div").classes("headline"):
            heading(session, "Rules")
            ui.element("span").classes("grow")
            if may:
                ui.button(text("Add a rule"), icon="add", on_click=lambda: ui.navigate.to(f"{ALERTS}/rule")).props(
                    "unelevated"
                )
        with table(session, "Rule", "Watches", "Limits", "State"):
            for rule in rules:
                address = f"{ALERTS}/rule?name={quote(rule.name, '')}"
                row(
                    partial(ui.link, rule.name, address) if may else rule.name,
                    text(rule.kind),
                    "; ".join(f"{named(session, limit)}: {json.dumps(value)}" for limit, value in rule.params.items())
                    or text("as usual"),
                    partial(mark, text("on") if rule.active else text("off"), "pass" if rule.active else ""),
                )


async def rule(request: Request, name: str = "", kind: str = "") -> None:
    """A rule to be changed, or a new one.

    Args:
        name: of the rule; empty: a new one.
        kind: of a new one.
    """
    with health(request, ALERTS) as session:
        text = session.text
        kinds = {one.kind: one for one in await session.api.get("/alerts/kinds", list[RuleKindOut])}
        rules = await session.api.get("/alerts/rules", list[RuleOut])
        known = next((one for one in rules if one.name == name), None)
        if name and known is None:
            ui.label(text("There is no rule {name}; it may have been removed.", name=name)).classes("empty")
            return
        if known is None:
            heading(session, "New rule")
            ui.select(
                {one: text(one) for one in kinds},
                value=kind if kind in kinds else None,
                label=text("Watches"),
                on_change=lambda event: ui.navigate.to(f"{ALERTS}/rule?kind={quote(event.value, '')}"),
            ).props("outlined")
        else:
            with ui.element("h2"):
                ui.label(known.name)
        if found := kinds.get(known.kind if known else kind):
            await _edit(session, found, known)


async def _edit(session: Session, kind: RuleKindOut, known: RuleOut | None) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        ui.label(text(kind.told))
        name = None if known else ui.input(text("Name of the rule")).props("outlined")
        form = Form(session, kind.params, known.params if known else {})
        webhooks = await _webhooks(session, known)
        active = ui.switch(text("On"), value=known.active if known else True)

        async def save() -> None:
            wanted = {
                "kind": kind.kind,
                "params": form.values,
                "webhooks": list(webhooks.value) if webhooks else known.webhooks if known else [],
                "active": bool(active.value),
            }
            called = known.name if known else (name.value or "").strip() if name else ""
            if not called:
                ui.notify(text("Give the rule a name."), type="warning", position="top")
                return
            await session.api.change("PUT", f"/alerts/rules/{quote(called, '')}", RuleOut, wanted)
            ui.navigate.to(ALERTS)

        with ui.element("div").classes("actions"):
            ui.button(text("Save"), on_click=save).props("unelevated")
            ui.button(text("Leave it"), on_click=lambda: ui.navigate.to(ALERTS)).props("flat")
            if known:
                ui.element("span").classes("grow")
                ui.button(text("Remove the rule"), on_click=lambda: _remove(session, known)).props(
                    "flat color=negative"
                )


async def _webhooks(session: Session, known: RuleOut | None) -> ui.select | None:
    """Who is told; only administrators know the webhooks."""
    if Right.ADMINISTER not in session.caller.rights:
        return None
    found = await session.api.get("/webhooks", list[WebhookOut])
    there = {one.id: one.url for one in found}
    value = [number for number in (known.webhooks if known else []) if number in there]
    label = session.text("Told to; empty: to all that want alerts")
    return ui.select(there, value=value, label=label, multiple=True).props("outlined dense use-chips")


async def _remove(session: Session, known: RuleOut) -> None:
    if await agreed(session, session.text("Remove the rule {name}? Its open alerts end.", name=known.name), "Remove"):
        await session.api.change("DELETE", f"/alerts/rules/{quote(known.name, '')}", type(None))
        ui.navigate.to(ALERTS)
