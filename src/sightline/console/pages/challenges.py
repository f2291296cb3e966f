"""Challenge parts: how many bad ones to show, what they proved, and at which station when."""

import math
import time
from datetime import UTC, datetime
from urllib.parse import urlencode

from nicegui import ui

from sightline.console.charts import heading, table
from sightline.console.figures import number, share
from sightline.console.session import Refused, Session
from sightline.console.telling import done
from sightline.service.rights import Right
from sightline.service.routes.quality_models import ChallengeShown, ClaimShown, RunShown, SizeShown
from sightline.service.routes.studies import StudyShown

_HERE = "/studies?show=challenge"
_DAYS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "365 days"}
_MOST_RUNS = 100
_DAY = 86_400.0


async def show(session: Session, recall: str, misses: str, confidence: str, days: str) -> None:
    """
    Args:
        recall: to prove, percent.
        misses: that are allowed for.
        confidence: percent.

    Raises:
        Refused: a number is none.
    """
    await _planned(session, recall, misses, confidence, days)
    await _proved(session, confidence, days if days in _DAYS else "90")


def claim_in_words(session: Session, found: ClaimShown) -> str:
    """`299 of 299 found: at least 99 % with 95 % confidence.`"""
    text = session.text
    if not found.shown:
        return text("No challenge part was shown.")
    proved = number(session, math.floor(1e5 * found.recall_at_least) / 1e3, 3)  # down: a promise must hold
    return text(
        "{found} of {shown} found: at least {recall} % with {confidence} confidence.",
        found=number(session, found.found),
        shown=number(session, found.shown),
        recall=proved.rstrip("0").rstrip(".,"),
        confidence=share(session, found.confidence, 0),
    )


async def _planned(session: Session, recall: str, misses: str, confidence: str, days: str) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        heading(
            session,
            text("How many parts to show"),
            text(
                "Bad parts that are shown to the line on purpose prove how many it finds: the least number with"
                " which so few misses would be too much luck, if the recall were lower (exact, Clopper and Pearson"
                " 1934)."
            ),
        )
        with ui.element("div").classes("filters"):
            wanted = ui.number(text("Recall to prove, %"), value=_shown(recall), min=1, max=99.999, step=0.1)
            allowed = ui.number(text("Misses allowed for"), value=_shown(misses), min=0, max=1000, step=1)
            sure = ui.number(text("Confidence, %"), value=_shown(confidence), min=1, max=99.999, step=0.1)

            def go() -> None:
                told = {"recall": wanted.value, "misses": allowed.value, "confidence": sure.value}
                query = {name: f"{value:g}" for name, value in told.items() if value is not None}
                ui.navigate.to(f"{_HERE}&{urlencode(query | {'days': days})}")

            for field in (wanted, allowed, sure):
                field.props("outlined dense").on("keydown.enter", go)
            ui.button(text("Work out"), on_click=go).props("unelevated")
        size = await session.api.get(
            "/quality/challenge/size",
            SizeShown,
            recall=_share(recall),
            misses=misses,
            confidence=_share(confidence),
        )
        told = text(
            "Show {parts} bad parts: with at most {misses} missed they prove {recall} % with {confidence} %"
            " confidence.",
            parts=number(session, size.parts),
            misses=misses,
            recall=recall,
            confidence=confidence,
        )
        ui.label(told).classes("strong").props("role=status")


async def _proved(session: Session, confidence: str, days: str) -> None:
    text, since_s = session.text, time.time() - float(days) * _DAY
    since = datetime.fromtimestamp(since_s, UTC).isoformat()
    whole = await session.api.get("/quality/challenge", ChallengeShown, since=since, confidence=_share(confidence))
    runs = await session.api.get(
        "/quality/challenge/history", list[RunShown], since=since, confidence=_share(confidence)
    )
    with ui.element("section").classes("card"):
        heading(
            session,
            text("What challenge parts proved"),
            text(
                "Holds for the kinds of defect that were shown, and for no others. What the views judged counts: a"
                " part that could not be judged counts as neither found nor missed."
            ),
        )
        with ui.element("nav").classes("choices").props(f'aria-label="{text("Time")}"'):
            for word, name in _DAYS.items():
                with ui.element("a") as link:
                    ui.label(text(name))
                link.props["href"] = f"{_HERE}&days={word}"
                if word == days:
                    link.props("aria-current=true")
        ui.label(claim_in_words(session, whole.claim)).classes("strong")
        if not runs:
            told = text(
                "At the start of each shift put bad parts that you know through the station, as challenge parts."
            )
            ui.label(told).classes("muted")
            return
        ui.html(_table(session, runs[:_MOST_RUNS]), sanitize=False)
        if Right.MANAGE in session.caller.rights:
            _keep(session, since)


def _table(session: Session, runs: list[RunShown]) -> str:
    text = session.text
    columns = [text(name) for name in ("Station", "Day", "Found", "Missed", "Not judged", "What it proves")]
    rows = [
        [
            one.station,
            one.period.name,
            number(session, one.claim.found),
            number(session, one.claim.missed),
            number(session, one.faults),
            claim_in_words(session, one.claim),
        ]
        for one in runs
    ]
    return table(columns, rows, caption=text("Challenge runs by station and day"))


def _keep(session: Session, since: str) -> None:
    """Freeze what these parts were and proved, as a study."""
    text = session.text

    async def keep() -> None:
        until = datetime.now(UTC).isoformat()
        given = {
            "name": name.value or "",
            "kind": "challenge",
            "rounds": 1,
            "challenge": {"since": since, "until": until},
        }
        made = await session.api.change("POST", "/studies", StudyShown, given)
        done(text("The study is made."))
        ui.navigate.to(f"/studies/{made.id}")

    with ui.element("div").classes("filters"):
        name = ui.input(text("Name of the study")).props("outlined dense maxlength=255")
        ui.button(text("Keep as a study"), on_click=keep).props("flat")


def _shown(told: str) -> float | None:
    try:
        return float(told)
    except ValueError:
        return None


def _share(percent: str) -> float:
    """
    Raises:
        Refused: it is no number.
    """
    found = _shown(percent)
    if found is None:
        raise Refused(422, f"{percent!r:.20}: is no number; give one like 99.")
    return found / 100
