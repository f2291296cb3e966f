"""`sightline calibrate`: set a model's thresholds for a rate, a cost or a recall."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np

from sightline.bundle import Bundle, load, save_changed
from sightline.cli.naming import class_documents, class_lines, probabilities_of, with_recalls
from sightline.cli.options import (
    COST,
    PLACE,
    SHARE,
    Recall,
    by_type,
    json_option,
    megapixels_option,
    model_argument,
    quiet_option,
)
from sightline.cli.products import product_option
from sightline.cli.progress import Bars
from sightline.datasets.dataset import GOOD, Sample
from sightline.datasets.labelled import open_classes
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError, FrameError
from sightline.evaluation.metrics import Scores
from sightline.evaluation.thresholds import (
    ALL,
    Threshold,
    for_cost,
    for_overkill,
    for_recall,
    review_for_recall,
    review_for_share,
)
from sightline.files import refuse_unwritable
from sightline.inspector import Inspector
from sightline.manifest import BAND, Manifest, Thresholds, model_id
from sightline.products import Limits, limits_of, with_thresholds

DefectScores = dict[str, list[float]]  # by label


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What the command line asks for."""

    max_overkill: float | None
    cost_escape: float | None
    cost_overkill: float | None
    defect_rate: float | None
    min_recall: dict[str, float]
    guaranteed: bool
    max_review: float | None
    review_recall: dict[str, float]

    def __post_init__(self) -> None:
        costs = [cost for cost in (self.cost_escape, self.cost_overkill) if cost is not None]
        rules = [self.max_overkill is not None, bool(costs), bool(self.min_recall)]
        if sum(rules) > 1:
            raise click.UsageError("give one of --max-overkill, --cost-escape with --cost-overkill, or --min-recall.")
        if sum(rules) == 0 and self.max_review is None and not self.review_recall:
            raise click.UsageError(
                "nothing to calibrate for; give --max-overkill, the two costs, --min-recall or a REVIEW band."
            )
        if len(costs) == 1:
            raise click.UsageError("--cost-escape and --cost-overkill belong together; give both, in one unit.")
        if self.defect_rate is not None and not costs:
            raise click.UsageError("--defect-rate belongs to the costs; give --cost-escape and --cost-overkill.")
        if self.max_review is not None and self.review_recall:
            raise click.UsageError("give one of --max-review and --review-recall.")
        if self.guaranteed and not (self.min_recall or self.review_recall):
            raise click.UsageError("--guaranteed is about a recall; give --min-recall or --review-recall.")

    @property
    def needs_defects(self) -> bool:
        return self.cost_escape is not None or bool(self.min_recall) or bool(self.review_recall)


