"""`sightline data convert`: from one format of labels to another."""

import json
from collections import Counter
from pathlib import Path

import click

from sightline.cli.options import PLACE, json_option, quiet_option
from sightline.datasets.annotations import LabelledSet
from sightline.datasets.conversion import Conversion, Converted, convert
from sightline.datasets.formats.table import FORMATS

_NAMES = tuple(FORMATS)
_EPILOG = f"Formats: {', '.join(f'{name} ({form.title})' for name, form in FORMATS.items())}."


@click.command("convert", epilog=_EPILOG)
@click.argument("source", type=PLACE)
@click.argument("target", type=PLACE)
@click.option("--to", "target_format", type=click.Choice(_NAMES), required=True, help="Format to write.")
@click.option(
    "--from", "source_format", type=click.Choice(_NAMES), help="Format of SOURCE.  [default: told by its content]"
)
@click.option("--link", is_flag=True, help="Make symbolic links instead of copies of the pictures.")
@click.option(
    "--prefix",
    default="",
    metavar="URI",
    help="Where the pictures will lie, such as gs://bucket/part; for formats that name them by URI.",
)
@click.option("--lossy", is_flag=True, help="Convert although the format cannot carry everything.")
@quiet_option
@json_option
def convert_command(
    source: Path,
    target: Path,
    target_format: str,
    source_format: str | None,
    link: bool,
    prefix: str,
    lossy: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the pictures and labels of SOURCE into the new folder TARGET, in another format.

    Counts, classes, places and pictures without defects stay as they are. What the format has no room for is listed,
    and nothing is written unless --lossy is given. A box becomes an outline or a mask where there are no boxes, which
    is no loss.

    \b
      sightline data convert part/ part_coco/ --to coco
      sightline data convert export.manifest part/ --to mvtec --lossy
      sightline data convert part/ vertex/ --to vertex-jsonl-boxes --prefix gs://bucket/part
    """
    conversion = Conversion(format=target_format, source_format=source_format, link=link, prefix=prefix, lossy=lossy)
    done = convert(source, target, conversion, progress=False if quiet else None)
    if as_json:
        click.echo(json.dumps(_document(target, done), indent=2))
        return
    written = done.written
    click.echo(
        f"{target}: {len(written.pictures):,} pictures and {written.annotations:,} annotations as {written.format}, "
        f"from {done.source.format}"
    )
    for line in done.losses:
        click.echo(f"  lost: {line}")


def _document(target: Path, done: Converted) -> dict[str, object]:
    return {
        "target": str(target),
        "from": _counts(done.source),
        "to": _counts(done.written),
        "lost": list(done.losses),
    }


def _counts(dataset: LabelledSet) -> dict[str, object]:
    """Pictures by split and label, annotations by label; pictures that nobody has looked at have the label null."""
    pictures = [
        {"split": split, "label": label, "pictures": number}
        for (split, label), number in Counter((one.split, one.label) for one in dataset.pictures).items()
    ]
    annotations = Counter(annotation.label for one in dataset.pictures for annotation in one.annotations)
    return {"format": dataset.format, "pictures": pictures, "annotations": dict(annotations)}
