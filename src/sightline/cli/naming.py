"""How commands take and show what a model names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import click
import numpy as np
from click.core import ParameterSource

from sightline.cli.options import PLACE, Number, Recall, Rectangle, by_type
from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.errors import FrameError, OptionError
from sightline.evaluation.comparison import Comparison
from sightline.evaluation.intervals import rate
from sightline.inspector import Inspector
from sightline.locating import METHOD as BOXES
from sightline.locating import LocatingConfig
from sightline.manifest import Manifest
from sightline.models.box_config import BoxLearningConfig
from sightline.models.class_config import IMBALANCES, MATERIALS, PRECISIONS, UNFREEZES, LearningConfig
from sightline.models.features import Progress
from sightline.models.segment_config import TRUNKS, SegmentConfig
from sightline.name_rules import ClassRule, Naming
from sightline.naming import with_recall
from sightline.segmenting import METHOD as SEGMENTER
from sightline.segmenting import SegmenterConfig
from sightline.supervised import ClassifierConfig
from sightline.training import BY_GRADIENT, HYBRID, SUPERVISED, TrainConfig

Command = TypeVar("Command", bound=Callable[..., Any])
_GIVEN = "sightline.naming"  # in the context: the options below, by name
_EPOCHS = {
    "classifier": LearningConfig().epochs,
    SEGMENTER: SegmentConfig().epochs,
    BOXES: BoxLearningConfig().epochs,
}
_OF_SEGMENTERS = {"mm_per_px", "zones"}
_NOT_FOR_SEGMENTERS = {
    *("imbalance", "unfreeze", "precision", "weights", "download", "review_confidence", "judge_synthetic"),
}
_NOT_FOR_BOXES = {*_NOT_FOR_SEGMENTERS, *_OF_SEGMENTERS, "network"}
_OF_PATCHCORE = {"bank", "position_prior"}
_NOT_FOR_NAMES = ("max_overkill", "tile", "dimensions", "bank", "position_prior", "steps", "depth", "banks", "extend")


def _keep(context: click.Context, option: click.Parameter, value: Any) -> Any:
    context.meta.setdefault(_GIVEN, {})[option.name] = value
    return value


def _option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    return click.option(*names, expose_value=False, callback=_keep, **settings)


_OPTIONS = (
    _option("--epochs", type=click.IntRange(0, 10_000), metavar="NUMBER",
            help="How long it learns at most; 0, of a classifier: only its last layer learns.  "
            f"[default: classifier {_EPOCHS['classifier']}, segmenter {_EPOCHS['segmenter']}, "
            f"detector {_EPOCHS['detector']}]"),
    _option("--minutes", type=Number(min=0, min_open=True), metavar="NUMBER",
            help="Time it may learn.  [default: as the epochs take]"),
    _option("--imbalance", type=click.Choice(IMBALANCES),
            help="How rare classes are made to count.  [default: what is best on pictures held out]"),
    _option("--material", type=click.Choice(MATERIALS), default="none", show_default=True,
            help="What the parts are made of: which changes of light, place and focus a classifier is shown."),
    _option("--unfreeze", type=click.Choice(UNFREEZES), default="none", show_default=True,
            help="Which blocks of its network learn too; none: what lies behind them alone."),
    _option("--precision", type=click.Choice(PRECISIONS), default="auto", show_default=True,
            help="Arithmetic of a classifier's network; auto: int8 where that loses at most 0.005 of the macro F1."),
    _option("--network", metavar="NAME", help="A classifier's network by its name in timm, such as resnet50; of a "
            "segmenter unet, plain convolutions without a backbone."),
    _option("--weights", type=PLACE, help="Its weights, a safetensors file."),
    _option("--download", is_flag=True, help="Fetch its weights from where timm keeps them."),
    _option("--min-recall", type=Recall(), multiple=True, metavar="[CLASS=]SHARE",
            help="Share of a class, or of all defects, that a classifier must not pass; may be repeated."),
    _option("--review-confidence", type=Number(min=0, max=1, max_open=True), metavar="SHARE", default=0.5,
            show_default=True, help="A name that is less probable is a REVIEW; 0: no such rule."),
    _option("--judge-synthetic", is_flag=True, help="Of a classifier that learns from synthetic pictures too: learn "
            "once more without them, and tell on the real test pictures whether they helped."),
    _option("--mm-per-px", type=Number(min=0, min_open=True), metavar="MM",
            help="Scale of the pictures, for the areas that a segmenter finds."),
    _option("--critical-zone", "zones", type=Rectangle(), multiple=True, metavar="X,Y,W,H[=WEIGHT]",
            help="Where a defect is worse, in shares of the picture, for a segmenter's severity; may be repeated."),
)  # fmt: skip  # one option is one paragraph


def naming_options(command: Command) -> Command:
    """The options of methods that learn names; `classifier_config` takes them from the context."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_method(method: str) -> None:
    """Refuse options of the other kind of method, which would have no effect."""
    context = click.get_current_context()
    given = {
        name for name in (*context.params, *context.meta[_GIVEN])
        if context.get_parameter_source(name) not in (ParameterSource.DEFAULT, None)
    }  # fmt: skip
    wrong = given & _hopeless(method, set(context.meta[_GIVEN]))
    if wrong:
        flags = {parameter.name: parameter.opts[0] for parameter in context.command.params}
        raise click.UsageError(f"{flags[min(wrong)]} has no effect with --method {method}; leave it out.")


