"""The audit trail: who changed what and when, each row sealed with the digest of the row before.

A row's digest is the SHA-256 of its canonical JSON (sorted keys, no blanks, ASCII), which holds the digest of the row
before. So a row that was edited, taken out or put in breaks the chain there; the trail's end stands in a row of `facts`
beside it, so that the last ones are missed, too. Somebody who can write to the database can seal the whole chain anew:
only an export kept elsewhere finds that, and `verify` compares with one.
"""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.errors import StoreError
from sightline.store.database import Database, in_turn
from sightline.store.schema import Audit, Fact

FIRST = "0" * 64  # what the first row names as the row before
MOST_LINE_BYTES = 4_000_000  # of an export; a row holds at most two versions of a recipe
_END = "audit end"  # of the row of `facts`
_LOCK = 0x51647561  # ours among PostgreSQL's advisory locks
_BATCH = 1000  # rows in memory at once
_SEALED = ("number", "at_s", "who", "action", "subject", "before", "after", "signed", "previous")
_ADVANCED = "the trail's end says otherwise"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of looking through a trail."""

    rows: int  # that were looked at
    digest: str  # of the last of them
    number: int = 0  # of the row that is not as it was written; 0: all are
    damage: str = ""  # what is the matter with it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows; empty: all."""

    before: int  # only with a smaller number
    limit: int
    who: str = ""
    subject: str = ""
    action: str = ""
    since_s: float = 0.0
    until_s: float = math.inf  # not itself


def note(
    session: Session, *, who: str, action: str, subject: str, before: object, after: object, signed: bool = False
) -> None:
    """Add a row within the caller's own transaction: either both are durable, or neither.

    Call it last: from here to the end of the transaction others wait who note something, on other servers too.

    Args:
        who: the person's or the key's name.
        action: in a word or two, say `promote`.
        subject: what was changed, say `model:cap/3`.
        before: its old value, None where there was none; anything JSON can hold, and dataclasses. Never a secret.
        after: its new value.
        signed: whether the password was given again for it.
    """
    in_turn(session.connection(), _LOCK)
    end = session.get(Fact, _END, populate_existing=True)
    number, previous = _end_of(end)
    row = Audit(
        number=number + 1,
        at_s=time.time(),
        who=_plain(who, 255),
        action=_plain(action, 64),
        subject=_plain(subject, 512),
        before=_json(before),
        after=_json(after),
        signed=signed,
        previous=previous,
    )
    row.digest = _digest(_values(row))
    session.add(row)
    if end is None:
        session.add(Fact(name=_END, value=f"{row.number} {row.digest}"))
    else:
        end.value = f"{row.number} {row.digest}"
    session.flush()


def changes(database: Database, wanted: Wanted) -> list[dict[str, Any]]:
    """Rows by column, the newest first; `before` and `after` are JSON."""
    query = select(Audit).where(Audit.number < wanted.before).order_by(Audit.number.desc()).limit(wanted.limit)
    equal = {Audit.who: wanted.who, Audit.subject: wanted.subject, Audit.action: wanted.action}
    query = query.where(Audit.at_s >= wanted.since_s)
    if math.isfinite(wanted.until_s):
        query = query.where(Audit.at_s < wanted.until_s)
    with database.reading() as session:
        found = session.scalars(query.where(*(column == value for column, value in equal.items() if value)))
        return [{**_values(row), "digest": row.digest} for row in found]


def verify(database: Database, exported: Iterable[str] = ()) -> Checked:
    """Look through the whole trail, from its first row on, up to the first that is not as it was written.

    Args:
        exported: the lines of an earlier export, which must still be the trail's beginning.

    Raises:
        StoreError: the database cannot be read, or the export is none.
    """
    earlier = check_export(exported) if exported else Checked(rows=0, digest=FIRST)
    if earlier.number:
        return earlier
    with _snapshot(database) as (rows, end):
        return _check(rows, end, (earlier.rows, earlier.digest))


def export(database: Database, file: IO[str]) -> Checked:
    """Write the trail as lines of JSON, the last of which says where it ends; `check_export` needs nothing else."""
    with _snapshot(database) as (rows, end):
        checked = _check(_written(rows, file), end, (0, FIRST))
        file.write(_line({"rows": end[0], "digest": end[1]}))
        return checked


