"""`sightline train`: from good pictures to a model file."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click
from click.core import ParameterSource

from sightline.cli.naming import (
    check_method,
    class_documents,
    class_lines,
    classifier_config,
    judges_synthetic,
    locating_config,
    naming_options,
    segmenter_config,
    synthetic_lines,
    tell_of_idle_time,
)
from sightline.cli.options import (
    PLACE,
    Size,
    json_option,
    megapixels_option,
    overkill_option,
    quiet_option,
    seed_option,
)
from sightline.cli.products import product_documents, product_lines
from sightline.cli.progress import Bars
from sightline.datasets.boxed import open_boxed
from sightline.datasets.labelled import open_classes
from sightline.datasets.opening import open_dataset
from sightline.datasets.products import open_products
from sightline.datasets.segmented import open_segmented
from sightline.evaluation.comparison import Comparison
from sightline.extending import ExtendConfig
from sightline.extending import extend as extend_model
from sightline.hybrid import train_hybrid
from sightline.joint_training import BANKS, Banks, train_products
from sightline.locating import METHOD as BOXES
from sightline.locating import train_boxes
from sightline.models.detector import Method
from sightline.models.features import Progress
from sightline.models.folds import FEWEST_FRAMES
from sightline.segmenting import METHOD as SEGMENTER
from sightline.segmenting import train_segmenter
from sightline.supervised import train_classifier
from sightline.synthetic_judging import train_and_judge
from sightline.training import HYBRID, LEAST_MEMORY_MIB, METHODS, SUPERVISED, TrainConfig, Trained, train


@click.command("train")
@click.argument("data", nargs=-1, required=True, type=PLACE)
@click.option("-o", "--output", type=PLACE, required=True, help="Model file to write (.sight).")
@click.option(
    "--method",
    type=click.Choice((*METHODS, *SUPERVISED, HYBRID)),
    default="patchcore",
    show_default=True,
    help=(
        "patchcore: any part. padim: parts that always lie the same way. efficientad, fastflow, stfpm: networks "
        "trained by gradient, for 100 pictures and more; they need the extra [train]. classifier: names defects, from "
        "labelled pictures of each; segmenter: outlines them, from masks; detector: finds them and names them, from "
        "pictures with boxes; hybrid: patchcore, and a classifier of what it finds; all four need [train] too."
    ),
)
@overkill_option
@click.option(
    "--size",
    type=Size(),
    metavar="WxH",
    help="Working resolution in px, such as 256 or 512x1280.  [default: automatic]",
)
@click.option(
    "--smallest-defect-px",
    "smallest_defect",
    type=click.IntRange(min=1),
    metavar="PX",
    help="Width in your pictures of the smallest defect to be found; sets the working resolution, and for patchcore "
    "takes tiles where that is more than can be seen at once.",
)
@click.option(
    "--tile", type=click.IntRange(min=1), metavar="PX", help="Look at squares of this side one after another."
)
@click.option(
    "--dimensions",
    type=click.IntRange(1, 1024),
    metavar="NUMBER",
    help="Length of a patch feature.  [default: 64]",
)
@click.option(
    "--bank",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Patches that patchcore keeps.  [default: 1 %, from 1,000 to 1,500]",
)
@click.option(
    "--position-prior/--no-position-prior",
    default=True,
    show_default=True,
    help="Whether patchcore also learns what belongs where in the part.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 1_000_000),
    metavar="NUMBER",
    help="How long efficientad, fastflow and stfpm learn.  [default: by the method, 500 to 800]",
)
@click.option(
    "--memory-mib",
    type=click.IntRange(min=LEAST_MEMORY_MIB),
    metavar="MIB",
    default=2048,
    show_default=True,
    help="Limit for the memory of learning.",
)
@click.option(
    "--bit-depth",
    type=click.IntRange(9, 16),
    metavar="BITS",
    help="Significant bits of 16-bit pictures.  [default: from the pictures]",
)
@click.option(
    "--backbone",
    type=PLACE,
    help="Another feature extractor, an ONNX file.  [default: the one that ships]",
)
@click.option("--depth", is_flag=True, help="Learn from the depth map beside each picture, NAME.depth.png, as well.")
@click.option(
    "--products",
    "banks",
    type=click.Choice(BANKS),
    help="Learn several products: separate, a bank and a threshold for each; unified, one for all.",
)
@naming_options
@seed_option("Of everything that is drawn at random.")
@click.option(
    "--extend",
    type=PLACE,
    metavar="MODEL",
    help="Learn in addition to what this model remembers; what it fixes stays.",
)
@click.option(
    "--window",
    type=click.IntRange(min=FEWEST_FRAMES),
    metavar="NUMBER",
    help="With --extend: most pictures remembered; the oldest are forgotten.  [default: all]",
)
@megapixels_option
@quiet_option
@json_option
def train_command(
    data: tuple[Path, ...],
    output: Path,
    method: Literal["hybrid"] | Method,
    max_overkill: float,
    size: tuple[int, int] | None,
    smallest_defect: int | None,
    tile: int | None,
    dimensions: int | None,
    bank: int | None,
    position_prior: bool,
    steps: int | None,
    memory_mib: int,
    bit_depth: int | None,
    backbone: Path | None,
    depth: bool,
    banks: Banks | None,
    seed: int,
    extend: Path | None,
    window: int | None,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Learn from the good pictures in DATA and write a model.

    DATA is a folder of good pictures, an MVTec AD or VisA folder, or a CSV; `sightline data check DATA` tells how it
    is understood. Every good training picture both trains and calibrates the model; the methods trained by gradient
    hold out a fifth of them to calibrate. No defects are needed. The threshold is set so that at most --max-overkill
    of good parts are rejected. The same pictures, options and seed give the same file.

    With --method classifier DATA has one folder per class, or labels, and --max-overkill is not used: calibrated
    probabilities decide, and --min-recall crack=0.99 sets a class's own threshold. With --judge-synthetic the
    mixed.csv of `sightline data synth` is learnt with its synthetic pictures and without, and real test pictures tell
    whether they helped.

    With --method segmenter the defects' pictures have masks or outlines, and it learns to draw them: per class, with
    area and severity. --max-overkill or --min-recall sets the threshold; where no good picture is held out, a picture
    with a pixel that is more probably defect than not is rejected.

    With --method detector DATA has boxes, outlines or masks of the defects, in any format of `sightline data convert`;
    pictures without any are examples of nothing, and with them --max-overkill sets the threshold.

    With --method hybrid DATA has good pictures and labelled defects: an anomaly model decides, and what it finds is
    named by a classifier where that is sure. This is the way to name defects on a line.

    With --products there are several DATA, one per product, each PATH or NAME=PATH; or one folder whose subfolders they
    are. A model with separate banks is told at run time which product it sees.

    With --extend MODEL the pictures in DATA are learnt beside those that MODEL remembers, by its own features, and
    --window forgets the oldest. Give only parts that are confirmed to be good.

    \b
      sightline train tile=pictures/tile cap=pictures/cap -o line.sight --products separate
    """
    check_method(method)
    _check_together(data, banks, depth, extend, window, smallest_defect)
    config = TrainConfig(
        method="patchcore" if method == HYBRID else method,
        size=size,
        smallest_defect=smallest_defect,
        tile=tile,
        dimensions=dimensions,
        bank=bank,
        position_prior=position_prior,
        steps=steps,
        max_overkill=max_overkill,
        memory_mib=memory_mib,
        bit_depth=bit_depth,
        max_megapixels=max_megapixels,
        backbone=backbone,
        seed=seed,
        depth=depth,
    )
    started = time.monotonic()
    with Bars(quiet=quiet) as bars:
        trained = _learn(data, output, method, config, banks, extend, window, bars)
    seconds = time.monotonic() - started
    click.echo(json.dumps(_document(trained, seconds), indent=2) if as_json else "\n".join(_lines(trained, seconds)))


