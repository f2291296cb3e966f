"""Numbers, shares, moments and spans of time, as the reader writes them, in the plant's time zone."""

from datetime import datetime

from sightline.console.session import Session
from sightline.evaluation.periods import Calendar
from sightline.evaluation.wording import Language
from sightline.service.plant import Plant

NOTHING = "\u2013"
_SPACE = "\u00a0"  # not torn from its number at the end of a line


def calendar(session: Session) -> Calendar:
    """Where the plant is, and when its shifts begin: a setting."""
    plant: Plant = session.app.state.plant
    return plant.quality.calendar


def number(session: Session, value: float | None, digits: int = 0) -> str:
    """`1,234.5`, in German `1.234,5`; None is a dash."""
    if value is None:
        return NOTHING
    written = f"{value:,.{digits}f}"
    return written if session.language is Language.ENGLISH else written.translate(str.maketrans(",.", ".,"))


def share(session: Session, value: float | None, digits: int = 1) -> str:
    """`98.5 %` of 0.985."""
    return NOTHING if value is None else f"{number(session, 100 * value, digits)}{_SPACE}%"


def between(session: Session, low: float | None, high: float | None, digits: int = 1) -> str:
    """`97.1 to 99.3 %` of two shares."""
    if low is None or high is None:
        return NOTHING
    return session.text("{low} to {high}", low=number(session, 100 * low, digits), high=share(session, high, digits))


def moment(session: Session, at_s: float | None) -> str:
    """`2026-11-17 14:05`, in German `17.11.2026 14:05`, by the clocks of the plant; None is a dash."""
    if at_s is None:
        return NOTHING
    return _written(session, calendar(session).local(at_s), "%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M")


def short_moment(session: Session, at_s: float, *, day: bool = False) -> str:
    """`11-17 14:05`, in German `17.11. 14:05`; a day without its hour."""
    german, english = ("%d.%m.", "%m-%d") if day else ("%d.%m. %H:%M", "%m-%d %H:%M")
    return _written(session, calendar(session).local(at_s), german, english)


def short_name(session: Session, period: str) -> str:
    """`11-17 14:00` of the period `2026-11-17 14:00`, in German `17.11. 14:00`."""
    _, month, day = period[:10].split("-")
    date = f"{day}.{month}." if session.language is Language.GERMAN else f"{month}-{day}"
    return f"{date}{period[10:]}"


def duration(session: Session, seconds: float) -> str:
    """`2 h 05 min`, or `4 min`."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{number(session, minutes // 60)}{_SPACE}h {minutes % 60:02d}{_SPACE}min"
    return f"{minutes}{_SPACE}min"


def _written(session: Session, at: datetime, german: str, english: str) -> str:
    return at.strftime(german if session.language is Language.GERMAN else english)
