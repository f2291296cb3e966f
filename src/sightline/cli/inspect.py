"""`sightline inspect`: judge pictures with a model."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sightline.cli.options import json_option, megapixels_option, model_argument, quiet_option, threads_option
from sightline.cli.progress import Bars
from sightline.datasets.pictures import pictures_in
from sightline.errors import DatasetError, FrameError, StoreError
from sightline.imaging.decode import read_frame
from sightline.imaging.overlay import panel
from sightline.imaging.writing import write_png
from sightline.inspector import load
from sightline.records import Inspection, Verdict


@click.command("inspect")
@model_argument
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--overlay", type=click.Path(path_type=Path), help="Write pictures that show where and why to a folder.")
@click.option("--fail-on-reject", is_flag=True, help="Exit with status 3 when a part is rejected.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Pictures judged at once.")
@threads_option
@megapixels_option
@quiet_option
@json_option
def inspect_command(
    model: Path,
    images: tuple[Path, ...],
    overlay: Path | None,
    fail_on_reject: bool,
    workers: int,
    threads: int | None,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> int:
    """Judge IMAGES, files or folders, with MODEL.

    Each gets a verdict (PASS, REJECT, REVIEW, or FAULT if it could not be judged), its raw score beside the
    threshold, and p, the share of good parts that are at least as unusual. The others are judged when one fails; the
    exit status is then 1.
    """
    inspector = load(model, threads=threads, max_megapixels=max_megapixels)
    paths = _listed(images)
    if overlay is not None:
        _make_folder(overlay)
    inspections = []
    with Bars(quiet=quiet) as bars:
        for done, inspection in enumerate(inspector.inspect_all(paths, workers=workers)):
            if overlay is not None and inspection.map is not None:
                write_overlay(_overlay_path(overlay, done, paths), inspection, max_megapixels)
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


def asdict_without_map(inspection: Inspection) -> dict[str, Any]:
    """An inspection as JSON types; the map is left out for its size."""
    document = asdict(inspection)
    del document["map"]
    return document | {"verdict": inspection.verdict.value, "defects": list(document["defects"])}


def _listed(images: Sequence[Path]) -> list[Path]:
    paths: list[Path] = []
    for given in images:
        found = pictures_in(given) if given.is_dir() else [given]
        if not found:
            raise DatasetError(f"{given}: no pictures; put PNG, JPEG, BMP, TIFF or WebP files there.")
        paths += found
    return paths


def _line(inspection: Inspection) -> str:
    if inspection.score is None:
        return f"{inspection.verdict:6}  {inspection.fault}"
    defects = len(inspection.defects)
    regions = f"  {defects} region{'s' if defects > 1 else ''}" if defects else ""
    p_value = f"  p {inspection.p_value:.3g}" if inspection.p_value is not None else ""
    limit = f"{inspection.score:8.4g} / {inspection.threshold:.4g}"
    return f"{inspection.verdict:6}  {limit}{p_value}  {inspection.source}{regions}"


def _overlay_path(folder: Path, index: int, paths: Sequence[Path]) -> Path:
    """Named like the picture, numbered where several pictures share a name."""
    name = paths[index].stem
    same = [position for position, path in enumerate(paths) if path.stem == name]
    return folder / (f"{name}.png" if len(same) == 1 else f"{name}-{same.index(index) + 1}.png")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}). Choose another folder.") from error


def write_overlay(path: Path, inspection: Inspection, max_megapixels: float) -> None:
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
        caption=Path(inspection.source).name,
    )
    write_png(path, picture)
