"""`sightline train`: from good pictures to a model file."""

import json
import time
from pathlib import Path

import click

from sightline.cli.options import (
    PLACE,
    SHARE,
    Size,
    data_argument,
    json_option,
    megapixels_option,
    quiet_option,
    seed_option,
)
from sightline.cli.progress import Bars
from sightline.datasets.opening import open_dataset
from sightline.models.detector import Method
from sightline.training import METHODS, TrainConfig, Trained, train


@click.command("train")
@data_argument
@click.option("-o", "--output", type=PLACE, required=True, help="Model file to write (.sight).")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="patchcore",
    show_default=True,
    help=(
        "patchcore: any part. padim: parts that always lie the same way. efficientad, fastflow, stfpm: networks "
        "trained by gradient, for 100 pictures and more; they need the extra [train]."
    ),
)
@click.option(
    "--max-overkill",
    type=SHARE,
    metavar="SHARE",
    default=0.01,
    show_default=True,
    help="Share of good parts that may be rejected.",
)
@click.option(
    "--size",
    type=Size(),
    metavar="WxH",
    help="Working resolution in px, such as 256 or 512x1280.  [default: automatic]",
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
    help="Patches that patchcore keeps.  [default: 1 %, from 1,000 to 8,000]",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 1_000_000),
    metavar="NUMBER",
    help="How long efficientad, fastflow and stfpm learn.  [default: by the method, 500 to 800]",
)
@click.option(
    "--memory-mib",
    type=click.IntRange(min=64),
    metavar="MIB",
    default=2048,
    show_default=True,
    help="Limit for the patches or features held while learning.",
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
@seed_option("Of everything that is drawn at random.")
@megapixels_option
@quiet_option
@json_option
def train_command(
    data: Path,
    output: Path,
    method: Method,
    max_overkill: float,
    size: tuple[int, int] | None,
    tile: int | None,
    dimensions: int | None,
    bank: int | None,
    steps: int | None,
    memory_mib: int,
    bit_depth: int | None,
    backbone: Path | None,
    seed: int,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Learn from the good pictures in DATA and write a model.

    DATA is a folder of good pictures, an MVTec AD or VisA folder, or a CSV; `sightline data check DATA` tells how it
    is understood. Every good training picture both trains and calibrates the model; the methods trained by gradient
    hold out a fifth of them to calibrate. No defects are needed. The threshold is set so that at most --max-overkill
    of good parts are rejected. The same pictures, options and seed give the same file.
    """
    config = TrainConfig(
        method=method,
        size=size,
        tile=tile,
        dimensions=dimensions,
        bank=bank,
        steps=steps,
        max_overkill=max_overkill,
        memory_mib=memory_mib,
        bit_depth=bit_depth,
        max_megapixels=max_megapixels,
        backbone=backbone,
        seed=seed,
    )
    started = time.monotonic()
    dataset = open_dataset(data)
    with Bars(quiet=quiet) as bars:
        trained = train(dataset, output, config, bars)
    seconds = time.monotonic() - started
    click.echo(json.dumps(_document(trained, seconds), indent=2) if as_json else "\n".join(_lines(trained, seconds)))


def _document(trained: Trained, seconds: float) -> dict[str, object]:
    manifest, thresholds = trained.bundle.manifest, trained.bundle.manifest.thresholds
    return {
        "model": str(trained.bundle.path),
        "model_id": trained.bundle.model_id,
        "method": manifest.method,
        "images": trained.images,
        "working_size": {"height": manifest.working_size[0], "width": manifest.working_size[1]},
        "threshold": thresholds.reject,
        "rule": thresholds.rule,
        "promise": thresholds.promise,
        "max_overkill": thresholds.max_overkill,
        "seconds": round(seconds, 2),
        "unusual": [{"image": str(item.path), "score": item.score} for item in trained.unusual],
        "warnings": list(trained.warnings),
    }


def _lines(trained: Trained, seconds: float) -> list[str]:
    manifest, thresholds = trained.bundle.manifest, trained.bundle.manifest.thresholds
    height, width = manifest.working_size
    lines = [
        f"{trained.bundle.path}: model {trained.bundle.model_id} ({manifest.method}) from {trained.images} good "
        f"pictures in {seconds:.1f} s",
        f"  looks at   {width} x {height} px" + (f" in tiles of {manifest.tile}" if manifest.tile else ""),
        f"  calibrated {manifest.calibration.source}",
        f"  rule       {thresholds.rule}",
        f"  promise    {thresholds.promise}",
    ]
    if trained.unusual:
        lines.append(
            "look at these training pictures, which are unlike the others; a defect among the good shows here:"
        )
        lines += [f"  {item.score:10.4g}  {item.path}" for item in trained.unusual]
    return [*lines, *(f"warning: {warning}" for warning in trained.warnings)]
