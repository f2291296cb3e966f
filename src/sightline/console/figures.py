"""Numbers and moments as the reader writes them, in the plant's time zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sightline.console.session import Session
from sightline.console.texts import Language

DASH = "\N{EN DASH}"  # of what was not measured, and of intervals
_MOMENTS = {Language.ENGLISH: "%Y-%m-%d %H:%M", Language.GERMAN: "%d.%m.%Y %H:%M"}


def number(session: Session, value: float | None, digits: int = 0) -> str:
    """With this many digits behind the point; a dash where nothing was measured."""
    if value is None:
        return DASH
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans(",.", ".,")) if session.language is Language.GERMAN else text


def percent(session: Session, share: float | None, digits: int = 1) -> str:
    """A share of 0..1."""
    return DASH if share is None else f"{number(session, 100 * share, digits)} %"


def span(session: Session, low: float | None, high: float | None, digits: int = 1) -> str:
    """An interval of shares; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"{number(session, 100 * low, digits)} {DASH} {percent(session, high, digits)}"


def moment(session: Session, at_s: float | None) -> str:
    """Seconds since 1970 by the plant's clock."""
    if at_s is None:
        return DASH
    zone = ZoneInfo(session.app.state.settings.quality.time_zone)
    return datetime.fromtimestamp(at_s, zone).strftime(_MOMENTS[session.language])
