"""`sightline calibrate`: set a model's thresholds for a rate, a cost or a recall."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from sightline.bundle import Bundle, load, save
from sightline.cli.options import json_option, megapixels_option, model_argument, quiet_option, recalls
from sightline.cli.progress import Bars
from sightline.datasets.dataset import Dataset
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError, FrameError, OptionError
from sightline.evaluation.thresholds import (
    Threshold,
    for_cost,
    for_overkill,
    for_recall,
    review_for_recall,
    review_for_share,
)
from sightline.inspector import Inspector
from sightline.manifest import Thresholds

DefectScores = dict[str, list[float]]


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
            raise OptionError("give one of --max-overkill, --cost-escape with --cost-overkill, or --min-recall.")
        if sum(rules) == 0 and self.max_review is None and not self.review_recall:
            raise OptionError(
                "nothing to calibrate for; give --max-overkill, the two costs, --min-recall or a REVIEW band."
            )
        if len(costs) == 1:
            raise OptionError("--cost-escape and --cost-overkill belong together; give both, in one unit.")
        if self.max_review is not None and self.review_recall:
            raise OptionError("give one of --max-review and --review-recall.")

    @property
    def needs_defects(self) -> bool:
        return self.cost_escape is not None or bool(self.min_recall) or bool(self.review_recall)


@click.command("calibrate")
@model_argument
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option("--max-overkill", type=float, help="Share of good parts that may be rejected; needs no DATA.")
@click.option("--cost-escape", type=float, help="Of one defect passed.")
@click.option("--cost-overkill", type=float, help="Of one good part rejected, in the same unit.")
@click.option("--defect-rate", type=float, help="Share of defective parts on the line, for the costs.  [default: 0.01]")
@click.option("--min-recall", multiple=True, metavar="[TYPE=]SHARE", help="Share of defects to catch; may be repeated.")
@click.option("--guaranteed", is_flag=True, help="The examples must prove the recalls at 95 %, or it is an error.")
@click.option("--max-review", type=float, help="REVIEW band: share of good parts that people may have to look at.")
@click.option(
    "--review-recall", multiple=True, metavar="[TYPE=]SHARE", help="REVIEW band: recall of REJECT and REVIEW."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Model file to write.  [default: MODEL itself]")
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
    min_recall: tuple[str, ...],
    guaranteed: bool,
    max_review: float | None,
    review_recall: tuple[str, ...],
    output: Path | None,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Set MODEL's thresholds; the graph and its scores stay as they are.

    Good parts are represented by the scores that every good training picture got from a model without it. Defects
    come from DATA: its validation split, or where there is none its other pictures of defects. A threshold chosen on
    the pictures that also judge it looks better than it is: keep some apart.

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
        min_recall=recalls(min_recall),
        guaranteed=guaranteed,
        max_review=max_review,
        review_recall=recalls(review_recall),
    )
    bundle = load(model)
    defects: DefectScores = {}
    if wish.needs_defects:
        if data is None:
            raise OptionError("this rule needs examples of defects; give DATA.")
        with Bars(quiet=quiet) as bars:
            defects = _defect_scores(Inspector(bundle, max_megapixels=max_megapixels), open_dataset(data), bars)
    reject = _reject(wish, bundle, defects)
    review = _review(wish, reject.value if reject else bundle.manifest.thresholds.reject, bundle, defects)
    thresholds = _thresholds(bundle.manifest.thresholds, reject, review)
    target = output or model
    save(target, bundle.graph, replace(bundle.manifest, thresholds=thresholds))
    if as_json:
        document = {
            "model": str(target),
            "model_id": load(target).model_id,
            "thresholds": asdict(thresholds),
            "reject": asdict(reject) if reject else None,
            "review": asdict(review) if review else None,
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"{target}: reject at {thresholds.reject:.6g}, before {bundle.manifest.thresholds.reject:.6g}")
    for threshold in (reject, review):
        if threshold:
            click.echo(f"  asked    {threshold.asked}\n  rule     {threshold.rule}\n  promise  {threshold.promise}")
            for warning in threshold.warnings:
                click.echo(f"warning: {warning}")


def _reject(wish: _Wish, bundle: Bundle, defects: DefectScores) -> Threshold | None:
    good = bundle.manifest.calibration.good_scores
    if wish.max_overkill is not None:
        return for_overkill(good, wish.max_overkill)
    if wish.cost_escape is not None and wish.cost_overkill is not None:
        pooled = [score for scores in defects.values() for score in scores]
        return for_cost(good, pooled, wish.cost_escape, wish.cost_overkill, wish.defect_rate)
    if wish.min_recall:
        return for_recall(good, defects, wish.min_recall, wish.guaranteed)
    return None


def _review(wish: _Wish, reject: float, bundle: Bundle, defects: DefectScores) -> Threshold | None:
    good = bundle.manifest.calibration.good_scores
    if wish.max_review is not None:
        return review_for_share(reject, good, wish.max_review)
    if wish.review_recall:
        return review_for_recall(reject, good, defects, wish.review_recall, wish.guaranteed)
    return None


def _thresholds(before: Thresholds, reject: Threshold | None, review: Threshold | None) -> Thresholds:
    """A new rule for REJECT drops the old REVIEW band, which was made for the old threshold."""
    if reject is None:
        changed = before
    else:
        changed = Thresholds(
            reject=reject.value,
            review=None,
            rule=reject.rule,
            promise=reject.promise,
            max_overkill=reject.guarantee.rate if reject.guarantee else None,
        )
    if review is None:
        return changed
    band = review.value if review.value < changed.reject else None
    return replace(
        changed, review=band, rule=f"{changed.rule}; {review.rule}", promise=f"{changed.promise}; {review.promise}"
    )


def _defect_scores(inspector: Inspector, dataset: Dataset, bars: Bars) -> DefectScores:
    samples = [sample for sample in dataset.validation or dataset.samples if not sample.is_good]
    if not samples:
        raise DatasetError(f"{dataset.root}: no pictures of defects, which this rule needs.")
    scores: DefectScores = {}
    inspections = inspector.inspect_all((sample.path for sample in samples), workers=1)
    for done, (sample, inspection) in enumerate(zip(samples, inspections, strict=True)):
        if inspection.score is None:
            raise FrameError(f"{inspection.fault}")
        scores.setdefault(sample.label, []).append(inspection.score)
        bars("judging defects", done + 1, len(samples))
    return scores
