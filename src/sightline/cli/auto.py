"""`sightline auto`: the best model within minutes, a latency and a size, for people who know no methods."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from sightline.cli.evaluate import evaluate_model, summary
from sightline.cli.options import (
    PLACE,
    Number,
    data_argument,
    json_option,
    megapixels_option,
    overkill_option,
    quiet_option,
    seed_option,
)
from sightline.cli.progress import Bars
from sightline.datasets.dataset import Dataset
from sightline.datasets.labelled import open_classes
from sightline.datasets.opening import open_dataset
from sightline.errors import OptionError
from sightline.evaluation.document import to_json
from sightline.evaluation.results import Evaluation
from sightline.inspector import load
from sightline.search.material import Task

if TYPE_CHECKING:
    from sightline.search.study import Outcome
    from sightline.search.trial import Limits

_SHOWN = 10  # rows of the leaderboard


@click.command("auto")
@data_argument
@click.option("-o", "--output", type=PLACE, required=True, help="Model file to write (.sight).")
@click.option(
    "--task",
    type=click.Choice(get_args(Task)),
    default="auto",
    show_default=True,
    help="Find what is unusual, name defects, or try both where DATA shows two or more kinds of defect.",
)
@click.option(
    "--minutes",
    type=Number(min=0, min_open=True),
    metavar="NUMBER",
    default=30.0,
    show_default=True,
    help="Time to spend, over all runs of this search.",
)
@click.option(
    "--max-latency-ms",
    type=Number(min=0, min_open=True),
    metavar="MS",
    help="To judge one picture, naming included, on this machine.  [default: no limit]",
)
@click.option(
    "--max-size-mb",
    type=Number(min=0, min_open=True),
    metavar="MB",
    help="Of the model file.  [default: no limit]",
)
@overkill_option
@click.option(
    "--backbone",
    "backbones",
    type=PLACE,
    multiple=True,
    help="Feature extractor to try, an ONNX file; give it once for each.  [default: the one that ships]",
)
@click.option(
    "--study",
    type=PLACE,
    help="Folder that keeps the search and its leaderboard.  [default: beside the model, NAME.search]",
)
@seed_option("Of everything that is drawn at random.")
@megapixels_option
@quiet_option
@json_option
def auto_command(
    data: Path,
    output: Path,
    task: Task,
    minutes: float,
    max_latency_ms: float | None,
    max_size_mb: float | None,
    max_overkill: float,
    backbones: tuple[Path, ...],
    study: Path | None,
    seed: int,
    max_megapixels: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Try methods, working sizes and banks on DATA for some minutes and write the best model within the limits.

    The default settings are tried first, so the result is no worse than theirs by the search's own measure. A part of
    the pictures is held out. Where two or more kinds of defect have 8 pictures each, classifiers and hybrids are tried
    too. Else defects come from the training and validation splits where there are 20, or are painted onto good
    pictures. The test split is used once, for the figures of the finished model.

    Ctrl-C stops it; the same command goes on, and --minutes counts the time spent before. Needs the extra [train].

    \b
      sightline auto parts/ -o part.sight --minutes 20 --max-latency-ms 15
    """
    if find_spec("optuna") is None:
        raise OptionError("a search needs Optuna. Install it with pip install 'sightline[train]'.")
    from sightline.search.leaderboard import write_leaderboard
    from sightline.search.study import search
    from sightline.search.trial import Limits

    limits = Limits(
        minutes=minutes,
        latency_ms=max_latency_ms,
        size_mb=max_size_mb,
        max_overkill=max_overkill,
        task=task,
        seed=seed,
        max_megapixels=max_megapixels,
    )
    dataset = open_dataset(data) if task == "anomaly" else open_classes(data)
    folder = study or output.with_suffix(".search")
    with Bars(quiet=quiet) as bars:
        outcome = search(dataset, output, limits, folder=folder, backbones=backbones, progress=bars)
        page = write_leaderboard(folder, outcome, limits)
        tested = _tested(dataset, output, max_megapixels, bars)
    if as_json:
        click.echo(json.dumps(_document(outcome, limits, page, tested), indent=2))
    else:
        click.echo("\n".join(_lines(outcome, limits, page, tested)))


def _tested(dataset: Dataset, model: Path, max_megapixels: float, bars: Bars) -> Evaluation | None:
    """The finished model on the test split; None where there is none."""
    return evaluate_model(load(model, max_megapixels=max_megapixels), dataset, bars) if dataset.test else None


def _document(outcome: "Outcome", limits: "Limits", page: Path, tested: Evaluation | None) -> dict[str, object]:
    from sightline.search.leaderboard import rows

    return {
        "model": str(outcome.trained.bundle.path),
        "model_id": outcome.trained.bundle.model_id,
        "compared_on": outcome.material.told,
        "settings": outcome.chosen.settings,
        "leaderboard": rows(outcome, limits),
        "failures": [failure.reason for failure in outcome.failures],
        "page": str(page),
        "test": None if tested is None else to_json(tested),
    }


def _lines(outcome: "Outcome", limits: "Limits", page: Path, tested: Evaluation | None) -> list[str]:
    from sightline.search.leaderboard import rows

    listed = rows(outcome, limits)
    lines = [f"compared on {outcome.material.told}", "     AUROC  recall macro F1  latency     size  settings"]
    for row in listed[:_SHOWN]:
        mark = "*" if row["chosen"] else " " if row["within_limits"] else "x"
        lines.append(
            f"{mark} {row['place']:2} {_share(row['auroc'])} {_share(row['recall'])}   {_share(row['macro_f1'])} "
            f"{row['latency_ms']:5.1f} ms {row['size_mb']:5.1f} MB  {row['settings']}"
        )
    if len(listed) > _SHOWN:
        lines.append(f"and {len(listed) - _SHOWN} more in the leaderboard")
    lines += [f"failed: {failure.reason}" for failure in outcome.failures]
    bundle = outcome.trained.bundle
    lines.append(f"{bundle.path}: model {bundle.model_id} from {outcome.trained.images} pictures; * above")
    if tested is not None:
        lines += ["on the test split:", *summary(tested)]
    lines += [f"warning: {warning}" for warning in outcome.trained.warnings]
    return [*lines, f"leaderboard: {page}"]


def _share(value: str | int | float | bool | None) -> str:
    return "  -   " if value is None else f"{value:.4f}"
