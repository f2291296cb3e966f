"""`sightline inspect`: judge pictures with a model."""

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.cli.options import PLACE, json_option, megapixels_option, model_argument, quiet_option, threads_option
from sightline.cli.products import product_option
from sightline.cli.progress import Bars
from sightline.datasets.pictures import pictures_in
from sightline.errors import DatasetError, FrameError, OptionError, StoreError
from sightline.imaging.banner import figure
from sightline.imaging.beside import marked, sheet, side_by_side
from sightline.imaging.decode import read_frame
from sightline.imaging.depth import is_depth_name
from sightline.imaging.overlay import panel
from sightline.imaging.writing import write_png
from sightline.inspector import Inspector, load
from sightline.records import Inspection, Verdict


@click.command("inspect")
@model_argument
@click.argument("images", nargs=-1, required=True, type=PLACE)
@click.option("--overlay", type=PLACE, help="Folder for pictures that show where and why; made if need be.")
@click.option(
    "--masks",
    type=PLACE,
    help="Folder for pictures of what a segmenter outlines: each pixel 0, or the place of its class among the labels.",
)
@click.option(
    "--explain",
    type=PLACE,
    help="Folder for pictures of the most unusual places, each beside the good one that it looked most like.",
)
@click.option("--fail-on-reject", is_flag=True, help="Exit with status 3 when a part is rejected.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    metavar="NUMBER",
    default=1,
    show_default=True,
    help="Pictures judged at once.",
)
@product_option
@threads_option
@megapixels_option
@quiet_option
@json_option
def inspect_command(
    model: Path,
    images: tuple[Path, ...],
    overlay: Path | None,
    masks: Path | None,
    explain: Path | None,
    fail_on_reject: bool,
    workers: int,
    product: str | None,
    threads: int | None,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> int:
    """Judge IMAGES, files or folders, with MODEL.

    Each gets one line:

    \b
      REJECT    1.0370 / 0.4451  p 0.008   new/007.png  1 region

    The verdict (PASS, REVIEW, REJECT, or FAULT if it could not be judged), the raw score / the threshold that it is
    compared with, p, the share of good parts that look at least as unusual, and how many regions reach the threshold.
    A model that names defects adds the name and its probability.

    A picture that cannot be judged does not stop the others; the exit status is then 1.
    """
    inspector = load(model, threads=threads, max_megapixels=max_megapixels)
    inspector.limits(product)  # before a folder is made
    paths = _listed(images)
    draw = _drawing(inspector, paths, {"--overlay": overlay, "--masks": masks, "--explain": explain}, max_megapixels)
    inspections = []
    # on one terminal the lines would run into a bar, and show the progress anyway
    with Bars(quiet=quiet or (not as_json and sys.stdout.isatty())) as bars:
        for done, inspection in enumerate(inspector.inspect_all(paths, workers=workers, product=product)):
            draw(done, inspection)
            if not as_json:
                click.echo(_line(inspection))
            inspections.append(asdict_without_map(inspection))
            bars("inspecting", done + 1, len(paths))
    counts = {verdict.value: sum(i["verdict"] == verdict for i in inspections) for verdict in Verdict}
    if as_json:
        document = {"model": str(model), "model_id": inspector.model_id, "counts": counts, "inspections": inspections}
        click.echo(json.dumps(document, indent=2))
    elif len(inspections) > 1:
        click.echo(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count))
    faults = [i for i in inspections if i["verdict"] == Verdict.FAULT]
    if faults:
        others = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise FrameError(f"{faults[0]['fault']}{others}")
    return 3 if fail_on_reject and counts[Verdict.REJECT] else 0


def _drawing(
    inspector: Inspector, paths: Sequence[Path], folders: Mapping[str, Path | None], max_megapixels: float
) -> Callable[[int, Inspection], None]:
    """What writes the pictures that are asked for, of each inspection by its number; the folders are made.

    Args:
        folders: by their options.
    """
    model = inspector.bundle.path
    if folders["--masks"] is not None and inspector.manifest.segments is None:
        raise OptionError(f"{model}: a {inspector.manifest.method} model outlines nothing; leave --masks out.")
    if folders["--explain"] is not None:
        inspector.explainer()  # which says it where the model keeps no good pictures
    places = {option: _places(option, folder, paths) for option, folder in folders.items() if folder is not None}

    def draw(number: int, inspection: Inspection) -> None:
        here = {option: made[number] for option, made in places.items()}
        if "--overlay" in here and inspection.map is not None:
            write_overlay(here["--overlay"], inspection, max_megapixels, caption=paths[number].name)
        if "--masks" in here and inspection.width is not None and inspection.score is not None:
            write_png(here["--masks"], class_picture(inspection))
        if "--explain" in here and inspection.map is not None:
            write_explanation(here["--explain"], inspector, inspection)

    return draw


