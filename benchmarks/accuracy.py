"""Every method with its default settings on every data set found, through the very commands that users run.

    python benchmarks/accuracy.py [--data FOLDER] [--methods patchcore padim] [--seeds 0]

FOLDER holds data sets in MVTec AD layout. The test split is measured once; nothing is chosen on it.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal, cast

from shared import shared_folder
from sightline.cli.evaluate import evaluate_model
from sightline.datasets.dataset import Dataset
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError
from sightline.inspector import load
from sightline.training import METHODS, TrainConfig, train
from tables import RESULTS, Cell, write_table


def found(folder: Path) -> list[Dataset]:
    """The data sets below `folder` that have good training pictures and test pictures of both kinds."""
    datasets = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        try:
            dataset = open_dataset(place)
        except DatasetError:  # a folder of something else
            continue
        if dataset.train_good and len({sample.is_good for sample in dataset.test}) == 2:
            datasets.append(dataset)
    return datasets


def measure(dataset: Dataset, method: str, seed: int, scratch: Path) -> dict[str, Cell]:
    """Train, evaluate, and gather one row."""
    model = scratch / f"{dataset.name}-{method}-{seed}.sight"
    started = time.perf_counter()
    config = TrainConfig(method=cast(Literal["patchcore", "padim"], method), seed=seed)
    trained = train(dataset, model, config)
    seconds = time.perf_counter() - started
    inspector = load(model)
    evaluation = evaluate_model(inspector, dataset)
    milliseconds = sorted(
        timings.graph_ms
        for sample in dataset.test[:20]
        if (timings := inspector.inspect(sample.path).timings) is not None
    )
    height, width = inspector.manifest.working_size
    image, pixel = evaluation.image, evaluation.pixel
    return {
        "data set": dataset.name,
        "method": method,
        "seed": seed,
        "working size": f"{width} x {height}",
        "image AUROC": image.auroc,
        "AP": image.average_precision,
        "best F1": image.best_f1,
        "recall at 1 % overkill": image.recall_at_1pct_overkill,
        "pixel AUROC": pixel.auroc if pixel else None,
        "AUPRO": pixel.aupro if pixel else None,
        "escapes": f"{evaluation.escape.count} of {evaluation.escape.total}",
        "overkill": f"{evaluation.overkill.count} of {evaluation.overkill.total}",
        "good images": trained.images,
        "fit s": round(seconds, 1),
        "graph ms": round(milliseconds[len(milliseconds) // 2], 1),
        "file MB": round(model.stat().st_size / 1e6, 2),
        "peak MB so far": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets  [default: ../shared/data]")
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=METHODS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for dataset in found(options.data or shared_folder(None) / "data"):
            for method in options.methods:
                for seed in options.seeds:
                    rows.append(measure(dataset, method, seed, Path(scratch)))
                    print(rows[-1], file=sys.stderr, flush=True)
    if not rows:
        raise SystemExit("no data set with good training pictures and both kinds of test pictures was found.")
    notes = [
        "Escapes and overkill are counted at the model's own threshold, set for 1 % overkill on good images alone."
    ]
    command = "python benchmarks/accuracy.py"
    page = write_table(
        options.out, "accuracy", rows, title="Accuracy at default settings", command=command, notes=notes
    )
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