def _hopeless(method: str, of_names: set[str]) -> set[str]:
    """The options that have no effect with a method; `of_names` are those of methods that learn names."""
    if method == HYBRID:
        return {"min_recall", "steps", "depth", "banks", "extend", "judge_synthetic", *_OF_SEGMENTERS}
    if method == SEGMENTER:
        return {*_NOT_FOR_NAMES, *_NOT_FOR_SEGMENTERS} - {"max_overkill"}
    if method == BOXES:
        return {*_NOT_FOR_NAMES, *_NOT_FOR_BOXES} - {"max_overkill"}
    if method in SUPERVISED:
        return {*_NOT_FOR_NAMES, *_OF_SEGMENTERS}
    steps = set[str]() if method in BY_GRADIENT else {"steps"}
    return of_names | steps | (set[str]() if method == "patchcore" else _OF_PATCHCORE)


def tell_of_idle_time(method: str, dataset: Dataset) -> None:
    """Say so where --epochs or --minutes is given and nothing takes them: the last layer learns in a moment."""
    context = click.get_current_context()
    options = context.meta[_GIVEN]
    masks = method != HYBRID and any(sample.mask for sample in dataset.samples)  # a hybrid's weigh its pieces
    if options["unfreeze"] != "none" or masks or not (options["epochs"] or options["minutes"]):
        return
    flag = "--epochs" if options["epochs"] else "--minutes"
    why = "" if method == HYBRID else "pictures of defects have masks, or "
    click.echo(f"sightline: note: {flag} has no effect unless {why}--unfreeze lets the network learn", err=True)


def classifier_config(config: TrainConfig) -> ClassifierConfig:
    """What the command line asks of a classifier."""
    given = dict(click.get_current_context().meta[_GIVEN])
    return ClassifierConfig(
        size=config.size,
        smallest_defect=config.smallest_defect,
        bit_depth=config.bit_depth,
        max_megapixels=config.max_megapixels,
        memory_mib=config.memory_mib,
        backbone=config.backbone,
        network=given["network"],
        weights=given["weights"],
        download=given["download"],
        learning=LearningConfig(
            epochs=_epochs("classifier", given["epochs"]),
            minutes=given["minutes"],
            imbalance=given["imbalance"],
            material=given["material"],
            unfreeze=given["unfreeze"],
            seed=config.seed,
        ),
        precision=given["precision"],
        min_recall=by_type("--min-recall", given["min_recall"]),
        review_confidence=given["review_confidence"] or None,
    )


def _epochs(method: str, asked: int | None) -> int:
    return _EPOCHS[method] if asked is None else asked


def judges_synthetic() -> bool:
    """Whether a report on synthetic pictures is asked for."""
    return bool(click.get_current_context().meta[_GIVEN]["judge_synthetic"])


def synthetic_lines(found: Comparison) -> list[str]:
    """Whether they helped: one line in words, and one per class."""
    gap, width = found.difference, max(map(len, found.labels))
    return [
        f"synthetic pictures: {gap.verdict}; macro F1 {found.without_f1:.3f} without, {found.with_f1:.3f} with: "
        f"{gap.value:+.3f} (95 % interval {gap.low:+.3f} to {gap.high:+.3f}) on {found.judged} real test pictures; "
        "the luck of one training is not in it",
        *(
            f"  recall     {name:{width}}  {without:.3f} without, {with_:.3f} with"
            for name, without, with_ in zip(found.labels, found.without_recall, found.with_recall, strict=True)
        ),
    ]


def segmenter_config(config: TrainConfig) -> SegmenterConfig:
    """What the command line asks of a segmenter."""
    context = click.get_current_context()
    given = dict(context.meta[_GIVEN])
    network = given["network"] or TRUNKS[0]
    if network not in TRUNKS:
        raise click.UsageError(f"--network {network} is no network of a segmenter; leave it out, or give unet.")
    asked = context.get_parameter_source("max_overkill") is not ParameterSource.DEFAULT
    return SegmenterConfig(
        size=config.size,
        smallest_defect=config.smallest_defect,
        bit_depth=config.bit_depth,
        max_megapixels=config.max_megapixels,
        memory_mib=config.memory_mib,
        backbone=config.backbone,
        learning=SegmentConfig(
            trunk=network,
            epochs=_epochs(SEGMENTER, given["epochs"]),
            minutes=given["minutes"],
            material=given["material"],
            seed=config.seed,
        ),
        max_overkill=config.max_overkill if asked or not given["min_recall"] else None,
        min_recall=by_type("--min-recall", given["min_recall"]),
        mm_per_px=given["mm_per_px"],
        zones=given["zones"],
    )


