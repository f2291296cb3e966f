"""A class of defect taught from a few examples: each class of neu_det in turn is unknown to a classifier of the others.

    python benchmarks/fewshot.py [--shared FOLDER] [--examples 5] [--draws 5] [--epochs 0] [--seeds 1]

The splits are those of classification.py. The classifier learns five classes from the training pictures; the sixth is
taught from examples drawn from its own, and judged with all others on the test pictures. Balanced accuracy is the mean
of two shares: pictures of the new class that get its name, and of the others that do not.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from classification import SUBJECTS, divided
from shared import shared_folder
from sightline.bundle import Bundle
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.labelled import open_classes
from sightline.inspector import Inspector
from sightline.models.class_config import LearningConfig
from sightline.records import Verdict
from sightline.supervised import ClassifierConfig, train_classifier
from sightline.teaching import teach
from tables import RESULTS, Cell, write_table

_STEEL = SUBJECTS[0]


def measured(parts: Dataset, label: str, seed: int, options: argparse.Namespace, folder: Path) -> dict[str, Cell]:
    """Learn the other classes once, and teach this one several times from different examples."""
    model = folder / "names.sight"
    known = replace(parts, samples=tuple(sample for sample in parts.samples if sample.label != label))
    config = ClassifierConfig(
        size=_STEEL.size, learning=LearningConfig(seed=seed, material="metal", epochs=options.epochs)
    )
    bundle = train_classifier(known, model, config).bundle
    rest = [sample for sample in parts.test if sample.label != label]
    new = [sample for sample in parts.test if sample.label == label]
    pool = [sample.path for sample in parts.train if sample.label == label]
    before = Inspector(bundle)
    doubted = np.mean([before.inspect(sample.path).verdict is Verdict.REVIEW for sample in new])
    asked = np.mean([before.inspect(sample.path).verdict is Verdict.REVIEW for sample in rest])
    recalls, specificities, named, seconds = [], [], [], []
    for draw in range(options.draws):
        chosen = np.random.default_rng((seed, draw)).permutation(len(pool))[: options.examples]
        started = time.monotonic()
        taught = teach(bundle, label, [pool[int(place)] for place in chosen], folder / "taught.sight")
        seconds.append(time.monotonic() - started)
        labels = _labels(taught.bundle, [*new, *rest])
        recalls.append(np.mean([found == label for found in labels[: len(new)]]))
        specificities.append(np.mean([found != label for found in labels[len(new) :]]))
        named.append(np.mean([f == s.label for f, s in zip(labels[len(new) :], rest, strict=True)]))
    return {
        "new class": label,
        "seed": seed,
        "balanced accuracy": float(np.mean(recalls) + np.mean(specificities)) / 2,
        "worst draw": float(min((r + s) / 2 for r, s in zip(recalls, specificities, strict=True))),
        "new class found": float(np.mean(recalls)),
        "others taken for it": float(1 - np.mean(specificities)),
        "others named right": float(np.mean(named)),
        "to a person before": float(doubted),
        "others to a person": float(asked),
        "seconds to teach": float(np.median(seconds)),
    }


def _labels(bundle: Bundle, samples: Sequence[Sample]) -> list[str]:
    inspector = Inspector(bundle)
    found = [inspector.inspect(sample.path) for sample in samples]
    return [one.defects[0].label if one.defects else "good" for one in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--examples", type=int, default=5)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=0, help="of fine-tuning; 0: the head alone learns")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    dataset = open_classes(shared_folder(options.shared) / str(_STEEL.folder))
    rows: list[dict[str, Cell]] = []
    for seed in range(options.seeds):
        parts = divided(dataset, seed)
        for label in dataset.labels:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(measured(parts, label, seed, options, Path(folder)))
            print(rows[-1], file=sys.stderr, flush=True)
    mean = float(np.mean([float(row["balanced accuracy"] or 0) for row in rows]))
    page = write_table(
        options.out,
        "fewshot",
        rows,
        title=f"A class taught from {options.examples} examples",
        command="python benchmarks/fewshot.py " + " ".join(sys.argv[1:]),
        notes=[
            f"Mean balanced accuracy {mean:.3f}; {options.draws} draws of examples for each class. The goal is 0.9.",
            "To a person before: share of the new class's pictures that are a REVIEW before it is taught; the others "
            "get a wrong name then.",
        ],
    )
    print(page)


if __name__ == "__main__":
    main()
