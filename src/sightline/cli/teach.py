"""`sightline teach`: a new class of defect from a few examples."""

import json
from pathlib import Path

import click

from sightline.bundle import load
from sightline.cli.options import PLACE, json_option, megapixels_option, model_argument, quiet_option
from sightline.cli.progress import Bars
from sightline.datasets.pictures import is_picture, subfolders
from sightline.errors import OptionError
from sightline.teaching import Taught, teach


@click.command("teach")
@model_argument
@click.argument("images", nargs=-1, required=True, type=PLACE)
@click.option("--class", "label", required=True, metavar="NAME", help="Name of the defect, such as bent_pin.")
@click.option("-o", "--output", type=PLACE, help="Model file to write.  [default: MODEL itself]")
@megapixels_option
@quiet_option
@json_option
def teach_command(
    model: Path,
    images: tuple[Path, ...],
    label: str,
    output: Path | None,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Teach the classifier MODEL a new class of defect from 5 to 10 IMAGES, or folders of them, in seconds.

    The model is not trained again, and what it knew stays as it was. A picture that is like the examples, and more so
    than like any other class, is rejected by the new name; a picture like no class at all is left to a person.

    \b
      sightline teach part.sight --class bent_pin bent/*.png
    """
    pictures = [picture for place in images for picture in _pictures(place)]
    with Bars(quiet=quiet) as bars:
        taught = teach(load(model), label, pictures, output or model, max_megapixels=max_megapixels, progress=bars)
    click.echo(json.dumps(_document(taught), indent=2) if as_json else "\n".join(_lines(taught)))


def _pictures(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    found = sorted(path for path in place.iterdir() if is_picture(path))
    if not found:
        some = ", ".join(subfolders(place)) or "nothing"
        raise OptionError(f"{place}: has no pictures (found: {some}); give pictures of one class.")
    return found


def _document(taught: Taught) -> dict[str, object]:
    return {
        "model": str(taught.bundle.path),
        "model_id": taught.bundle.model_id,
        "class": taught.rule.name,
        "examples": taught.rule.examples,
        "similarity": taught.rule.similarity,
        "classes": list(taught.bundle.manifest.labels),
        "warnings": list(taught.warnings),
    }


def _lines(taught: Taught) -> list[str]:
    rule = taught.rule
    return [
        f"{taught.bundle.path}: model {taught.bundle.model_id} now knows {rule.name!r} from {rule.examples} examples",
        f"  found where a picture is at least {rule.similarity:.3f} like them, and liker than to any class learnt",
        f"  classes    {', '.join(taught.bundle.manifest.labels)}",
        *(f"warning: {warning}" for warning in taught.warnings),
    ]
