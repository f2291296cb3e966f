"""How well defects are outlined: magnetic tiles of five kinds of defect, good ones included.

    python benchmarks/segmentation.py [--shared FOLDER] [--seeds 3] [--minutes 4.5] [--networks backbone unet]

Fixed stratified splits, 70 % to learn from, 15 % to choose by and 15 % to judge, one for each seed; pictures that are
nearly the same stay on one side. All settings are the defaults but what the table names; nothing is chosen by the test
pictures. The table is written after each row, so that an interrupted run leaves what it has.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from classification import divided
from shared import shared_folder
from sightline.cli.evaluate import evaluate_model
from sightline.datasets.segmented import SegmentedSet, open_segmented
from sightline.evaluation.run import Outlines
from sightline.inspector import load
from sightline.models.segment_config import TRUNKS, SegmentConfig, Trunk
from sightline.segmenting import SegmenterConfig, train_segmenter
from tables import RESULTS, Cell, write_table

TARGET = 0.75  # IoU of all defects' pixels as one class
NOTES = (
    "Over all pixels of the test pictures, at their full size, in what is reported: regions of pictures that were not "
    "passed. IoU: of all defects' pixels as one class, which the target is for. mean IoU: of that and the IoU of the "
    "rest. picture IoU: mean over the pictures with a defect.",
    "found: single defects a quarter of whose pixels are outlined. The training ends after --minutes at the latest.",
    "caught, good rejected: at even odds, so that outlines are judged wherever they are more probable than not; "
    "`sightline train` sets the threshold for --max-overkill instead.",
)


def measured(found: SegmentedSet, seed: int, network: Trunk, options: argparse.Namespace) -> dict[str, Cell]:
    """Learn once and judge the test pictures."""
    parts = SegmentedSet(dataset=divided(found.dataset, seed), drawn=found.drawn)
    learning = SegmentConfig(
        trunk=network, epochs=options.epochs, minutes=options.minutes, material=options.material, seed=seed
    )
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "outlines.sight"
        started = time.monotonic()
        made = train_segmenter(parts, model, SegmenterConfig(learning=learning), _told)
        minutes = (time.monotonic() - started) / 60
        outlines = Outlines(truth=parts, names=made.bundle.manifest.labels[1:])
        judged = evaluate_model(load(model), parts.dataset, outlines=outlines)
        megabytes = model.stat().st_size / 1e6
    overlap, settings = judged.overlap, made.bundle.manifest.provenance.config
    assert overlap is not None, "a segmenter outlines"
    caught = sum(one.recall.count for one in overlap.instances)
    return {
        "network": network,
        "seed": seed,
        "test": len(judged.judged),
        "IoU": overlap.pooled.iou,
        "target": TARGET,
        "mean IoU": overlap.mean_iou,
        "picture IoU": overlap.picture_iou,
        **{one.name: one.iou for one in overlap.classes},
        "found": f"{caught} of {sum(one.recall.total for one in overlap.instances)}",
        "caught": f"{judged.escape.total - judged.escape.count} of {judged.escape.total}",
        "good rejected": f"{judged.overkill.count} of {judged.overkill.total}",
        "AUROC": judged.image.auroc,
        "validation IoU": _number(settings["pooled_iou"]),
        "epochs": _number(settings["epochs"]),
        "minutes": minutes,
        "MB": megabytes,
    }


def _number(value: object) -> float:
    assert isinstance(value, int | float), "these settings are numbers"
    return value


def _told(stage: str, done: int, total: int) -> None:
    if done == total or (stage == "training" and done % 16 == 0 and done // 16 % 20 == 0):
        print(f"  {stage}: {done} of {total}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--data", type=Path, help="another data set than the magnetic tiles")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them")
    parser.add_argument("--networks", nargs="+", choices=TRUNKS, default=["backbone"])
    parser.add_argument("--epochs", type=int, default=SegmentConfig().epochs)
    parser.add_argument("--minutes", type=float, default=4.5)
    parser.add_argument("--material", default="metal")
    options = parser.parse_args()
    found = open_segmented(options.data or shared_folder(options.shared) / "data" / "magnetic_tile")
    rows: list[dict[str, Cell]] = []
    for network in options.networks:
        for seed in range(options.first, options.first + options.seeds):
            rows.append(measured(found, seed, network, options))
            print(rows[-1], file=sys.stderr, flush=True)
            page = write_table(
                options.out,
                "segmentation",
                rows,
                title="Outlining defects",
                command="python benchmarks/segmentation.py " + " ".join(sys.argv[1:]),
                notes=NOTES,
            )
    print(page)


if __name__ == "__main__":
    main()
