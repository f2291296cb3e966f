"""`sightline demo`: the whole way on rendered parts, from good pictures to verdicts and a report."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import click

from sightline.bundle import load as load_bundle
from sightline.bundle import save
from sightline.cli.evaluate import evaluate_model, exhibits, summary
from sightline.cli.inspect import asdict_without_map, write_overlay
from sightline.cli.options import json_option, quiet_option
from sightline.cli.progress import Bars
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.opening import open_dataset
from sightline.errors import OptionError, StoreError
from sightline.evaluation.document import to_json
from sightline.evaluation.report import write_report
from sightline.evaluation.results import Evaluation
from sightline.evaluation.thresholds import review_for_share
from sightline.files import write_bytes
from sightline.inspector import Inspector, load
from sightline.records import Inspection
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig, Trained, train

_MARK = ".sightline-demo"  # in a folder that an earlier demo made and a new one may replace
_MAX_OVERKILL, _MAX_REVIEW = 0.01, 0.03
_MEGAPIXELS = 50.0


@click.command("demo")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Folder for what it makes."
)
@click.option("--parts", type=click.IntRange(min=20), default=120, show_default=True, help="Good parts to learn from.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@quiet_option
@json_option
def demo_command(out: Path, parts: int, seed: int, quiet: bool, as_json: bool) -> None:
    """Show everything on rendered parts: learn from good ones, judge others, write a report and pictures.

    Nothing is downloaded and no data is needed.
    """
    started = time.monotonic()

    def say(text: str = "") -> None:
        if not as_json:
            click.echo(text)

    _prepare(out)
    with Bars(quiet=quiet) as bars:
        say(
            f"1. Rendering parts: a machined disc with holes, a printed mark and a screw; {parts} good ones to learn from,"
        )
        say("   others to test with, some with one of seven kinds of defect.")
        counts = Counts(good_train=parts, good_test=40, per_defect=8)
        write_dataset(
            out / "parts", PartConfig(), counts, seed=seed, progress=lambda done, total: bars("rendering", done, total)
        )
        dataset = open_dataset(out / "parts")
        say(f"   {out / 'parts'}: {len(dataset.train)} for training, {len(dataset.test)} for testing\n")
        say("2. Learning what good parts look like, from good pictures alone.")
        trained = train(dataset, out / "part.sight", TrainConfig(max_overkill=_MAX_OVERKILL, seed=seed), bars)
        _add_review_band(out / "part.sight")
        inspector = load(out / "part.sight")
        say("\n".join(f"   {line}" for line in _told(trained, inspector)))
        say("3. Judging the test parts, whose truth is known, and writing a report.")
        found = evaluate_model(inspector, dataset, bars)
        _report(out / "report.html", found, dataset, inspector)
        say("\n".join(f"   {line}" for line in summary(found)) + "\n")
        say("4. Looking at a few parts closely: one good and one of each kind of defect.")
        shown = [(sample, _show(inspector, sample, out / "overlays")) for sample in _one_of_each(dataset)]
    for sample, inspection in shown:
        say(f"   {sample.label:18} -> {inspection.verdict:6} score {inspection.score:.3g} / {inspection.threshold:.3g}")
    seconds = time.monotonic() - started
    if as_json:
        evaluation = to_json(found) | {"judged": len(found.judged)}
        document = {
            "seconds": round(seconds, 1),
            "model": str(out / "part.sight"),
            "report": str(out / "report.html"),
            "evaluation": evaluation,
            "inspections": [asdict_without_map(inspection) for _, inspection in shown],
        }
        click.echo(json.dumps(document, indent=2))
    say(f"\nDone in {seconds:.0f} s. Look at:")
    say(f"  {out / 'report.html'}   how good the model is, with the worst mistakes; open it in a browser")
    say(f"  {out / 'overlays'}/      where each part deviates and how badly")
    say(f"  {out / 'part.sight'}    the model; `sightline inspect {out / 'part.sight'} PICTURES` judges with it")
    say("Next, with your own parts: sightline train FOLDER_OF_GOOD_PICTURES -o my.sight")


def _prepare(out: Path) -> None:
    if out.exists():
        if not out.is_dir() or (any(out.iterdir()) and not (out / _MARK).exists()):
            raise OptionError(f"{out}: exists and was not made by a demo. Give another place with --out.")
        shutil.rmtree(out)
    try:
        (out / "overlays").mkdir(parents=True)
    except OSError as error:
        raise StoreError(f"{out}: cannot be made ({error.strerror}). Give another place with --out.") from error
    write_bytes(out / _MARK, b"")


def _add_review_band(model: Path) -> None:
    """Let people look at the parts just below the threshold: at most 3 % of the good ones."""
    bundle = load_bundle(model)
    limits = bundle.manifest.thresholds
    band = review_for_share(limits.reject, bundle.manifest.calibration.good_scores, _MAX_REVIEW)
    if band.value < limits.reject:
        limits = replace(limits, review=band.value, promise=f"{limits.promise}; {band.promise}")
        save(model, bundle.graph, replace(bundle.manifest, thresholds=limits))


def _told(trained: Trained, inspector: Inspector) -> list[str]:
    limits, size = inspector.manifest.thresholds, inspector.bundle.path.stat().st_size
    return [
        f"{inspector.bundle.path}: {size / 1e6:.1f} MB, learnt from {trained.images} pictures; no defect was shown to it",
        f"a part is rejected from a score of {limits.reject:.4g} on: at most {limits.max_overkill or 0:.2%} of good parts",
        *(f"warning: {warning}" for warning in trained.warnings),
        "",
    ]


def _report(path: Path, found: Evaluation, dataset: Dataset, inspector: Inspector) -> None:
    escapes, overkills = exhibits(found, dataset, inspector, _MEGAPIXELS)
    notes = [inspector.manifest.thresholds.promise, "The parts are rendered: the figures say nothing about yours."]
    write_report(path, found, escapes, overkills, title="Sightline demo: rendered parts", notes=notes)


def _one_of_each(dataset: Dataset) -> list[Sample]:
    return [next(sample for sample in dataset.test if sample.label == label) for label in dataset.labels]


def _show(inspector: Inspector, sample: Sample, folder: Path) -> Inspection:
    inspection = inspector.inspect(sample.path)
    write_overlay(folder / f"{sample.label}.png", inspection, _MEGAPIXELS)
    return inspection