@click.command("calibrate")
@model_argument
@click.argument("data", required=False, type=PLACE)
@click.option(
    "--max-overkill",
    type=SHARE,
    metavar="SHARE",
    help="Share of good parts that may be rejected; needs DATA only where the model learnt from no good part.",
)
@click.option("--cost-escape", type=COST, metavar="COST", help="Of one defect passed.")
@click.option("--cost-overkill", type=COST, metavar="COST", help="Of one good part rejected, in the same unit.")
@click.option(
    "--defect-rate",
    type=SHARE,
    metavar="SHARE",
    help="Share of defective parts on the line, for the costs.  [default: 0.01]",
)
@click.option(
    "--min-recall",
    type=Recall(),
    multiple=True,
    metavar="[TYPE=]SHARE",
    help="Share of defects to catch, of one type or of all; may be repeated.",
)
@click.option("--guaranteed", is_flag=True, help="The examples must prove the recalls at 95 %, or it is an error.")
@click.option(
    "--max-review",
    type=SHARE,
    metavar="SHARE",
    help="REVIEW band: share of good parts that people may have to look at; needs no DATA.",
)
@click.option(
    "--review-recall",
    type=Recall(),
    multiple=True,
    metavar="[TYPE=]SHARE",
    help="REVIEW band: share of defects that are at least reviewed; may be repeated.",
)
@click.option("-o", "--output", type=PLACE, help="Model file to write.  [default: MODEL itself]")
@product_option
@megapixels_option
@quiet_option
@json_option
def calibrate_command(
    model: Path,
    data: Path | None,
    max_overkill: float | None,
    cost_escape: float | None,
    cost_overkill: float | None,
    defect_rate: float | None,
    min_recall: tuple[tuple[str, float], ...],
    guaranteed: bool,
    max_review: float | None,
    review_recall: tuple[tuple[str, float], ...],
    output: Path | None,
    product: str | None,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Set MODEL's thresholds; the graph and its scores stay as they are.

    Good parts are represented by the scores that every good training picture got from a model without it; where the
    model was trained without good pictures, by DATA's. Defects come from DATA: its validation split, or where there is
    none its other pictures. A threshold chosen on the pictures that also judge it looks better than it is: keep some
    apart.

    \b
      sightline calibrate part.sight --max-overkill 0.01
      sightline calibrate part.sight defects/ --cost-escape 50 --cost-overkill 1
      sightline calibrate part.sight defects/ --min-recall crack=0.99 --max-review 0.02
    """
    wish = _Wish(
        max_overkill=max_overkill,
        cost_escape=cost_escape,
        cost_overkill=cost_overkill,
        defect_rate=defect_rate,
        min_recall=by_type("--min-recall", min_recall),
        guaranteed=guaranteed,
        max_review=max_review,
        review_recall=by_type("--review-recall", review_recall),
    )
    if wish.needs_defects and data is None:
        raise click.UsageError("this rule needs examples of defects; give DATA.")
    target = output or model
    refuse_unwritable(target)
    bundle = load(model)
    limits = limits_of(bundle, product)
    if bundle.manifest.naming is not None and data is not None and set(wish.min_recall) - {ALL}:
        inspector = Inspector(bundle, max_megapixels=max_megapixels)
        _calibrate_classes(inspector, data, target, wish, quiet=quiet, as_json=as_json)
        return
    good, defects = _examples(bundle, data, wish, limits, max_megapixels, quiet=quiet)
    before = limits.thresholds
    reject = _reject(wish, good, defects)
    review = _review(wish, reject.value if reject else before.reject, good, defects)
    after = _changed(before, reject, review)
    manifest = with_thresholds(bundle, product, after)
    save_changed(target, bundle, manifest)
    if as_json:
        click.echo(json.dumps(_document(target, manifest, after, reject, review), indent=2))
    else:
        click.echo("\n".join(_lines(target, before, after, [limit for limit in (reject, review) if limit])))


def _calibrate_classes(
    inspector: Inspector, data: Path, target: Path, wish: _Wish, *, quiet: bool, as_json: bool
) -> None:
    """Set thresholds of classes, for a model that names them, write it, and say so."""
    if ALL in wish.min_recall or wish.max_review is not None or wish.review_recall:
        raise click.UsageError("give the recalls of classes alone; run calibrate again for the other limits.")
    dataset = open_classes(data)
    with Bars(quiet=quiet) as bars:
        named = probabilities_of(inspector, dataset.validation or dataset.samples, bars)
    naming, warnings = with_recalls(inspector.manifest, named, wish.min_recall, guaranteed=wish.guaranteed)
    manifest = replace(inspector.manifest, naming=naming)
    save_changed(target, inspector.bundle, manifest)
    lines = [f"{target}: thresholds of {', '.join(wish.min_recall)} set", *(f"  {x}" for x in class_lines(manifest))]
    lines += [f"warning: {warning}" for warning in warnings]
    document = {
        "model": str(target),
        "model_id": model_id(manifest),
        "classes": class_documents(manifest),
        "warnings": list(warnings),
    }
    click.echo(json.dumps(document, indent=2) if as_json else "\n".join(lines))


def _examples(
    bundle: Bundle, data: Path | None, wish: _Wish, limits: Limits, max_megapixels: float, *, quiet: bool
) -> tuple[Scores, DefectScores]:
    """The scores of good parts, and of the defects that the rule needs; no graph is opened where DATA is not needed.

    Good parts are those of the training; those of DATA where the model knows none.
    """
    good = limits.good_scores
    if data is None:
        return good, {}
    if good.size and not wish.needs_defects:
        click.echo("sightline: note: this rule needs the model alone; DATA is not looked at", err=True)
        return good, {}
    inspector = Inspector(bundle, max_megapixels=max_megapixels)
    dataset = open_classes(data) if inspector.names else open_dataset(data)
    samples = dataset.validation or dataset.samples
    with Bars(quiet=quiet) as bars:
        defects: DefectScores = {}
        if wish.needs_defects:
            spoilt = [sample for sample in samples if not sample.is_good]
            if not spoilt:
                raise DatasetError(f"{dataset.root}: no pictures of defects, which this rule needs.")
            defects = _scores(inspector, spoilt, "judging defects", bars, limits.product)
        if not good.size:
            known = [sample for sample in samples if sample.is_good]
            found = _scores(inspector, known, "judging good pictures", bars, limits.product)
            good = np.array(found.get(GOOD, []))
    return good, defects


def _document(
    target: Path, manifest: Manifest, after: Thresholds, reject: Threshold | None, review: Threshold | None
) -> dict[str, object]:
    choice = {name: asdict(limit) if limit else None for name, limit in (("reject", reject), ("review", review))}
    return {"model": str(target), "model_id": model_id(manifest), "thresholds": asdict(after), **choice}


def _lines(target: Path, before: Thresholds, after: Thresholds, chosen: list[Threshold]) -> list[str]:
    band = f"REVIEW from {after.review:.6g}, " if after.review is not None else ""
    was = "as before" if after.reject == before.reject else f"before from {before.reject:.6g}"
    lines = [f"{target}: {band}REJECT from {after.reject:.6g} ({was})"]
    for limit in chosen:
        lines += [f"  asked    {limit.asked}", f"  rule     {limit.rule}", f"  promise  {limit.promise}"]
    return lines + [f"warning: {warning}" for limit in chosen for warning in limit.warnings]


def _reject(wish: _Wish, good: Scores, defects: DefectScores) -> Threshold | None:
    if wish.max_overkill is not None:
        return for_overkill(good, wish.max_overkill)
    if wish.cost_escape is not None and wish.cost_overkill is not None:
        pooled = [score for scores in defects.values() for score in scores]
        return for_cost(good, pooled, wish.cost_escape, wish.cost_overkill, wish.defect_rate)
    if wish.min_recall:
        return for_recall(good, defects, wish.min_recall, wish.guaranteed)
    return None


def _review(wish: _Wish, reject: float, good: Scores, defects: DefectScores) -> Threshold | None:
    if wish.max_review is not None:
        return review_for_share(reject, good, wish.max_review)
    if wish.review_recall:
        return review_for_recall(reject, good, defects, wish.review_recall, wish.guaranteed)
    return None


def _changed(before: Thresholds, reject: Threshold | None, review: Threshold | None) -> Thresholds:
    """A new rule for REJECT drops the old REVIEW band, which was made for the old threshold."""
    after = before
    if reject is not None:
        rate = reject.guarantee.rate if reject.guarantee else None
        after = Thresholds(
            reject=reject.value, review=None, rule=reject.rule, promise=reject.promise, max_overkill=rate
        )
    return after if review is None else with_review(after, review)


def with_review(thresholds: Thresholds, review: Threshold) -> Thresholds:
    """With this REVIEW band in the place of an older one, in the texts too."""
    return replace(
        thresholds,
        review=review.value if review.value < thresholds.reject else None,
        rule=f"{thresholds.rule.partition(BAND)[0]}{BAND}{review.rule}",
        promise=f"{thresholds.promise.partition(BAND)[0]}{BAND}{review.promise}",
    )


def _scores(
    inspector: Inspector, samples: Sequence[Sample], stage: str, bars: Bars, product: str | None
) -> DefectScores:
    """Label -> the scores of its pictures; raises FrameError where one cannot be judged."""
    scores: DefectScores = {}
    inspections = inspector.inspect_all((sample.path for sample in samples), workers=1, product=product)
    for done, (sample, inspection) in enumerate(zip(samples, inspections, strict=True)):
        if inspection.score is None:
            raise FrameError(f"{inspection.fault}")
        scores.setdefault(sample.label, []).append(inspection.score)
        bars(stage, done + 1, len(samples))
    return scores