def asdict_without_map(inspection: Inspection) -> dict[str, Any]:
    """An inspection as JSON types; the map is left out for its size, and what the model does not tell."""
    document = asdict(replace(inspection, map=None, segments=None, boxes=None))  # first, as they would be copied
    del document["map"], document["segments"], document["boxes"]
    for defect in document["defects"]:
        if defect["severity"] is None:
            del defect["severity"]
    for key in ("product", "probabilities", "named"):
        if document[key] is None:
            del document[key]
    return document | {"verdict": inspection.verdict.value, "defects": list(document["defects"])}


def _listed(images: Sequence[Path]) -> list[Path]:
    paths: list[Path] = []
    for given in images:
        found = pictures_in(given) if given.is_dir() else [given]
        if not found:
            raise DatasetError(f"{given}: no pictures; put PNG, JPEG, BMP, TIFF or WebP files there.")
        paths += found
    # a shell's *.png names the depth maps beside the pictures as well
    pictures = [path for path in paths if not is_depth_name(path)]
    if not pictures:
        raise DatasetError(f"{paths[0]}: is a depth map; give its picture, beside which it is found.")
    return pictures


def _line(inspection: Inspection) -> str:
    if inspection.score is None:
        return f"{inspection.verdict:6}  {inspection.fault}"
    defects = len(inspection.defects)
    regions = f"  {defects} region{'s' if defects > 1 else ''}" if defects else ""
    p_value = f"  p {inspection.p_value:<6.2g}" if inspection.p_value is not None else ""
    places = _decimals(inspection.threshold)
    limit = f"{inspection.score:8.{places}f} / {inspection.threshold:.{places}f}"
    return f"{inspection.verdict:6}  {limit}{p_value}  {inspection.source}{regions}{_named(inspection)}"


def _named(inspection: Inspection) -> str:
    if not inspection.defects or inspection.defects[0].confidence is None:
        return ""
    leading = inspection.defects[0]  # a classifier's all have the one name
    severe = "" if leading.severity is None else f", severity {leading.severity:.2f}"
    return f"  {leading.label} {leading.confidence:.2f}{severe}"


def _decimals(threshold: float) -> int:
    """Places that give a threshold four significant digits; its scores are shown with as many."""
    return min(8, max(0, 3 - math.floor(math.log10(abs(threshold))))) if threshold else 4


def class_picture(inspection: Inspection) -> NDArray[np.uint8]:
    """(H, W) of the frame: 0, or the place among the model's labels of the defect outlined there."""
    assert inspection.width is not None, "the caller has seen that it was decoded"
    assert inspection.height is not None, "as above"
    if inspection.segments is None:
        return np.zeros((inspection.height, inspection.width), np.uint8)
    size = (inspection.width, inspection.height)
    return np.asarray(cv2.resize(inspection.segments, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _places(option: str, folder: Path, paths: Sequence[Path]) -> list[Path]:
    """Where what is made of each picture belongs, in a folder that is made; none takes the place of a picture."""
    overlays = [folder / f"{name}.png" for name in overlay_names(paths)]
    pictures = {path.resolve() for path in paths}
    if overwritten := next((path for path in overlays if path.resolve() in pictures), None):
        raise OptionError(f"{overwritten}: is one of the pictures to judge. Choose another folder for {option}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}). Choose another folder.") from error
    return overlays


def overlay_names(paths: Sequence[Path]) -> list[str]:
    """A name per picture, without suffix: its own; where several share it, with their folder's; else numbered."""
    shared = Counter(path.stem.casefold() for path in paths)
    taken: set[str] = set()
    names = []
    for path in paths:
        wanted = path.stem if shared[path.stem.casefold()] == 1 else f"{path.parent.name}-{path.stem}".lstrip("-")
        name, number = wanted, 1
        while name.casefold() in taken:
            number += 1
            name = f"{wanted}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def write_overlay(path: Path, inspection: Inspection, max_megapixels: float, *, caption: str) -> None:
    """Write the picture beside its heat map; the inspection has a map and its source is a file."""
    frame = read_frame(Path(inspection.source), max_megapixels=max_megapixels)
    assert inspection.map is not None, "the caller has seen the map"
    picture = panel(
        frame.pixels,
        frame.bit_depth,
        inspection.map,
        inspection.threshold,
        review_threshold=inspection.review_threshold,
        defects=inspection.defects,
        verdict=inspection.verdict,
        caption=caption,
    )
    write_png(path, picture)


def write_explanation(path: Path, inspector: Inspector, inspection: Inspection) -> None:
    """Write the most unusual places beside the good ones that they looked most like; the source is a file."""
    rows = [
        side_by_side(
            marked(one.part, one.part_place),
            marked(one.good, one.good_place),
            f"{figure(one.peak)}   This looked most like {one.source}, distance {figure(one.distance)}",
        )
        for one in inspector.explain(inspector.frame(inspection.source), inspection)
    ]
    assert inspection.score is not None, "the caller has seen the map"
    figures = f"score {figure(inspection.score)}   threshold {figure(inspection.threshold)}"
    write_png(path, sheet(rows, figures, inspection.verdict, Path(inspection.source).name))
