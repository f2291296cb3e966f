"""Jobs that judge pictures again: validation against the truth, re-inspection against another model or the record."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.labelled import open_classes
from sightline.datasets.opening import open_dataset
from sightline.datasets.pictures import is_picture
from sightline.datasets.synthetic import refuse_synthetic
from sightline.errors import DatasetError
from sightline.evaluation.document import to_json
from sightline.evaluation.paired_auroc import paired_auroc
from sightline.evaluation.report import write_report
from sightline.evaluation.results import Evaluation
from sightline.evaluation.run import evaluate
from sightline.files import write_bytes
from sightline.inspector import Inspector, load
from sightline.records import Inspection, Verdict
from sightline.service.job_pictures import dataset_of, one_source
from sightline.service.job_task import Kind, Task, inside, model_file
from sightline.store import models
from sightline.store.database import Database

JUDGED = "judged.json"  # a row for each picture of an evaluation
_LEAST_OF_A_KIND = 2  # pictures from which an AUROC has an interval
_SHOWN = 200  # changed verdicts in the result; the file has all
MOST_PICTURES = 1_000_000
Figures = dict[str, float | int | str | None]
_LIST = "verdicts.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateOptions:
    """As `sightline evaluate` takes them."""

    model: str  # NAME of the current version, or NAME/VERSION
    data: str = ""  # folder below the server's data; or `dataset`
    dataset: str = ""  # NAME/VERSION of a data set, or NAME for its newest version
    product: str | None = None
    cost_escape: float = 50.0
    cost_overkill: float = 1.0
    defect_rate: float = 0.01

    def __post_init__(self) -> None:
        one_source(self.data, self.dataset)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinspectOptions:
    """A folder of pictures judged by one model, and by another one to compare with."""

    model: str  # NAME of the current version, or NAME/VERSION
    data: str  # folder below the server's data, with all that lies in it
    against: str | None = None  # another model; None: no comparison
    product: str | None = None


def _validate(options: ValidateOptions, task: Task) -> Mapping[str, Any]:
    inspector = load(model_file(task.site, options.model))
    dataset = _dataset(options, task, named=bool(inspector.names))
    found, times = _evaluated(inspector, dataset, dataset.test or dataset.samples, options.product, task)
    thresholds = inspector.limits(options.product).thresholds
    write_report(
        task.folder / "report.html",
        found,
        (),
        (),
        title=f"{dataset.name}: {inspector.manifest.method} model {inspector.model_id}",
        cost_escape=options.cost_escape,
        cost_overkill=options.cost_overkill,
        defect_rate=options.defect_rate,
        notes=[thresholds.rule, thresholds.promise],
    )
    document = to_json(found)
    judged = document.pop("judged", [])  # a row for each picture: in a file
    write_bytes(task.folder / JUDGED, json.dumps([_shown(row) for row in judged]).encode())
    figures = _figures(found, times)
    _attach(options.model, figures, task)
    return document | {"page": "report.html", "scores": JUDGED, "tested": bool(dataset.test), "figures": figures}


def tested(inspector: Inspector, dataset: Dataset, task: Task) -> Figures:
    """What stands beside a model that judged a data set's pictures for testing, with `f1`, `recall` and `precision`.

    These are of telling what is not good, REVIEW included; what the pictures do not tell is left out.
    """
    found, times = _evaluated(inspector, dataset, dataset.test, None, task)
    told = [(item.is_defect, item.verdict is not Verdict.PASS) for item in found.judged]
    hits, true, said = told.count((True, True)), sum(one for one, _ in told), sum(one for _, one in told)
    named = (("f1", 2 * hits, true + said), ("recall", hits, true), ("precision", hits, said))
    return _figures(found, times) | {name: part / whole for name, part, whole in named if true and whole}


def _evaluated(
    inspector: Inspector, dataset: Dataset, samples: Sequence[Sample], product: str | None, task: Task
) -> tuple[Evaluation, list[float]]:
    """The evaluation, and how long each picture took, ms."""
    refuse_synthetic(samples)
    thresholds = inspector.limits(product).thresholds
    times: list[float] = []
    found = evaluate(
        _judged_samples(inspector, samples, product, task, times),
        model_id=inspector.model_id,
        method=inspector.manifest.method,
        dataset=dataset.name,
        threshold=thresholds.reject,
        review_threshold=thresholds.review,
    )
    return found, times


def _dataset(options: ValidateOptions, task: Task, *, named: bool) -> Dataset:
    if options.dataset:
        return dataset_of(task, options.dataset)
    data = inside(task.site.data, options.data, "data")
    return open_classes(data) if named else open_dataset(data)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A picture's row by the name of its file, as where it lay is nobody's business."""
    return {"picture": Path(row["source"]).name, "label": row["label"], "score": row["score"]}


