"""Sizes of files, and how long ago something was."""

import time

from sightline.console.figures import NOTHING, moment, number
from sightline.console.session import Session

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(session: Session, size_bytes: float | None) -> str:
    """`1.5 GB`."""
    if size_bytes is None:
        return NOTHING
    step = 0
    while size_bytes >= 1000 and step < len(_UNITS) - 1:
        size_bytes, step = size_bytes / 1000, step + 1
    return f"{number(session, size_bytes, 1 if step and size_bytes < 100 else 0)} {_UNITS[step]}"


def ago(session: Session, at_s: float | None) -> str:
    """`5 min ago`; the moment itself, where it is more than two days."""
    if at_s is None:
        return session.text("never")
    seconds = max(0.0, time.time() - at_s)
    if seconds > 2 * 86_400:
        return moment(session, at_s)
    if seconds < 120:
        return session.text("{count} s ago", count=round(seconds))
    if seconds < 7200:
        return session.text("{count} min ago", count=round(seconds / 60))
    return session.text("{count} h ago", count=round(seconds / 3600))
