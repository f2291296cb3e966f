"""Lines of a Lookout data set: a picture, and whether people call it normal."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sightline.datasets.dataset import GOOD, label_named
from sightline.errors import DatasetError

MOST_ENTRIES = 20_000  # of a data set; Lookout's own quota was 16,000 for training
_CLASS = "groundtruth/image-classification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line."""

    text: str
    source: str  # s3://bucket/key
    label: str | None  # good or what is wrong; None: nobody has said
    created_s: float | None  # when it was labelled; None: not told


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which lines are asked for."""

    labelled: bool | None = None
    anomaly: bool | None = None
    before_s: float | None = None
    after_s: float | None = None
    contains: str = ""

    def takes(self, entry: Entry) -> bool:
        if self.labelled is not None and (entry.label is not None) != self.labelled:
            return False
        if self.anomaly is not None and (entry.label is None or (entry.label != GOOD) != self.anomaly):
            return False
        if self.before_s is not None and not (entry.created_s is not None and entry.created_s < self.before_s):
            return False
        if self.after_s is not None and not (entry.created_s is not None and entry.created_s > self.after_s):
            return False
        return self.contains in entry.source


def parse(text: str) -> list[Entry]:
    """The lines of a manifest; raises DatasetError with the number of one that cannot be used."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(lines) > MOST_ENTRIES:
        raise DatasetError(f"the manifest has {len(lines)} lines; {MOST_ENTRIES} are the most.")
    return [_entry(line.strip(), f"line {number}") for number, line in lines]


def merged(former: Iterable[Entry], changes: Iterable[Entry]) -> list[Entry]:
    """What was, with what is new; a line of the same picture takes the place of the former."""
    entries = {entry.source: entry for entry in former}
    entries |= {entry.source: entry for entry in changes}
    if len(entries) > MOST_ENTRIES:
        raise DatasetError(f"the data set would have {len(entries)} lines; {MOST_ENTRIES} are the most.")
    return list(entries.values())


def _entry(line: str, where: str) -> Entry:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: is not JSON ({str(error)[:80]}).") from error
    source = document.get("source-ref") if isinstance(document, dict) else None
    if not isinstance(source, str) or not source.startswith("s3://"):
        raise DatasetError(f'{where}: lacks "source-ref": "s3://BUCKET/KEY".')
    told = _told(document)
    name = told.get("class-name")
    if told and (not isinstance(name, str) or not name.strip()):
        raise DatasetError(f'{where}: lacks "class-name", which says normal or anomaly.')
    label = label_named(name) if isinstance(name, str) else None
    return Entry(text=line, source=source, label=label, created_s=_moment(told.get("creation-date")))


def _told(document: dict[str, Any]) -> dict[str, Any]:
    """What is said of the picture as a whole."""
    for key, value in document.items():
        if key.endswith("-metadata") and isinstance(value, dict) and value.get("type") == _CLASS:
            return value
    return {}


def _moment(text: object) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None