def _figures(found: Evaluation, times: Sequence[float]) -> Figures:
    """What stands beside the model from now on; intervals as NAME_low and NAME_high."""
    figures: Figures = {"dataset": found.dataset, "pictures": len(found.judged)}
    for name, rate in (("escape", found.escape), ("overkill", found.overkill)):
        if rate.total:
            figures |= {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high}
    defects = [item.is_defect for item in found.judged]
    if min(sum(defects), len(defects) - sum(defects)) >= _LEAST_OF_A_KIND:
        scores = [item.score for item in found.judged]
        area = paired_auroc(scores, scores, defects).first
        figures |= {"auroc": area.value, "auroc_low": area.low, "auroc_high": area.high}
    return figures | ({"latency_ms": median(times)} if times else {})


def _attach(model: str, figures: Figures, task: Task) -> None:
    name, _, version = model.partition("/")
    with closing(Database(task.site.database)) as database:
        known = models.one(database, name, int(version) if version else None)
        models.attach(database, name, known.version, figures, by=task.author)


def _judged_samples(
    inspector: Inspector, samples: Sequence[Sample], product: str | None, task: Task, times: list[float]
) -> Iterator[tuple[Sample, Inspection]]:
    for done, sample in enumerate(samples, 1):
        found = inspector.inspect(sample.path, product=product)
        if found.timings is not None:
            times.append(found.timings.total_ms)
        yield sample, found
        task.progress("judging", done, len(samples))


def _reinspect(options: ReinspectOptions, task: Task) -> Mapping[str, Any]:
    root = inside(task.site.data, options.data, "data")
    pictures = _pictures(root)
    model = load(model_file(task.site, options.model))
    other = load(model_file(task.site, options.against)) if options.against else None
    rows, verdicts, changes = [], Counter[str](), Counter[str]()
    changed: list[dict[str, Any]] = []
    for done, picture in enumerate(pictures, 1):
        now = model.inspect(picture, product=options.product)
        before = None if other is None else other.inspect(picture, product=options.product)
        row = _row(str(picture.relative_to(root)), now, before)
        rows.append(row)
        verdicts[now.verdict] += 1
        if before is not None and before.verdict is not now.verdict:
            changes[f"{before.verdict} to {now.verdict}"] += 1
            changed.append(row)
        task.progress("judging", done, len(pictures))
    write_bytes(task.folder / _LIST, _as_csv(rows))
    return {
        "pictures": len(pictures),
        "model_id": model.model_id,
        "against": None if other is None else other.model_id,
        "verdicts": dict(verdicts),
        "changes": dict(changes),
        "changed": changed[:_SHOWN],
        "file": _LIST,
    }


def _pictures(root: Path) -> list[Path]:
    """All below a folder, by name; what a link leads to outside is left out."""
    found = sorted(path for path in root.rglob("*") if is_picture(path) and path.resolve().is_relative_to(root))
    if not found:
        raise DatasetError(f"{root.name}: holds no pictures; give another folder.")
    if len(found) > MOST_PICTURES:
        raise DatasetError(f"{root.name}: holds {len(found)} pictures; give at most {MOST_PICTURES} at once.")
    return found


def _row(name: str, now: Inspection, before: Inspection | None) -> dict[str, Any]:
    row = {"picture": name, "verdict": str(now.verdict), "score": now.score, "label": _label(now)}
    if before is not None:
        row |= {"verdict_before": str(before.verdict), "score_before": before.score, "label_before": _label(before)}
    return row


def _label(found: Inspection) -> str:
    return found.defects[0].label if found.defects else ""


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


VALIDATE = Kind(
    name="validate", told="judge a data set and compare with the truth", options=ValidateOptions, run=_validate
)
REINSPECT = Kind(
    name="reinspect", told="judge a folder again, and compare two models", options=ReinspectOptions, run=_reinspect
)
