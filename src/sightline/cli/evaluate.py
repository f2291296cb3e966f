"""`sightline evaluate`: how good a model is on pictures whose truth is known."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from sightline.cli.options import (
    COST,
    PLACE,
    SHARE,
    data_argument,
    json_option,
    megapixels_option,
    model_argument,
    quiet_option,
)
from sightline.cli.products import product_option
from sightline.cli.progress import Bars
from sightline.datasets.boxed import BoxedSet, open_boxed
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.labelled import open_classes
from sightline.datasets.masks import read_mask
from sightline.datasets.opening import open_dataset
from sightline.datasets.segmented import open_segmented
from sightline.datasets.synthetic import refuse_synthetic
from sightline.errors import FrameError
from sightline.evaluation.box_tally import BoxTally
from sightline.evaluation.document import to_json
from sightline.evaluation.report import write_report
from sightline.evaluation.results import BoxFigures, ClassFigures, Evaluation, Exhibit, Judged, Overlap, Rate
from sightline.evaluation.run import Outlines, evaluate, worst
from sightline.files import refuse_unwritable
from sightline.imaging.decode import read_frame
from sightline.inspector import Inspector, load
from sightline.models.features import Progress
from sightline.records import Inspection

_EXHIBITS = 12  # of each kind in the report
_LISTED = 10  # pictures that could not be judged


@click.command("evaluate")
@model_argument
@data_argument
@click.option("--report", type=PLACE, help="Write a report with pictures, one HTML file.")
@click.option(
    "--cost-escape",
    type=COST,
    metavar="COST",
    default=50.0,
    show_default=True,
    help="Of one defect passed, for the report's cost curve.",
)
@click.option(
    "--cost-overkill",
    type=COST,
    metavar="COST",
    default=1.0,
    show_default=True,
    help="Of one good part rejected, in the same unit.",
)
@click.option(
    "--defect-rate",
    type=SHARE,
    metavar="SHARE",
    default=0.01,
    show_default=True,
    help="Share of defective parts on the line, for the cost curve.",
)
@product_option
@megapixels_option
@quiet_option
@json_option
def evaluate_command(
    model: Path,
    data: Path,
    report: Path | None,
    cost_escape: float,
    cost_overkill: float,
    defect_rate: float,
    product: str | None,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Judge the test pictures of DATA with MODEL and compare with the truth.

    Where DATA has no test split, all its pictures are judged. Intervals are exact (Clopper-Pearson) at 95 %. A picture
    that cannot be judged is counted as FAULT; the exit status is then 1.
    """
    if report is not None:
        refuse_unwritable(report)
    inspector = load(model, max_megapixels=max_megapixels)
    thresholds = inspector.limits(product).thresholds
    outlines = None
    if inspector.manifest.segments is not None:
        outlines = Outlines(truth=open_segmented(data), names=inspector.manifest.labels[1:])
    boxed = open_boxed(data) if inspector.manifest.locating else None
    marked = outlines.truth if outlines else boxed
    dataset = marked.dataset if marked else open_classes(data) if inspector.names else open_dataset(data)
    with Bars(quiet=quiet) as bars:
        found = evaluate_model(inspector, dataset, bars, product, outlines=outlines, boxed=boxed)
    if report is not None:
        escapes, overkills = exhibits(found, dataset, inspector, max_megapixels, product)
        notes = [thresholds.rule, thresholds.promise, *caveats(dataset)]
        write_report(
            report,
            found,
            escapes,
            overkills,
            title=f"{dataset.name}: {inspector.manifest.method} model {inspector.model_id}",
            cost_escape=cost_escape,
            cost_overkill=cost_overkill,
            defect_rate=defect_rate,
            notes=notes,
        )
    if as_json:
        document = to_json(found) | {"warnings": caveats(dataset), "report": str(report) if report else None}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo("\n".join(summary(found)))
        for caveat in caveats(dataset):
            click.echo(f"warning: {caveat}")
        if report is not None:
            click.echo(f"report: {report}")
    if found.unjudged:
        others = f", and {len(found.unjudged) - 1} more" if len(found.unjudged) > 1 else ""
        raise FrameError(f"{found.unjudged[0].reason}{others}")


