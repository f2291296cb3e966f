"""`sightline export`: the model for other runtimes, judged before it is written."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from sightline.bundle import load
from sightline.cli.options import PLACE, Number, json_option, megapixels_option, model_argument, quiet_option
from sightline.cli.products import product_option
from sightline.cli.progress import Bars
from sightline.datasets.labelled import open_classes
from sightline.datasets.opening import open_dataset
from sightline.export.exporting import FORMATS, ExportConfig, Exported, export
from sightline.export.judgement import Judgement


@click.command("export")
@model_argument
@click.option(
    "--to",
    "kind",
    type=click.Choice(FORMATS),
    required=True,
    help=(
        "onnx: the very graph; openvino: FILE.xml and FILE.bin; litert: .tflite; edgetpu: .tflite in 8 bits, "
        "checked for what that chip can do; tensorrt: for this machine's GPU."
    ),
)
@click.option("--int8", is_flag=True, help="Compute float convolutions in 8-bit integers; needs --images.")
@click.option("--images", type=PLACE, metavar="DATASET", help="Your pictures: ranges come from good ones for training.")
@click.option(
    "--ranges",
    type=click.Choice(["minmax", "percentile"]),
    default="minmax",
    show_default=True,
    help="Of activations, for 8-bit ONNX: all values, or up to the 99.999th percentile.",
)
@click.option(
    "--max-loss",
    type=Number(min=0, max=1, max_open=True),
    metavar="SHARE",
    default=0.01,
    show_default=True,
    help="Share of verdicts that --int8 may change.",
)
@click.option(
    "-o", "--output", type=PLACE, required=True, help="File to write; its report goes beside it as FILE.json."
)
@product_option
@megapixels_option
@quiet_option
@json_option
def export_command(
    model: Path,
    kind: str,
    int8: bool,
    images: Path | None,
    ranges: str,
    max_loss: float,
    output: Path,
    product: str | None,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write MODEL for use without Sightline, after judging the export beside MODEL on the same pictures.

    Without --int8 every verdict must be the same; with it, all but --max-loss of them, and a classifier's macro F1 may
    fall by 0.005. Otherwise nothing is written.
    Judged are the test pictures of --images, or all where there is no test split; without --images made-up ones, which
    show that the arithmetic is the same, but not how well it does on your parts.

    The ONNX graph's input `image` is (height, width, channels) uint8 or uint16 of any size, grey or RGB; its outputs
    are the raw `score` and the anomaly `map`. The other formats take pictures of the model's working size; FILE.json
    says how to resize them. Thresholds are not in the graph: they are in FILE.json and shown by `sightline info MODEL`.
    Where there is a bank for each product, the ONNX graph's further input `product` takes its number, from 0 in
    the order shown there; other formats judge the --product they were made for.
    """
    bundle = load(model)
    config = ExportConfig(
        format=next(known for known in FORMATS if known == kind),
        int8=int8,
        ranges="percentile" if ranges == "percentile" else "minmax",
        max_loss=max_loss,
        product=product,
        max_megapixels=max_megapixels,
    )
    opened = open_dataset if bundle.manifest.naming is None else open_classes
    dataset = opened(images) if images else None
    with Bars(quiet=quiet) as bars, redirect_stdout(sys.stderr):  # the libraries print how far they are
        exported = export(bundle, output, config, dataset, bars)
    click.echo(json.dumps(exported.document, indent=2) if as_json else "\n".join(_summary(exported)))


def _summary(exported: Exported) -> list[str]:
    said, judgement = exported.document, exported.judgement
    megabytes = sum(file["bytes"] for file in said["files"].values()) / 1e6
    arithmetic = " in 8 bits" if said["int8"] else ""
    return [
        f"{exported.path}: {said['format']} graph of model {said['model_id']}{arithmetic}, {megabytes:.2f} MB",
        f"  takes     {said['takes']}",
        f"  judged    on {said['judged_on']}",
        f"  verdicts  {judgement.changed} of {judgement.pictures} changed",
        f"  scores    moved by at most {100 * judgement.largest_deviation:.3g} % of the threshold",
        *_auroc(judgement),
        *_macro_f1(judgement),
        *(f"  note      {note}" for note in said["notes"]),
    ]


def _auroc(judgement: Judgement) -> list[str]:
    if judgement.auroc_model is None or judgement.auroc_export is None:
        return []
    return [f"  AUROC     {judgement.auroc_export:.4f}, the model's {judgement.auroc_model:.4f}"]


def _macro_f1(judgement: Judgement) -> list[str]:
    if judgement.macro_f1_model is None or judgement.macro_f1_export is None:
        return []
    return [f"  macro F1  {judgement.macro_f1_export:.4f}, the model's {judgement.macro_f1_model:.4f}"]
