"""`sightline demo`: the whole way on rendered parts, from good pictures to a line at work and its console."""

import json
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.bundle import load as load_bundle
from sightline.bundle import save_changed
from sightline.cli.calibrate import with_review
from sightline.cli.console_demo import (
    NO_CONSOLE,
    Console,
    about_console,
    can_open,
    console_document,
    may_stay,
    open_console,
)
from sightline.cli.evaluate import evaluate_model, exhibits, indented, outcome
from sightline.cli.inspect import asdict_without_map, write_overlay
from sightline.cli.line_demo import MISSING, about, can_run, demo_line, document, run_demo_line
from sightline.cli.options import PLACE, json_option, quiet_option, seed_option
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
from sightline.synthesis.defects import DefectType
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig, Trained, train

if TYPE_CHECKING:
    from sightline.line.simulation import LineResult, SimulatedLine

Say = Callable[..., None]
_MARK = ".sightline-demo"  # in a folder that an earlier demo made and a new one may fill again
_MAX_OVERKILL, _MAX_REVIEW = 0.01, 0.03
_MEGAPIXELS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """What the demo makes, and where."""

    out: Path

    @property
    def parts(self) -> Path:
        return self.out / "parts"

    @property
    def model(self) -> Path:
        return self.out / "part.sight"

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    @property
    def overlays(self) -> Path:
        return self.out / "overlays"

    @property
    def line(self) -> Path:
        return self.out / "line"

    @property
    def plant(self) -> Path:
        return self.out / "plant"


