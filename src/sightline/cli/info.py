"""`sightline info`: what a model file says about itself."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from sightline.bundle import load
from sightline.cli.naming import class_lines
from sightline.cli.options import json_option, model_argument
from sightline.cli.products import product_lines


@click.command("info")
@model_argument
@json_option
def info_command(model: Path, as_json: bool) -> None:
    """Show what MODEL was made from, its thresholds and what they promise."""
    loaded = load(model)
    manifest = loaded.manifest
    if as_json:
        document = {"model_id": loaded.model_id, **asdict(manifest)}
        if not manifest.products:
            del document["products"]  # as in the file
        if manifest.naming is None:
            del document["naming"]
        if manifest.regions is None:
            del document["regions"]
        if manifest.segments is None:
            del document["segments"]
        if manifest.locating is None:
            del document["locating"]
        click.echo(json.dumps(document, indent=2))
        return
    height, width = manifest.working_size
    made, limits = manifest.provenance, manifest.thresholds
    rows = {
        "model": f"{loaded.model_id} ({manifest.method}), Sightline {manifest.sightline_version}",
        "takes": f"{manifest.input.dtype}, {manifest.input.bit_depth} bits; looks at {width} x {height} px"
        + (f" in tiles of {manifest.tile}" if manifest.tile else ""),
        "made from": f"{made.images} {'labelled' if manifest.names_defects else 'good'} pictures of "
        f"{made.dataset}, seed {made.seed}, backbone {made.backbone}",
        "settings": ", ".join(f"{key} {value}" for key, value in sorted(made.config.items())),
        "calibrated": manifest.calibration.source,
        "rule": limits.rule,
        "promise": limits.promise,
        "file": f"{model.stat().st_size / 1e6:.2f} MB",
    }
    click.echo("\n".join(f"{name:10}  {text}" for name, text in rows.items()))
    for line in product_lines(manifest):
        click.echo(f"{'product':10}  {line}")
    for line in class_lines((loaded.names or loaded).manifest):
        click.echo(f"{'class':10}  {line}")