def judged_samples(dataset: Dataset) -> Sequence[Sample]:
    """The test pictures; all, where no split is marked as test. Raises DatasetError if one of them is synthetic."""
    samples = dataset.test or dataset.samples
    refuse_synthetic(samples)
    return samples


def caveats(dataset: Dataset) -> list[str]:
    """What a reader of the figures must know."""
    if dataset.test:
        return []
    return ["the data set has no test split: pictures that the model learned from may be among those judged"]


def evaluate_model(
    inspector: Inspector,
    dataset: Dataset,
    progress: Progress | None = None,
    product: str | None = None,
    *,
    outlines: Outlines | None = None,
    boxed: BoxedSet | None = None,
) -> Evaluation:
    """Judge a data set's test pictures and compare with the truth; raises OptionError as `Inspector.inspect`.

    Args:
        boxed: the data set's boxes, for a model that finds them.
    """
    thresholds = inspector.limits(product).thresholds
    return evaluate(
        _pairs(inspector, judged_samples(dataset), progress, product),
        model_id=inspector.model_id,
        method=inspector.manifest.method,
        dataset=dataset.name,
        threshold=thresholds.reject,
        review_threshold=thresholds.review,
        outlines=outlines,
        boxes=None if boxed is None else _box_tally(inspector, boxed),
    )


def _box_tally(inspector: Inspector, boxed: BoxedSet) -> BoxTally:
    """For the model's classes, at the confidences from which it shows boxes."""
    manifest = inspector.manifest
    assert manifest.locating is not None, "boxes are opened for a model that finds them"
    rules, reject = manifest.locating.classes, manifest.thresholds.reject
    counted = [reject if rule.threshold is None else min(reject, rule.threshold) for rule in rules]
    limits = [max(limit, manifest.locating.confidence) for limit in counted]
    return BoxTally(boxed, [rule.name for rule in rules], limits, manifest.working_size)


def exhibits(
    found: Evaluation, dataset: Dataset, inspector: Inspector, max_megapixels: float, product: str | None = None
) -> tuple[list[Exhibit], list[Exhibit]]:
    """The worst escapes and overkills with their pictures and maps; judged again, as maps are not kept."""
    masks = {str(sample.path): sample.mask for sample in dataset.samples}
    shown = worst(found, _EXHIBITS)

    def exhibit(judged: Judged) -> Exhibit:
        frame = read_frame(Path(judged.source), max_megapixels=max_megapixels)
        mask = masks.get(judged.source)
        return Exhibit(
            judged=judged,
            pixels=frame.pixels,
            bit_depth=frame.bit_depth,
            map=inspector.score(inspector.frame(judged.source), product=product).values,
            mask=read_mask(mask, frame.height, frame.width) if mask and judged.is_defect else None,
        )

    return [exhibit(judged) for judged in shown.escapes], [exhibit(judged) for judged in shown.overkills]


def summary(found: Evaluation) -> list[str]:
    """The figures that matter, in lines."""
    image, pixel = found.image, found.pixel
    rows = {
        "over pictures": f"AUROC {_figure(image.auroc)}, AP {_figure(image.average_precision)}, "
        f"best F1 {_figure(image.best_f1)}, recall at 1 % overkill {_figure(image.recall_at_1pct_overkill)}"
    }
    if pixel is not None:
        rows["over pixels"] = f"AUROC {_figure(pixel.auroc)}, AUPRO {_figure(pixel.aupro)}"
    if found.naming is not None:
        rows["macro F1"] = f"{found.naming.macro_f1:.4f} over {len(found.naming.classes)} classes, most probable name"
        for one in found.naming.classes:
            rows[f"  {one.name}"] = _class_figures(one)
    if found.overlap is not None:
        rows |= outline_rows(found.overlap)
    if found.boxes is not None:
        rows |= _box_rows(found.boxes)
    judged = f"{found.dataset}: {len(found.judged)} pictures judged by {found.method} model {found.model_id}"
    lines = [judged, *indented(outcome(found) | rows)]
    if found.unjudged:
        lines.append(f"  not judged, counted as FAULT: {len(found.unjudged)}")
        lines += [f"    {item.reason}" for item in found.unjudged[:_LISTED]]
        if len(found.unjudged) > _LISTED:
            lines.append(f"    and {len(found.unjudged) - _LISTED} more; --json lists all")
    return lines