def check_export(lines: Iterable[str]) -> Checked:
    """Look through an export, without a database.

    Raises:
        StoreError: it is none, or was cut short.
    """
    found = _Lines(lines)
    checked = _check(found, None, (0, FIRST))
    if checked.number:
        return checked
    if found.end is None:
        raise StoreError("audit export: its last line is missing, so that it was cut short. Export it again.")
    return _ended(checked, found.end)


class _Lines:
    """The rows of an export, and its end once they were gone through."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.end: tuple[int, str] | None = None

    def __iter__(self) -> Iterator[Mapping[str, object]]:
        for place, line in enumerate(self._lines, 1):
            row = _row(line, place)
            if self.end is not None:
                raise StoreError(
                    f"audit export, line {place}: stands after the end; nothing may be added to an export."
                )
            if set(row) == {"rows", "digest"}:
                self.end = (_number(row["rows"]), str(row["digest"]))
            else:
                yield row


def _check(rows: Iterable[Mapping[str, object]], end: tuple[int, str] | None, known: tuple[int, str]) -> Checked:
    """Follow the chain; `end` and `known` are (row, digest) that must be met, the first as the last row."""
    previous, count = FIRST, 0
    for row in rows:
        damage = _damage(row, count + 1, previous)
        if not damage and count + 1 == known[0] and row["digest"] != known[1]:
            damage = "is another one than in the export"
        if damage:
            return Checked(rows=count + 1, digest=previous, number=count + 1, damage=damage)
        previous, count = str(row["digest"]), count + 1
    checked = Checked(rows=count, digest=previous)
    if count < known[0]:
        return dataclasses.replace(checked, number=count + 1, damage=f"is missing; the export has {known[0]} rows")
    return checked if end is None else _ended(checked, end)


def _ended(checked: Checked, end: tuple[int, str]) -> Checked:
    if checked.number or (checked.rows, checked.digest) == end:
        return checked
    if checked.rows < end[0]:
        return dataclasses.replace(checked, number=checked.rows + 1, damage=f"is missing; there were {end[0]} rows")
    return dataclasses.replace(
        checked, number=max(end[0], 1), damage=f"is not the last one, or not as it was; {_ADVANCED}"
    )


def _damage(row: Mapping[str, object], number: int, previous: str) -> str:
    if set(row) != {*_SEALED, "digest"}:
        return "has other fields than a row of the trail"
    if row["number"] != number:
        return f"is missing; number {row['number']} is in its place"
    if row["previous"] != previous:
        return "does not name the digest of the row before"
    return "" if row["digest"] == _digest(row) else "was changed: its digest is another"


@contextmanager
def _snapshot(database: Database) -> Iterator[tuple[Iterator[Mapping[str, object]], tuple[int, str]]]:
    """All rows in order and the end, as of one moment, which is what reading gives."""
    query = select(Audit).order_by(Audit.number).execution_options(yield_per=_BATCH)
    with database.reading() as session:
        end = _end_of(session.get(Fact, _END))
        with closing(session.scalars(query)) as rows:  # also where the chain breaks before their end
            yield ({**_values(row), "digest": row.digest} for row in rows), end


def _end_of(fact: Fact | None) -> tuple[int, str]:
    if fact is None:
        return 0, FIRST
    number, _, digest = fact.value.partition(" ")
    return _number(number), digest


def _written(rows: Iterable[Mapping[str, object]], file: IO[str]) -> Iterator[Mapping[str, object]]:
    for row in rows:
        file.write(_line(row))
        yield row


def _row(line: str, place: int) -> Mapping[str, object]:
    try:
        row = json.loads(line) if len(line) <= MOST_LINE_BYTES else None
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise StoreError(f"audit export, line {place}: is no row of an audit trail.")
    return row


def _number(value: object) -> int:
    """-1, which no row has, for what is none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _values(row: Audit) -> dict[str, object]:
    return {name: getattr(row, name) for name in _SEALED}


def _digest(row: Mapping[str, object]) -> str:
    return hashlib.sha256(_json({name: row[name] for name in _SEALED}).encode("ascii")).hexdigest()


def _line(row: Mapping[str, object]) -> str:
    return f"{_json(row)}\n"


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_fields)


def _fields(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} has no place in the audit trail")


def _plain(words: str, most: int) -> str:
    """As every database can hold it: no NUL, no half of a surrogate pair, no longer than its column."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")[:most]