def locating_config(config: TrainConfig) -> LocatingConfig:
    """What the command line asks of a detector of boxes."""
    given = dict(click.get_current_context().meta[_GIVEN])
    return LocatingConfig(
        size=config.size,
        smallest_defect=config.smallest_defect,
        bit_depth=config.bit_depth,
        max_megapixels=config.max_megapixels,
        memory_mib=config.memory_mib,
        backbone=config.backbone,
        learning=BoxLearningConfig(
            epochs=_epochs(BOXES, given["epochs"]),
            minutes=given["minutes"],
            material=given["material"],
            seed=config.seed,
        ),
        max_overkill=config.max_overkill,
        min_recall=by_type("--min-recall", given["min_recall"]),
    )


def probabilities_of(
    inspector: Inspector, samples: Sequence[Sample], progress: Progress
) -> dict[str, list[dict[str, float]]]:
    """Label -> for each of its pictures, class -> probability; raises FrameError where one cannot be judged."""
    found: dict[str, list[dict[str, float]]] = {}
    inspections = inspector.inspect_all((sample.path for sample in samples), workers=1)
    for done, (sample, inspection) in enumerate(zip(samples, inspections, strict=True)):
        if inspection.probabilities is None:
            raise FrameError(f"{inspection.fault}")
        found.setdefault(sample.label, []).append(inspection.probabilities)
        progress("judging", done + 1, len(samples))
    return found


def with_recalls(
    manifest: Manifest,
    found: Mapping[str, Sequence[Mapping[str, float]]],
    min_recall: Mapping[str, float],
    *,
    guaranteed: bool,
) -> tuple[Naming, list[str]]:
    """The manifest's naming with thresholds for these classes, and warnings.

    Raises:
        OptionError: a class is not known or is that of good parts, or its pictures cannot guarantee the recall.
        DatasetError: there are no pictures of it.
    """
    assert manifest.naming is not None, "the caller has seen that the model names"
    defects = [rule.name for rule in manifest.naming.classes if rule.name != GOOD]
    if unknown := sorted(set(min_recall) - set(defects)):
        raise OptionError(f"the model does not name a defect {unknown[0]!r}; it names {', '.join(defects)}.")
    rules, warnings = [], list[str]()
    for rule in manifest.naming.classes:
        changed = rule
        if rule.name in min_recall:
            of_class, of_good = (
                np.array([shares[rule.name] for shares in found.get(label, ())], np.float32)
                for label in (rule.name, GOOD)
            )
            changed, said = with_recall(rule, of_class, of_good, min_recall[rule.name], guaranteed=guaranteed)
            warnings += said
        rules.append(changed)
    return replace(manifest.naming, classes=tuple(rules)), warnings


def class_documents(manifest: Manifest) -> list[dict[str, Any]]:
    """One JSON object per class."""
    rules = manifest.naming.classes if manifest.naming else manifest.locating.classes if manifest.locating else ()
    return [
        {
            "name": rule.name,
            "images": rule.images,
            "threshold": rule.threshold,
            "min_recall": rule.min_recall,
            "recall": _recall(rule),
            "promise": rule.promise or None,
        }
        for rule in rules
    ]


def class_lines(manifest: Manifest) -> list[str]:
    """One line per class, and one for the review confidence."""
    if manifest.locating is not None:
        width = max(len(rule.name) for rule in manifest.locating.classes)
        return [f"{rule.name:{width}}  {_said_of(rule)}" for rule in manifest.locating.classes]
    if manifest.naming is None:
        return []
    width = max(map(len, manifest.naming.names))
    lines = [f"{rule.name:{width}}  {_said_of(rule)}" for rule in manifest.naming.classes]
    lines += [f"{rule.name:{width}}  taught by {rule.examples} examples" for rule in manifest.naming.taught]
    sure = manifest.naming.review_confidence
    return [*lines, *([] if sure is None else [f"{'':{width}}  REVIEW where the name is less probable than {sure:g}"])]


def _said_of(rule: ClassRule) -> str:
    learnt = f"{rule.images} pictures"
    if rule.name == GOOD or rule.threshold is None:
        return learnt
    found = rate(rule.caught, rule.examples)
    shown = "" if found.low is None or found.high is None else f", {100 * found.low:.1f} to {100 * found.high:.1f} %"
    return f"{learnt}; not passed from p {rule.threshold:.4g}: caught {rule.caught} of {rule.examples}{shown}"


def _recall(rule: ClassRule) -> dict[str, Any] | None:
    if rule.threshold is None:
        return None
    found = rate(rule.caught, rule.examples)
    return {"count": found.count, "total": found.total, "value": found.value, "low": found.low, "high": found.high}
