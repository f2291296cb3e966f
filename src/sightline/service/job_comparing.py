"""Jobs that hold two models against each other, on the very same pictures."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sightline.datasets.dataset import GOOD
from sightline.errors import DatasetError, OptionError
from sightline.evaluation.intervals import rate
from sightline.evaluation.paired_auroc import paired_auroc, verdict_difference
from sightline.feedback.scored import ids_with_graph_of, pictures_seen
from sightline.files import write_bytes
from sightline.imaging.decode import read_frame
from sightline.imaging.overlay import overlay
from sightline.imaging.writing import png
from sightline.inspector import Inspector, load
from sightline.records import Inspection, Verdict
from sightline.service.job_pictures import dataset_of
from sightline.service.job_task import SCRATCH, Kind, Task, model_file
from sightline.store.database import Database

ROWS = "comparison.json"  # a row for each picture
_MOST = 5_000  # pictures
_DRAWN = 40  # pictures on which they differ, drawn with both maps
_LEAST_OF_A_KIND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """Two versions of one name, or of two, and what they are compared on."""

    name: str
    first: int  # version
    second: int
    other: str = ""  # name of the second; empty: that of the first
    dataset: str = ""  # NAME/VERSION; empty: the newest pictures that either of them judged at the line
    most: int = 200  # pictures
    product: str | None = None  # whose bank judges, in a model with a bank for each

    def __post_init__(self) -> None:
        if len(set(self.versions)) < 2:
            raise OptionError(f"first and second are both {self.first}; give two versions.")
        if not 1 <= self.most <= _MOST:
            raise OptionError(f"most is {self.most}; give 1 to {_MOST} pictures.")

    @property
    def versions(self) -> tuple[tuple[str, int], ...]:
        """(name, version) of both."""
        return (self.name, self.first), (self.other or self.name, self.second)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """One picture and what the two say of it."""

    path: Path  # named by its digest
    label: str  # empty: nobody has decided
    found: tuple[Inspection, Inspection]

    @property
    def verdicts(self) -> tuple[Verdict, Verdict]:
        return self.found[0].verdict, self.found[1].verdict


def _compare(options: CompareOptions, task: Task) -> Mapping[str, Any]:
    judges = [load(model_file(task.site, f"{name}/{version}")) for name, version in options.versions]
    pictures = _pictures(options, task)
    rows: list[dict[str, Any]] = []
    drawn = 0
    for done, (path, label) in enumerate(pictures, 1):
        pair = _pair(judges, path, label, options.product)
        row = _row(pair)
        if pair.verdicts[0] is not pair.verdicts[1] and drawn < _DRAWN:
            drawn += 1
            row["drawn"] = [_draw(pair, which, task.folder) for which in range(2)]
        rows.append(row)
        task.progress("judging", done, len(pictures))
    write_bytes(task.folder / ROWS, json.dumps(rows).encode())
    compared = {name: getattr(options, name) for name in ("name", "first", "second", "other")}
    return compared | summary(rows) | {"file": ROWS}


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the rows come to: agreement of all, and where the truth is known how far apart the two are."""
    table = Counter((row["verdicts"][0], row["verdicts"][1]) for row in rows)
    agreed = sum(count for (one, other), count in table.items() if one == other)
    known = [row for row in rows if row["label"] and None not in row["scores"]]
    defects = [row["label"] != GOOD for row in known]
    found: dict[str, Any] = {
        "pictures": len(rows),
        "labelled": len(known),
        "agreement": {one: {other: table[one, other] for other in Verdict if table[one, other]} for one in Verdict},
        "agreed": asdict(rate(agreed, len(rows))),
    }
    if min(sum(defects), len(defects) - sum(defects)) >= _LEAST_OF_A_KIND:
        first, second = ([row["scores"][which] for row in known] for which in range(2))
        found["auroc"] = asdict(paired_auroc(first, second, defects))
    for name, is_defect, wrong in (("escape", True, Verdict.PASS), ("overkill", False, Verdict.REJECT)):
        chosen = [row["verdicts"] for row, defect in zip(known, defects, strict=True) if defect is is_defect]
        if chosen:
            found[name] = _shares(chosen, wrong)
    return found


def _shares(chosen: Sequence[Sequence[str]], wrong: Verdict) -> dict[str, Any]:
    hits = [tuple(verdict == wrong for verdict in pair) for pair in chosen]
    alone = Counter(hits)
    return {
        "first": asdict(rate(sum(one for one, _ in hits), len(hits))),
        "second": asdict(rate(sum(other for _, other in hits), len(hits))),
        "difference": asdict(verdict_difference(alone[True, False], alone[False, True], len(hits))),
    }


def _pictures(options: CompareOptions, task: Task) -> list[tuple[Path, str]]:
    if options.dataset:
        dataset = dataset_of(task, options.dataset)
        return [(sample.path, sample.label) for sample in (dataset.test or dataset.samples)[: options.most]]
    folder = task.folder / SCRATCH
    folder.mkdir(exist_ok=True)
    with closing(Database(task.site.database)) as database:
        with database.reading() as session:
            ids = {one for name, version in options.versions for one in ids_with_graph_of(session, name, version)}
            seen = pictures_seen(session, sorted(ids), most=options.most)
        if not seen:
            raise DatasetError(f"{options.name}: no picture that it judged is stored; give a data set.")
        kept = task.site.kept_pictures(database)
        for one in seen:
            kept.write_to(one.picture, folder / one.picture)
    return [(folder / one.picture, one.label) for one in seen]


def _pair(judges: Sequence[Inspector], path: Path, label: str, product: str | None) -> _Pair:
    banks = any(judge.manifest.separate for judge in judges)  # where only one has them, the other takes no product
    first, second = (
        judge.inspect(path, product=product if judge.manifest.separate or not banks else None) for judge in judges
    )
    return _Pair(path=path, label=label, found=(first, second))


def _row(pair: _Pair) -> dict[str, Any]:
    return {
        "picture": pair.path.name.partition(".")[0],
        "label": pair.label,
        "verdicts": [str(verdict) for verdict in pair.verdicts],
        "scores": [found.score for found in pair.found],
    }


def _draw(pair: _Pair, which: int, folder: Path) -> str:
    """Draw one model's map over the picture; the file's name, or empty where there is no map."""
    found = pair.found[which]
    if found.map is None:
        return ""
    frame = read_frame(pair.path)
    content = png(overlay(frame.pixels, frame.bit_depth, found.map, found.threshold, defects=found.defects))
    name = f"{pair.path.name.partition('.')[0]}-{'ab'[which]}.png"
    write_bytes(folder / name, content)
    return name


COMPARE = Kind(
    name="compare",
    told="hold two models, or two versions of one, against each other",
    options=CompareOptions,
    run=_compare,
)