def _learn(
    data: tuple[Path, ...],
    output: Path,
    method: str,
    config: TrainConfig,
    banks: Banks | None,
    extend: Path | None,
    window: int | None,
    progress: Progress,
) -> Trained:
    if method == HYBRID or config.method in SUPERVISED:
        return _learn_names(data[0], output, method, config, progress)
    if banks is not None:
        return train_products(open_products([str(place) for place in data]), output, banks, config, progress)
    if extend is not None:
        return extend_model(open_dataset(data[0]), extend, output, _extension(config, window), progress)
    return train(open_dataset(data[0]), output, config, progress)


def _learn_names(data: Path, output: Path, method: str, config: TrainConfig, progress: Progress) -> Trained:
    if method == SEGMENTER:
        return train_segmenter(open_segmented(data), output, segmenter_config(config), progress)
    if method == BOXES:
        return train_boxes(open_boxed(data), output, locating_config(config), progress)
    dataset = open_classes(data)
    tell_of_idle_time(method, dataset)
    if method == HYBRID:
        return train_hybrid(dataset, output, config, classifier_config(config), progress)
    learn = train_and_judge if judges_synthetic() else train_classifier
    return learn(dataset, output, classifier_config(config), progress)


def _check_together(
    data: tuple[Path, ...],
    banks: Banks | None,
    depth: bool,
    extend: Path | None,
    window: int | None,
    smallest_defect: int | None,
) -> None:
    """Refuse options that contradict each other."""
    if banks is None and len(data) > 1:
        raise click.UsageError("several DATA are several products; give --products separate or --products unified.")
    if window is not None and extend is None:
        raise click.UsageError("--window is for --extend MODEL; give both or neither.")
    if extend is not None and (banks is not None or depth):
        raise click.UsageError("--extend goes with neither --products nor --depth; train such a model anew.")
    if extend is not None and smallest_defect is not None:
        raise click.UsageError("--smallest-defect-px sets the working size, and --extend keeps it; leave one out.")


