"""How long pictures are kept, and where: by class and age; docs/pictures.md."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from sightline.errors import OptionError
from sightline.line.toml_table import NotNegative, TomlFile

DAY_S = 86_400.0
SEVEN_YEARS = 7 * 365.25  # days


class Kept(StrEnum):
    """Why a picture is kept, the weakest reason first."""

    PASS = "pass"
    REJECT = "reject"  # rejects, faults, doubtful and audited parts
    REVIEWED = "reviewed"
    REGULATED = "regulated"
    DATASET = "dataset"


class Tier(StrEnum):
    """Where a picture's bytes lie."""

    HOT = "hot"
    NEARLINE = "nearline"
    ARCHIVE = "archive"
    GONE = "gone"  # removed after its time


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Ages in days at which a picture of one class moves on; None: never."""

    name: Kept
    nearline_days: NotNegative | None = None
    archive_days: NotNegative | None = None
    remove_days: NotNegative | None = None

    def __post_init__(self) -> None:
        days = [day for day in (self.nearline_days, self.archive_days, self.remove_days) if day is not None]
        if days != sorted(days):
            raise OptionError(f'"{self.name}": nearline, archive and remove must follow each other.')
        if self.name is Kept.REGULATED and self.remove_days is not None and self.remove_days < SEVEN_YEARS:
            raise OptionError(f"regulated parts are kept for seven years; give remove_days of {SEVEN_YEARS:g} or more.")

    def tier_at(self, age_s: float) -> Tier:
        """Where a picture of this age belongs."""
        steps = ((self.remove_days, Tier.GONE), (self.archive_days, Tier.ARCHIVE), (self.nearline_days, Tier.NEARLINE))
        return next((tier for days, tier in steps if days is not None and age_s >= days * DAY_S), Tier.HOT)


DEFAULT = (
    Rule(name=Kept.PASS, nearline_days=7.0, remove_days=30.0),
    Rule(name=Kept.REJECT, nearline_days=30.0, archive_days=180.0, remove_days=730.0),
    Rule(name=Kept.REVIEWED, nearline_days=30.0, archive_days=365.0, remove_days=1095.0),
    Rule(name=Kept.REGULATED, nearline_days=30.0, archive_days=180.0, remove_days=SEVEN_YEARS),
    Rule(name=Kept.DATASET, nearline_days=90.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """All rules of a plant; a class that is not named keeps its default."""

    keep: tuple[Rule, ...] = ()
    regulated: tuple[str, ...] = ()  # products, as they are called or with * and ?

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.keep]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise OptionError(f'two rules are for "{twice[0]}"; give one.')

    def rule(self, kept: Kept) -> Rule:
        return next(rule for rule in (*self.keep, *DEFAULT) if rule.name is kept)

    def class_of(self, *, product: str, verdict: str, kind: str, reviewed: bool) -> Kept:
        """The strongest class that a picture of such an inspection is in."""
        classes = [Kept.PASS if verdict == "PASS" and kind == "production" else Kept.REJECT]
        if reviewed:
            classes.append(Kept.REVIEWED)
        if any(fnmatchcase(product, pattern) for pattern in self.regulated):
            classes.append(Kept.REGULATED)
        return self.strongest(classes)

    def strongest(self, classes: Iterable[Kept]) -> Kept:
        """The one that is kept longest; of equals the later in the list of classes."""
        order = list(Kept)
        return max(classes, key=lambda kept: (_days(self.rule(kept).remove_days), order.index(kept)))

    def keep_until_s(self, kept: Kept, stored_s: float) -> float | None:
        """None: for ever."""
        days = self.rule(kept).remove_days
        return None if days is None else stored_s + days * DAY_S


def read_retention(path: Path) -> Retention:
    """The rules in a TOML file; raises OptionError with all that is wrong with it.

    regulated = ["implant-*"]
    [[keep]]
    name = "pass"
    nearline_days = 7
    remove_days = 30
    """
    return TomlFile(path, {}).read(Retention)


def _days(days: float | None) -> float:
    return math.inf if days is None else days
