"""`sightline data`: looking at data sets, converting and dividing them."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from sightline.cli.convert import convert_command
from sightline.cli.synth import synth_command
from sightline.datasets.check import CheckReport, check
from sightline.datasets.csv_file import write
from sightline.datasets.duplicates import duplicates
from sightline.datasets.findings import Finding, Severity
from sightline.datasets.opening import open_dataset
from sightline.datasets.splits import split
from sightline.datasets.survey import Spread, Statistics, statistics, survey
from sightline.errors import DatasetError, OptionError

_SHOWN = 10  # lines of detail under a finding, and sizes

_path = click.argument("path", type=click.Path(path_type=Path))
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
_megapixels = click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0, min_open=True),
    default=50.0,
    show_default=True,
    help="Larger pictures count as unreadable.",
)
_no_progress = click.option("--no-progress", is_flag=True, help="Show no progress bar on standard error.")


@click.group()
def data() -> None:
    """Check, convert, divide and measure data sets.

    PATH is a folder of good pictures, a folder with one folder per class, a category in MVTec AD layout, an object in
    VisA layout, or a CSV with the columns image,label[,split][,mask].
    """


data.add_command(convert_command)


@data.command("check")
@_path
@_as_json
@_megapixels
@_no_progress
def check_command(path: Path, as_json: bool, max_megapixels: float, no_progress: bool) -> None:
    """Find what is wrong with a data set, and the cure.

    Looks for unreadable pictures, pictures that occur more than once (most of all in training and in testing), masks
    that do not fit, and labels that cannot be meant.

    Exit status 1 if pictures cannot be read or the same pixels lie in more than one split; 0 otherwise, also with
    warnings.
    """
    report = check(open_dataset(path), max_megapixels, progress=_progress(no_progress))
    if as_json:
        click.echo(json.dumps(asdict(report) | {"is_usable": report.is_usable}, indent=2, default=str))
    else:
        click.echo("\n".join(_report_lines(report)))
    if not report.is_usable:
        errors = "; ".join(finding.what for finding in report.findings if finding.severity is Severity.ERROR)
        raise DatasetError(f"{path}: not fit for use: {errors}.")


@data.command("split")
@_path
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="CSV to write.")
@click.option(
    "--fractions",
    default="0.7/0.15/0.15",
    show_default=True,
    help="Shares of train/validation/test, or of train/test.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another one divides otherwise.")
@click.option(
    "--keep-duplicates-together", is_flag=True, help="Read all pictures, and put those that are one in one split."
)
@_megapixels
@_no_progress
def split_command(
    path: Path,
    output: Path,
    fractions: str,
    seed: int,
    keep_duplicates_together: bool,
    max_megapixels: float,
    no_progress: bool,
) -> None:
    """Divide a data set at random and write it as a CSV, which is a data set of its own.

    Each label is divided in the same proportions. Splits that the data set has already are not looked at. The same
    seed gives the same file.
    """
    shares = _shares(fractions)
    if output.suffix.lower() != ".csv":  # it could not be opened as a data set
        raise OptionError(f"{output}: a split is written as CSV; give a name that ends in .csv.")
    dataset = open_dataset(path)
    groups = []
    if keep_duplicates_together:
        seen = survey(dataset, max_megapixels=max_megapixels, progress=_progress(no_progress))
        groups = [[sample.path for sample in group.samples] for group in duplicates(seen.looks)]
    divided = split(dataset, shares, seed, groups)
    write(divided, output)
    click.echo("\n".join([*_table(_count_rows(divided.counts)), f"written to {output}"]))


@data.command("stats")
@_path
@_as_json
@_megapixels
@_no_progress
def stats_command(path: Path, as_json: bool, max_megapixels: float, no_progress: bool) -> None:
    """Count pictures per class and split, and measure sizes, brightness and contrast."""
    dataset = open_dataset(path)
    figures = statistics(survey(dataset, max_megapixels=max_megapixels, progress=_progress(no_progress)))
    if as_json:
        click.echo(json.dumps({"name": dataset.name, "layout": dataset.layout} | asdict(figures), indent=2))
    else:
        click.echo("\n".join([f"{dataset.name} ({dataset.layout})", *_statistics_lines(figures)]))


data.add_command(synth_command)


def _progress(no_progress: bool) -> bool | None:
    return False if no_progress else None


def _shares(text: str) -> dict[str, float]:
    names = {2: ("train", "test"), 3: ("train", "validation", "test")}
    try:
        values = [float(part) for part in text.split("/")]
        return dict(zip(names[len(values)], values, strict=True))
    except (ValueError, KeyError):
        raise OptionError(f'--fractions "{text}" is not understood; write 0.8/0.2 or 0.7/0.15/0.15.') from None


def _report_lines(report: CheckReport) -> list[str]:
    lines = [
        f"{report.name} ({report.layout}), {report.pictures:,} pictures",
        *_statistics_lines(report.statistics),
        "",
    ]
    for finding in report.findings:
        lines += _finding_lines(finding)
    return [*lines, "nothing to complain about" if not report.findings else f"{len(report.findings)} finding(s)"]


def _finding_lines(finding: Finding) -> list[str]:
    hidden = len(finding.details) - _SHOWN
    return [
        f"{finding.severity.upper()}: {finding.what}",
        f"  cure: {finding.cure}",
        *(f"  - {detail}" for detail in finding.details[:_SHOWN]),
        *([f"  - and {hidden:,} more; --json lists all"] if hidden > 0 else []),
        "",
    ]


def _statistics_lines(figures: Statistics) -> list[str]:
    sizes = [f"{size} ({number:,})" for size, number in figures.sizes.items()]
    hidden = [f"and {len(sizes) - _SHOWN:,} more"] if len(sizes) > _SHOWN else []
    formats = [f"{name} ({number:,})" for name, number in figures.formats.items()]
    light = [("label", "brightness (lowest, median, highest)", "contrast")]
    light += [
        (label, _spread(figures.brightness[label]), _spread(figures.contrast[label])) for label in figures.brightness
    ]
    return [
        *_table(_count_rows(figures.counts)),
        f"sizes    {', '.join(sizes[:_SHOWN] + hidden) or 'none'}",
        f"formats  {', '.join(formats) or 'none'}",
        *(_table(light) if figures.brightness else []),
        *([f"{figures.unreadable:,} unreadable"] if figures.unreadable else []),
    ]


def _count_rows(counts: dict[str, dict[str, int]]) -> list[tuple[str, str, str]]:
    rows = [(name, label, f"{number:,}") for name, by_label in counts.items() for label, number in by_label.items()]
    return [("split", "label", "pictures"), *rows]


def _spread(spread: Spread) -> str:
    return f"{spread.lowest:.3f}  {spread.median:.3f}  {spread.highest:.3f}"


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Columns of one width each, two blanks apart."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