def outline_rows(found: Overlap) -> dict[str, str]:
    """How well outlines fit: name -> figures."""
    rows = {
        "outlines": f"IoU {_figure(found.pooled.iou)}, Dice {_figure(found.pooled.dice)} of all defects' pixels; mean "
        f"with the rest {found.mean_iou:.4f}; mean of {found.pictures} pictures {found.picture_iou:.4f}"
    }
    rows |= {f"  outlines of {one.name}": f"IoU {_figure(one.iou)}, Dice {_figure(one.dice)}" for one in found.classes}
    for one in found.instances:
        end = "and more" if one.below_px is None else f"to {one.below_px}"
        rows[f"  defects of {one.from_px} {end} px"] = f"found {_rate(one.recall)}"
    return rows


def _box_rows(found: BoxFigures) -> dict[str, str]:
    rows = {"boxes": f"mAP50 {found.map50:.4f}, mAP50-95 {found.map50_95:.4f} over {len(found.classes)} classes"}
    for one in found.classes:
        shares = {"recall": one.recall.value, "precision": one.precision.value}
        shown = ", ".join(f"{name} {_figure(share)}" for name, share in shares.items())
        rows[f"  {one.name} boxes"] = f"AP50 {_figure(one.ap50)}, AP50-95 {_figure(one.ap50_95)}, {shown}"
    return rows


def outcome(found: Evaluation) -> dict[str, str]:
    """What became of the parts, in words that need no statistics: name -> counts."""
    rows = {"defects caught": _caught(found.escape)}
    rows |= {f"  {label}": _rate(rate) for label, rate in found.recall_by_type.items()}
    rows["good parts rejected"] = _rate(found.overkill)
    if found.review_threshold is not None:
        rows["sent to a person"] = _rate(found.review)
    return rows


def indented(rows: dict[str, str], by: int = 2) -> list[str]:
    """Rows of name and text, in two columns."""
    width = max(map(len, rows))
    return [f"{'':{by}}{name:{width}}  {text}" for name, text in rows.items()]


def _class_figures(one: ClassFigures) -> str:
    shares = {"precision": one.precision, "recall": one.recall, "F1": one.f1}
    shown = []
    for name, share in shares.items():
        if share.value is None or share.low is None or share.high is None:
            shown.append(f"{name} not measured")
        else:
            shown.append(f"{name} {share.value:.3f} ({share.low:.3f} to {share.high:.3f})")
    return f"{', '.join(shown)}; {one.pictures} pictures"


def _pairs(
    inspector: Inspector, samples: Sequence[Sample], progress: Progress | None, product: str | None
) -> Iterator[tuple[Sample, Inspection]]:
    inspections = inspector.inspect_all((sample.path for sample in samples), workers=1, product=product)
    for done, (sample, inspection) in enumerate(zip(samples, inspections, strict=True)):
        yield sample, inspection
        if progress:
            progress("evaluating", done + 1, len(samples))


def _caught(escape: Rate) -> str:
    if escape.value is None or escape.low is None or escape.high is None:
        return _rate(escape)
    return _counted(escape.total - escape.count, escape.total, (1 - escape.value, 1 - escape.high, 1 - escape.low))


def _rate(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return "none among the pictures"
    return _counted(rate.count, rate.total, (rate.value, rate.low, rate.high))


def _counted(count: int, total: int, shares: tuple[float, float, float]) -> str:
    value, low, high = (100 * share for share in shares)
    return f"{count} of {total} ({value:.1f} %; 95 % interval {low:.1f} to {high:.1f} %)"


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"