def _extension(config: TrainConfig, window: int | None) -> ExtendConfig:
    """The options as extending takes them: what was not given on the command line is as the model has it."""
    context = click.get_current_context()

    def given(name: str) -> bool:
        return context.get_parameter_source(name) is not ParameterSource.DEFAULT

    return ExtendConfig(
        window=window,
        max_overkill=config.max_overkill if given("max_overkill") else None,
        bank=config.bank,
        memory_mib=config.memory_mib,
        max_megapixels=config.max_megapixels,
        method=config.method if given("method") else None,
        size=config.size,
        tile=config.tile,
        dimensions=config.dimensions,
        bit_depth=config.bit_depth,
        backbone=config.backbone,
        position_prior=config.position_prior if given("position_prior") else None,
        seed=config.seed if given("seed") else None,
    )


def _document(trained: Trained, seconds: float) -> dict[str, object]:
    manifest, thresholds = trained.bundle.manifest, trained.bundle.manifest.thresholds
    names = (trained.bundle.names or trained.bundle).manifest
    made = manifest.provenance.config
    document: dict[str, object] = {
        "model": str(trained.bundle.path),
        "model_id": trained.bundle.model_id,
        "method": manifest.method,
        "images": trained.images,
        "depth": manifest.input.depth,
        "working_size": {"height": manifest.working_size[0], "width": manifest.working_size[1]},
        "threshold": thresholds.reject,
        "rule": thresholds.rule,
        "promise": thresholds.promise,
        "max_overkill": thresholds.max_overkill,
        "seconds": round(seconds, 2),
        "unusual": [{"image": str(item.path), "score": item.score} for item in trained.unusual],
        "warnings": list(trained.warnings),
        **({"classes": class_documents(names)} if names.naming or names.locating else {}),
        **({"segments": asdict(manifest.segments), "pooled_iou": made["pooled_iou"]} if manifest.segments else {}),
        **({"synthetic": _judged(trained.synthetic)} if trained.synthetic else {}),
        **{key: made[key] for key in ("extended_from", "added", "forgotten") if key in made},
    }
    return document | ({"products": product_documents(manifest)} if manifest.products else {})


def _judged(found: Comparison) -> dict[str, object]:
    return {**asdict(found), "verdict": found.difference.verdict}


def _lines(trained: Trained, seconds: float) -> list[str]:
    manifest, thresholds = trained.bundle.manifest, trained.bundle.manifest.thresholds
    height, width = manifest.working_size
    made = manifest.provenance.config
    extended = "extended_from" in made
    lines = [
        f"{trained.bundle.path}: model {trained.bundle.model_id} ({manifest.method}) from {trained.images} "
        f"{'labelled' if manifest.names_defects else 'good'} pictures in {seconds:.1f} s",
        f"  looks at   {width} x {height} px"
        + (f" in tiles of {manifest.tile}" if manifest.tile else "")
        + (", picture and depth map" if manifest.input.depth else ""),
        f"  calibrated {manifest.calibration.source}",
        f"  rule       {thresholds.rule}",
        f"  promise    {thresholds.promise}",
    ]
    if manifest.segments is not None:
        lines.append(f"  outlines   {', '.join(manifest.labels[1:])}; IoU {made['pooled_iou']} on pictures held out")
    lines += [f"  product    {line}" for line in product_lines(manifest)]
    lines += [f"  class      {line}" for line in class_lines((trained.bundle.names or trained.bundle).manifest)]
    if extended:
        lines.append(
            f"  extended   model {made['extended_from']}: {made['added']} added, {made['forgotten']} forgotten"
        )
    if trained.unusual:
        lines.append(
            "look at these added pictures, which the old model rejects; a defect among the good shows here:"
            if extended
            else "look at these training pictures, which are unlike the others; a defect among the good shows here:"
        )
        lines += [f"  {item.score:10.4g}  {item.path}" for item in trained.unusual]
    if trained.synthetic is not None:
        lines += synthetic_lines(trained.synthetic)
    return [*lines, *(f"warning: {warning}" for warning in trained.warnings)]
