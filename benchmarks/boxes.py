"""How well defects are found as boxes: hot-rolled steel with six kinds of defect, one or more in every picture.

    python benchmarks/boxes.py [--shared FOLDER] [--seeds 3] [--minutes 4.5]

Fixed stratified splits, 70 % to learn from, 15 % to choose by and 15 % to judge, one for each seed; pictures that are
nearly the same stay on one side. All settings are the defaults but what this program names; nothing is chosen by the
test pictures. Average precision is pycocotools', which must be installed. The time is that of training.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from classification import SHARES
from shared import shared_folder
from sightline.cli.evaluate import evaluate_model
from sightline.datasets.boxed import BoxedSet, open_boxed
from sightline.datasets.duplicates import duplicates
from sightline.datasets.splits import split
from sightline.datasets.survey import survey
from sightline.inspector import load
from sightline.locating import LocatingConfig, train_boxes
from sightline.models.box_config import BoxLearningConfig
from tables import RESULTS, Cell, write_table

TARGET = 0.70
SIZE = (192, 192)  # px; the pictures are 200 x 200


def divided(found: BoxedSet, seed: int) -> BoxedSet:
    """The data set with stratified splits; what is nearly the same stays on one side."""
    groups = duplicates(survey(found.dataset, progress=False).looks)
    together = [[sample.path for sample in group.samples] for group in groups]
    return replace(found, dataset=split(found.dataset, SHARES, seed, together))


def measured(found: BoxedSet, seed: int, options: argparse.Namespace) -> dict[str, Cell]:
    """Learn once and judge the test pictures."""
    parts = divided(found, seed)
    learning = BoxLearningConfig(seed=seed, material="metal", epochs=options.epochs, minutes=options.minutes)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "boxes.sight"
        started = time.monotonic()
        made = train_boxes(parts, model, LocatingConfig(size=SIZE, learning=learning), _told)
        minutes = (time.monotonic() - started) / 60
        judged = evaluate_model(load(model), parts.dataset, boxed=parts)
        megabytes = model.stat().st_size / 1e6
    figures, settings = judged.boxes, made.bundle.manifest.provenance.config
    assert figures is not None, "the model finds boxes"
    assert figures.by.startswith("pycocotools"), "install pycocotools: the table's figures are its own"
    return {
        "data": "neu_det",
        "seed": seed,
        "test": len(judged.judged),
        "mAP50": figures.map50,
        "target": TARGET,
        "mAP50-95": figures.map50_95,
        "validation mAP50": float(settings["map50"] or 0),
        **{f"AP50 {one.name}": one.ap50 for one in figures.classes},
        "epochs": int(settings["epochs"] or 0),
        "minutes": minutes,
        "MB": megabytes,
    }


def _told(stage: str, done: int, total: int) -> None:
    if done == total or done % 160 == 0:
        print(f"  {stage}: {done} of {total}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them")
    parser.add_argument("--epochs", type=int, default=BoxLearningConfig().epochs)
    parser.add_argument("--minutes", type=float, default=25)
    options = parser.parse_args()
    found = open_boxed(shared_folder(options.shared) / "data" / "neu_det")
    rows: list[dict[str, Cell]] = []
    for seed in range(options.first, options.first + options.seeds):
        rows.append(measured(found, seed, options))
        page = write_table(
            options.out,
            "boxes",
            rows,
            title="Finding defects as boxes",
            command="python benchmarks/boxes.py " + " ".join(sys.argv[1:]),
            notes=["AP50 of a class: average precision at an intersection over union of 0.5, by pycocotools."],
        )
        print(rows[-1], file=sys.stderr, flush=True)
    print(page)


if __name__ == "__main__":
    main()