@click.command("demo")
@click.option("--out", type=PLACE, default=Path("demo"), show_default=True, help="Folder for what it makes.")
@click.option(
    "--parts",
    type=click.IntRange(20, 10_000),
    metavar="NUMBER",
    default=120,
    show_default=True,
    help="Good parts to learn from, at least 20; the parts to test with grow with them.",
)
@click.option(
    "--line-parts",
    type=click.IntRange(0, 10_000),
    metavar="NUMBER",
    default=200,
    show_default=True,
    help="Parts that come down the simulated line, 5 a second; 0 leaves the line out.",
)
@click.option("--no-console", is_flag=True, help="End after the line; start no plant server.")
@seed_option("Another number gives other parts.")
@quiet_option
@json_option
def demo_command(
    out: Path, parts: int, line_parts: int, no_console: bool, seed: int, quiet: bool, as_json: bool
) -> None:
    """Show everything on rendered parts: learn from good ones, judge others, write a report and pictures.

    Then the model judges parts on a simulated line: a conveyor, two cameras, and a PLC by Modbus, with faults injected.
    What it records goes to a plant server, whose console opens in the browser while the line goes on, until Ctrl-C;
    with --json, or where there is no terminal, it all ends by itself.

    Nothing is downloaded and no data is needed. A second run fills the same folder again.
    """
    started = time.monotonic()
    places = _Places(out=out)
    counts = Counts(good_train=parts, good_test=max(5, parts // 3), per_defect=max(1, parts // 15))

    def say(*lines: str) -> None:
        if not as_json:
            click.echo("\n".join(lines))

    _prepare(places)
    with ExitStack() as opened, Bars(quiet=quiet) as bars:
        say(*_about_parts(places, counts))
        write_dataset(
            places.parts, PartConfig(), counts, seed=seed, progress=lambda done, total: bars("rendering", done, total)
        )
        dataset = open_dataset(places.parts)
        say("", "2. Learning what good parts look like, from the good pictures alone: no defect is shown to it.")
        trained = train(dataset, places.model, TrainConfig(max_overkill=_MAX_OVERKILL, seed=seed), bars)
        _add_review_band(places.model)
        inspector = load(places.model)
        say(*_about_model(trained, inspector))
        say("", f"3. Judging {len(dataset.test)} other parts, of which the truth is known.")
        found = evaluate_model(inspector, dataset, bars)
        _report(places.report, found, dataset, inspector)
        say(*indented(outcome(found), 3))
        say("", "4. Looking closely at one part of each kind, with a picture of where it deviates.")
        shown = [(sample, _show(inspector, sample, places.overlays)) for sample in _one_of_each(dataset)]
        say(*indented({sample.label: _verdict(inspection) for sample, inspection in shown}, 3))
        line, result = _line(places, line_parts, seed, bars, say, opened)
        console = None if no_console or line is None else _console(places, line, bars, say, opened)
        seconds = time.monotonic() - started
        if as_json:
            click.echo(json.dumps(_document(places, seconds, found, shown, result, console), indent=2))
        say("", *_what_next(places, seconds))
        if console is not None and may_stay() and not as_json:
            say("", *_staying(console))
            console.stay()
            say("", "Ending the line and the server; what they recorded stays.")


def _line(
    places: _Places, parts: int, seed: int, bars: Bars, say: Say, opened: ExitStack
) -> "tuple[SimulatedLine | None, LineResult | None]":
    """The line, still open, and what became of the parts; None where it is left out."""
    if parts == 0:
        return None, None
    if not can_run():
        say("", f"5. {MISSING}")
        return None, None
    say(
        "",
        "5. At work: a simulated conveyor with two cameras, and a PLC by Modbus TCP. On the way a worker is killed, a",
        "   camera and the PLC's link are unplugged, and pictures are black, lost or late.",
    )
    line = opened.enter_context(demo_line(places.line, places.model, parts, seed, bars))
    result = run_demo_line(line, bars)
    say(*indented(about(result), 3))
    return line, result


def _console(places: _Places, line: "SimulatedLine", bars: Bars, say: Say, opened: ExitStack) -> Console | None:
    if not can_open():
        say("", f"6. {NO_CONSOLE}")
        return None
    say(
        "",
        "6. Looking at it: the station reports to a plant server, which keeps records and pictures, lets people decide",
        "   what is in doubt, and shows it all in a browser: the console.",
    )
    console = open_console(places.plant, places.model, line, bars, opened)
    say(*indented(about_console(console.reported), 3))
    return console


def _prepare(places: _Places) -> None:
    """An empty folder for the demo; of an older demo's folder, only what that made is removed."""
    out = places.out
    try:
        if out.exists() and not (out.is_dir() and ((out / _MARK).exists() or not any(out.iterdir()))):
            raise OptionError(f"{out}: exists and was not made by a demo. Give another place with --out.")
        for folder in (places.parts, places.overlays, places.line, places.plant):
            if folder.exists():
                shutil.rmtree(folder)
        for file in (places.model, places.report):
            file.unlink(missing_ok=True)
        places.overlays.mkdir(parents=True)
    except OSError as error:
        raise StoreError(f"{out}: cannot be made ({error.strerror}). Give another place with --out.") from error
    write_bytes(out / _MARK, b"")


def _add_review_band(model: Path) -> None:
    """Let people look at the parts just below the threshold: at most 3 % of the good ones."""
    bundle = load_bundle(model)
    limits = bundle.manifest.thresholds
    band = review_for_share(limits.reject, bundle.manifest.calibration.good_scores, _MAX_REVIEW)
    if band.value < limits.reject:
        manifest = replace(bundle.manifest, thresholds=with_review(limits, band))
        save_changed(model, bundle, manifest)


def _about_parts(places: _Places, counts: Counts) -> list[str]:
    kinds = ", ".join(kind.value.replace("_", " ") for kind in DefectType)
    return [
        "1. Rendering parts: a machined disc with holes, a printed mark and a screw.",
        f"   {counts.good_train} good ones to learn from; to test with, {counts.good_test} good ones and "
        f"{counts.per_defect} with each kind of defect:",
        f"   {kinds}. They lie in {places.parts}",
    ]


def _about_model(trained: Trained, inspector: Inspector) -> list[str]:
    limits, size = inspector.manifest.thresholds, inspector.bundle.path.stat().st_size
    rows = {
        "model": f"{inspector.bundle.path}, {size / 1e6:.1f} MB, from {trained.images} pictures",
        "REJECT": f"from a score of {limits.reject:.4g} on; the higher the score, the more unusual the part",
        "promise": f"it rejects a good part with a probability of at most {100 * (limits.max_overkill or 0):.2g} %",
    }
    if limits.review is not None:
        rows["REVIEW"] = f"from {limits.review:.4g} on: so close to the limit that a person should look"
    return [*indented(rows, 3), *(f"   warning: {warning}" for warning in trained.warnings)]


def _report(path: Path, found: Evaluation, dataset: Dataset, inspector: Inspector) -> None:
    escapes, overkills = exhibits(found, dataset, inspector, _MEGAPIXELS)
    notes = [inspector.manifest.thresholds.promise, "The parts are rendered: the figures say nothing about yours."]
    write_report(path, found, escapes, overkills, title="Sightline demo: rendered parts", notes=notes)


def _one_of_each(dataset: Dataset) -> list[Sample]:
    return [next(sample for sample in dataset.test if sample.label == label) for label in dataset.labels]


def _show(inspector: Inspector, sample: Sample, folder: Path) -> Inspection:
    inspection = inspector.inspect(sample.path)
    name = sample.label.replace("_", " ")
    write_overlay(folder / f"{sample.label}.png", inspection, _MEGAPIXELS, caption=f"the truth: {name}")
    return inspection


def _verdict(inspection: Inspection) -> str:
    return f"{inspection.verdict:6}  score {inspection.score:#.4g}, threshold {inspection.threshold:#.4g}"


def _what_next(places: _Places, seconds: float) -> list[str]:
    rows = {
        str(places.report): "how good the model is, and its worst mistakes; open it in a browser",
        str(places.overlays): "where each part of step 4 deviates, and how much",
        **({str(places.line): "the station's records, log and pictures of step 5"} if places.line.exists() else {}),
        **({str(places.plant): "the plant's; open it again: " + _serve(places)} if places.plant.exists() else {}),
        str(places.model): "the model; judge with it: " + f"sightline inspect {places.model} PICTURES",
    }
    return [
        f"Done in {seconds:.0f} s. Look at",
        *indented(rows),
        "",
        "Next, with your own parts: sightline train FOLDER_OF_GOOD_PICTURES -o my.sight",
    ]


def _serve(places: _Places) -> str:
    return f"sightline serve --dev --folder {places.plant}"


def _staying(console: Console) -> list[str]:
    return [
        "The line goes on, more calmly, and the console shows it as it happens. It is open to this machine alone:",
        "",
        f"  {console.server.address}",
        "",
        "Ctrl-C ends the line and the server.",
    ]


def _document(
    places: _Places,
    seconds: float,
    found: Evaluation,
    shown: list[tuple[Sample, Inspection]],
    line: "LineResult | None",
    console: Console | None,
) -> dict[str, object]:
    return {
        "seconds": round(seconds, 1),
        "model": str(places.model),
        "report": str(places.report),
        "overlays": str(places.overlays),
        "evaluation": to_json(found),
        "inspections": [asdict_without_map(inspection) for _, inspection in shown],
        "line": document(line),
        "console": console_document(None if console is None else console.reported),
    }
