"""Stored parts judged again by a model: which verdicts would change, and whether people said that they should."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.datasets.dataset import GOOD
from sightline.errors import DatasetError, FrameError, NotFoundError, OptionError, StoreAway, StoreError
from sightline.feedback.scored import labels_of
from sightline.files import write_bytes
from sightline.inspector import Inspector, load
from sightline.records import Inspection, Verdict
from sightline.service.job_task import Kind, Task, model_file
from sightline.store.database import Database
from sightline.store.export import cell
from sightline.store.inspections import MOST as PAGE
from sightline.store.inspections import Filter, Place, Summary, View, page
from sightline.store.pictures import Pictures
from sightline.store.schema import Model

MOST = 200_000  # parts of one job
LIST = "verdicts.csv"
_SHOWN = 200  # changed verdicts in the result; the file has all
_COLUMNS = (
    *("inspection", "at_s", "station", "product", "serial", "view", "picture", "truth"),
    *("verdict_before", "score_before", "threshold_before", "model_before"),
    *("verdict", "score", "threshold", "label", "reason"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejudgeOptions:
    """Which stored parts, and by which model."""

    model: str  # NAME of the current version, or NAME/VERSION
    since_s: float | None = None  # seconds since 1970
    until_s: float | None = None  # not included
    product: str = ""
    station: str = ""
    verdict: Literal["", "PASS", "REJECT", "REVIEW", "FAULT"] = ""  # that they have
    label: str = ""  # of their worst defect
    serial: str = ""
    view: str = ""  # empty: the views that any version of this model judged
    most: int = 10_000  # parts, the newest

    def __post_init__(self) -> None:
        if not 1 <= self.most <= MOST:
            raise OptionError(f"most is {self.most}; give 1 to {MOST} parts.")

    def chosen(self) -> Filter:
        return Filter(
            since_s=self.since_s,
            until_s=self.until_s,
            product=self.product,
            station=self.station,
            verdict=self.verdict,
            label=self.label,
            serial=self.serial,
        )


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What the pictures came to so far."""

    parts: int = 0
    changed_parts: int = 0
    pictures: int = 0
    missing: int = 0  # views whose picture was not stored, or is no longer
    verdicts: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)  # by what people said, and who agrees
    changed: list[dict[str, Any]] = field(default_factory=list)


def _rejudge(options: RejudgeOptions, task: Task) -> Mapping[str, Any]:
    inspector = load(model_file(task.site, options.model))
    tally = _Tally()
    with closing(Database(task.site.database)) as database:
        pictures = task.site.kept_pictures(database)
        with database.reading() as session:
            judges = _ids(session, options.model.partition("/")[0])
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, _COLUMNS)
        writer.writeheader()
        for part, views, truth in _parts(database, options, judges):
            rows = [_row(part, view, truth, _judged(inspector, pictures, part, view)) for view in views]
            _count(tally, rows)
            writer.writerows({name: cell(value) for name, value in row.items()} for row in rows if row["verdict"])
            task.progress("judging", tally.parts, options.most)
    if not tally.pictures:
        raise DatasetError(
            f"{options.model}: of {tally.parts} parts no picture is stored of a view that it judged; "
            "name a view, or choose other parts."
        )
    write_bytes(task.folder / LIST, text.getvalue().encode())
    return _told(tally) | {"model_id": inspector.model_id, "file": LIST}


def _ids(session: Session, name: str) -> frozenset[str]:
    return frozenset(session.scalars(select(Model.model_id).where(Model.name == name)))


def _parts(
    database: Database, options: RejudgeOptions, judges: frozenset[str]
) -> Iterator[tuple[Summary, list[View], str]]:
    """Parts, newest first, each with the views to judge and what it is: GOOD, a defect's name, empty: not known."""
    before: Place | None = None
    left = options.most
    while left:
        with database.reading() as session:
            found = page(session, options.chosen(), before=before, limit=min(left, PAGE))
            truths = labels_of(session, [part.id for part in found.items])
        for part in found.items:
            wanted = [v for v in part.views if (v.view == options.view if options.view else v.model_id in judges)]
            yield part, wanted, truths.get(part.id, "")
        left -= len(found.items)
        before = found.next
        if before is None:
            return


def _judged(inspector: Inspector, pictures: Pictures, part: Summary, view: View) -> Inspection | str | None:
    """What the model says; a reason where it cannot; None where there is no picture."""
    if view.picture is None:
        return None
    try:
        content = pictures.read(view.picture)
    except NotFoundError:  # its time was over
        return None
    except StoreAway:  # that is no picture's fault: the job fails, and says so
        raise
    except StoreError as error:
        return str(error)
    try:
        return inspector.inspect(content, product=part.product if inspector.manifest.separate else None)
    except (FrameError, OptionError) as error:
        return str(error)


def _row(part: Summary, view: View, truth: str, found: Inspection | str | None) -> dict[str, Any]:
    """`verdict` is empty where there is no picture; what cannot be judged is a FAULT."""
    row: dict[str, Any] = {
        "inspection": part.id,
        "at_s": part.at_s,
        "station": part.station,
        "product": part.product,
        "serial": part.serial,
        "view": view.view,
        "picture": view.picture,
        "truth": truth,
        "verdict_before": view.verdict,
        "score_before": view.score,
        "threshold_before": view.threshold,
        "model_before": view.model_id,
    }
    if isinstance(found, Inspection):
        label = found.defects[0].label if found.defects else ""
        judged = {"verdict": str(found.verdict), "score": found.score, "threshold": found.threshold}
        return row | judged | {"label": label, "reason": found.fault or ""}
    verdict = "" if found is None else str(Verdict.FAULT)
    return row | {"verdict": verdict, "score": None, "threshold": None, "label": "", "reason": found or ""}


def _count(tally: _Tally, rows: Sequence[dict[str, Any]]) -> None:
    judged = [row for row in rows if row["verdict"]]
    flipped = [row for row in judged if row["verdict"] != row["verdict_before"]]
    tally.parts += 1
    tally.changed_parts += bool(flipped)
    tally.pictures += len(judged)
    tally.missing += len(rows) - len(judged)
    tally.verdicts.update(row["verdict"] for row in judged)
    tally.changes.update(f"{row['verdict_before']} to {row['verdict']}" for row in flipped)
    tally.changed += flipped[: _SHOWN - len(tally.changed)]
    if len(judged) == 1 and judged[0]["truth"]:  # of several views nobody has said which one shows it
        row = judged[0]
        is_good = row["truth"] == GOOD
        tally.decided["good" if is_good else "bad"] += 1
        for name in ("verdict_before", "verdict"):
            wrong = row[name] != Verdict.PASS if is_good else row[name] == Verdict.PASS
            tally.decided[f"{'overkill' if is_good else 'escape'} {name}"] += wrong


def _told(tally: _Tally) -> dict[str, Any]:
    decided = tally.decided
    return {
        "parts": tally.parts,
        "changed_parts": tally.changed_parts,
        "pictures": tally.pictures,
        "missing": tally.missing,
        "verdicts": dict(tally.verdicts),
        "changes": dict(tally.changes),
        "changed": tally.changed,
        "decided": {
            name: {
                "parts": decided["good" if name == "overkill" else "bad"],
                "before": decided[f"{name} verdict_before"],
                "now": decided[f"{name} verdict"],
            }
            for name in ("escape", "overkill")
        },
    }


REJUDGE = Kind(
    name="rejudge",
    told="judge stored parts again, and list the verdicts that would change",
    options=RejudgeOptions,
    run=_rejudge,
)
