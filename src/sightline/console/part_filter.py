"""Which parts a list shows: read from the address of its page, and written into it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self
from urllib.parse import urlencode

from sightline.console.session import Value
from sightline.evaluation.periods import Calendar, moment

HOURS = {"hour": 1.0, "shift": 8.0, "day": 24.0, "week": 168.0, "month": 720.0}  # quick choices, back from now
ALL, BETWEEN = "all", "between"
USUAL = "week"
_LONGEST = 255  # characters that the API takes


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFilter:
    """What is empty lets all through; every field is a parameter of the address, as text."""

    within: str = ""  # a key of HOURS, ALL or BETWEEN; empty: USUAL
    since: str = ""  # BETWEEN: by the plant's clocks
    until: str = ""
    serial: str = ""
    product: str = ""
    station: str = ""
    verdict: str = ""
    label: str = ""
    lot: str = ""
    tool: str = ""
    kind: str = ""
    cause: str = ""
    late: str = ""  # true or false
    before: str = ""  # where the page before ended
    show: str = ""  # table; empty: pictures
    overlay: str = ""  # on: maps over the pictures

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """From an address; what is unknown in it is left out."""
        return cls(**{one.name: query.get(one.name, "")[:_LONGEST] for one in fields(cls)})

    def changed(self, name: str, value: str) -> Self:
        """With another value, from the newest part on."""
        return replace(replace(self, before=""), **{name: value})

    def address(self, path: str) -> str:
        """That of a page which shows these."""
        query = urlencode({one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name)})
        return f"{path}?{query}" if query else path

    def span(self, calendar: Calendar, now_s: float) -> tuple[float | None, float | None]:
        """From when to when, seconds since 1970; None: from the first, to the last.

        Raises:
            OptionError: `since` or `until` is no time.
        """
        within = self.within or USUAL
        if within == BETWEEN:
            since_s = moment(self.since, calendar) if self.since else None
            return since_s, moment(self.until, calendar) if self.until else None
        return (now_s - 3600 * HOURS[within] if within in HOURS else None), None

    def asked(self, span: tuple[float | None, float | None]) -> dict[str, Value]:
        """Parameters of the API's list and export."""
        names = ("serial", "product", "station", "verdict", "label", "lot", "tool", "kind", "cause", "late")
        return {"since_s": span[0], "until_s": span[1]} | {name: getattr(self, name) for name in names}

    @property
    def rare(self) -> bool:
        """Whether it asks for something that is mostly left alone."""
        return bool(self.lot or self.tool or self.kind or self.cause or self.late)
