"""PatchCore with our backbone, with each teacher and with an untrained network, like for like.

For every data set: 256 x 256 whatever the aspect, features at strides 8 and 16, 3 x 3 means, standardised channels,
PCA to 160, a greedy coreset of 4,000 out of 60,000 patches drawn from all good training pictures; a picture's score is
the largest distance of its patches to the nearest of the coreset, nothing smoothed.

    python benchmarks/backbones.py [--shared FOLDER] [--only NAME ...]
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from shared import shared_folder
from sightline.datasets.frames import FrameFiles
from sightline.datasets.opening import open_dataset
from sightline.evaluation.metrics import image_metrics
from sightline.models.backbone import SHIPPED, Backbone, load_backbone
from sightline.models.coreset import greedy_coreset
from sightline.models.features import FeatureConfig, Features, fit_features
from sightline.records import FloatArray
from tables import RESULTS, Cell, write_table
from teachers import NAMES, export_teacher

DIMENSIONS, POOL, BANK = 160, 60_000, 4_000
DATASETS = ("kolektor_commutator", "magnetic_tile")


def measure(backbone: Backbone, folder: Path, seed: int = 0) -> float:
    """Image AUROC on the data set's test split."""
    dataset = open_dataset(folder)
    train = FrameFiles(paths=[sample.path for sample in dataset.train_good])
    features = fit_features(train, backbone, FeatureConfig(dimensions=DIMENSIONS, seed=seed))
    bank = _bank(features, train, seed)
    test = FrameFiles(paths=[sample.path for sample in dataset.test])
    scores = np.array([_score(patches, bank) for patches in features.extract(test, range(len(test)))])
    good = np.array([sample.is_good for sample in dataset.test])
    auroc = image_metrics(scores[good], scores[~good]).auroc
    assert auroc is not None, "the data sets have both good and defective test pictures"
    return auroc


def _bank(features: Features, train: FrameFiles, seed: int) -> FloatArray:
    cells = features.grid[0] * features.grid[1]
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(train) * cells)[:POOL])
    pool = []
    for index, patches in enumerate(features.extract(train, range(len(train)))):
        mine = chosen[(chosen >= index * cells) & (chosen < (index + 1) * cells)] - index * cells
        pool.append(patches[mine])
    patches = np.concatenate(pool)
    return patches[greedy_coreset(patches, BANK, seed=seed).indices]


def _score(patches: FloatArray, bank: FloatArray) -> float:
    squared = np.square(bank).sum(1) - 2 * patches @ bank.T
    return float(np.sqrt(np.maximum(squared.min(1) + np.square(patches).sum(1), 0)).max())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="folder with data/ and teachers/  [default: ../shared]")
    parser.add_argument("--only", nargs="*", default=["sightline", *NAMES, "resnet18-untrained"], help="backbones")
    parser.add_argument("--backbone", type=Path, default=SHIPPED, help="the file that counts as ours")
    parser.add_argument("--datasets", nargs="*", default=DATASETS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    shared = shared_folder(options.shared)
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only:
            untrained = name.endswith("-untrained")
            path = (
                options.backbone
                if name == "sightline"
                else export_teacher(shared, name.removesuffix("-untrained"), Path(scratch), untrained=untrained)
            )
            backbone = load_backbone(path)
            row: dict[str, Cell] = {"backbone": name, "file MB": path.stat().st_size / 1e6}
            for dataset in options.datasets:
                row[dataset] = measure(backbone, shared / "data" / dataset)
                print(name, dataset, row[dataset], file=sys.stderr, flush=True)
            rows.append(row)
    notes = ["Image AUROC. Teachers are stored in half precision; the sizes of their files here are in single."]
    page = write_table(
        options.out,
        "backbones",
        rows,
        title="Backbones, like for like",
        command="python benchmarks/backbones.py",
        notes=notes,
    )
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
