"""`sightline export`: the model's graph for other runtimes."""

from pathlib import Path

import click

from sightline.bundle import extract_graph, load
from sightline.cli.options import PLACE, model_argument


@click.command("export")
@model_argument
@click.option("--to", "kind", type=click.Choice(["onnx"]), required=True, help="onnx: the very graph, bare.")
@click.option("-o", "--output", type=PLACE, required=True, help="File to write.")
def export_command(model: Path, kind: str, output: Path) -> None:
    """Write MODEL's graph for use without Sightline.

    Its input `image` is (height, width, channels) uint8 or uint16 of any size, grey or RGB; its outputs are the raw
    `score` and the anomaly `map`. Thresholds are not in the graph: `sightline info MODEL` shows them. Where
    there is a bank for each product, a further input, `product`, takes its number, from 0 in the order shown there.
    """
    loaded = load(model)
    extract_graph(loaded, output)
    spec = loaded.manifest.input
    click.echo(f"{output}: {kind} graph of model {loaded.model_id}, takes {spec.dtype} pixels of {spec.bit_depth} bits")
