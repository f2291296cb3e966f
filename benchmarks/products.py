"""Several products: a model for each, one model with a bank for each, one model with one bank for all.

    python benchmarks/products.py [--data FOLDER] [--learn 150] [--judge 300]

Two real data sets and rendered parts, of each a seeded draw of good pictures to learn from and of test pictures. All
settings are the defaults; nothing is chosen on the test pictures.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shared import shared_folder
from sightline.cli.evaluate import evaluate_model
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.opening import open_dataset
from sightline.imaging.decode import read_frame
from sightline.inspector import Inspector, load
from sightline.joint_training import BANKS, train_products
from sightline.manifest import Manifest
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig, train
from tables import RESULTS, Cell, write_table

REAL = ("magnetic_tile", "kolektor_commutator")
_RUNS = 21  # of a graph for its median


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One way to judge one product."""

    product: str
    model: str
    path: Path
    argument: str | None  # what is given as product at run time


def limited(dataset: Dataset, learn: int, judge: int, seed: int) -> Dataset:
    """A seeded draw of `learn` good training and `judge` test pictures, in their old order."""
    rng = np.random.default_rng(seed)

    def drawn(samples: tuple[Sample, ...], count: int) -> list[Sample]:
        return [samples[place] for place in sorted(rng.permutation(len(samples))[:count])]

    return replace(dataset, samples=(*drawn(dataset.train_good, learn), *drawn(dataset.test, judge)))


def rendered(folder: Path, seed: int) -> Dataset:
    """Rendered parts."""
    write_dataset(folder, PartConfig(), Counts(good_train=150, good_test=60, per_defect=8), seed=seed)
    return open_dataset(folder)


def trained(datasets: Mapping[str, Dataset], scratch: Path, seed: int) -> list[_Way]:
    """All models; told as they are made."""
    config = TrainConfig(seed=seed)
    ways = []
    for name, dataset in datasets.items():
        path = scratch / f"{name}.sight"
        train(dataset, path, config)
        ways.append(_Way(product=name, model="a model of its own", path=path, argument=None))
        print(path.name, file=sys.stderr, flush=True)
    for banks in BANKS:
        path = scratch / f"{banks}.sight"
        train_products(datasets, path, banks, config)
        print(path.name, file=sys.stderr, flush=True)
        ways += [
            _Way(
                product=name,
                model=f"{banks} banks" if banks == "separate" else "one unified bank",
                path=path,
                argument=name if banks == "separate" else None,
            )
            for name in datasets
        ]
    return ways


def latencies(ways: list[_Way], datasets: Mapping[str, Dataset]) -> list[float]:
    """Median ms of each way's graph; they take turns, so that other work on the machine meets all alike."""
    inspectors: dict[Path, Inspector] = {way.path: load(way.path, threads=1) for way in ways}
    frames = {name: read_frame(dataset.test[0].path) for name, dataset in datasets.items()}
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(_RUNS):
        for way, found in zip(ways, times, strict=True):
            timings = inspectors[way.path].inspect(frames[way.product], product=way.argument).timings
            assert timings is not None, "a picture that was judged has timings"
            found.append(timings.graph_ms)
    return [float(np.median(found)) for found in times]


def bank_vectors(manifest: Manifest, product: str | None) -> int:
    """Of the bank that judges this product."""
    configs = [one.config for one in manifest.products if one.name == product]
    return int({**manifest.provenance.config, **(configs[0] if configs else {})}["bank"] or 0)


def row(way: _Way, dataset: Dataset, milliseconds: float) -> dict[str, Cell]:
    """Judge the product's test pictures."""
    inspector = load(way.path)
    found = evaluate_model(inspector, dataset, product=way.argument)
    height, width = inspector.manifest.working_size
    return {
        "product": way.product,
        "model": way.model,
        "working size": f"{width} x {height}",
        "image AUROC": found.image.auroc,
        "AP": found.image.average_precision,
        "recall at 1 % overkill": found.image.recall_at_1pct_overkill,
        "escapes": f"{found.escape.count} of {found.escape.total}",
        "overkill": f"{found.overkill.count} of {found.overkill.total}",
        "bank vectors": bank_vectors(inspector.manifest, way.argument),
        "graph ms": round(milliseconds, 1),
        "file MB": round(way.path.stat().st_size / 1e6, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets  [default: ../shared/data]")
    parser.add_argument("--learn", type=int, default=150)
    parser.add_argument("--judge", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    folder = options.data or shared_folder(None) / "data"
    with tempfile.TemporaryDirectory() as scratch:
        sets = {name: open_dataset(folder / name) for name in REAL}
        sets["rendered"] = rendered(Path(scratch) / "rendered", options.seed)
        datasets = {name: limited(found, options.learn, options.judge, options.seed) for name, found in sets.items()}
        ways = trained(datasets, Path(scratch), options.seed)
        times = latencies(ways, datasets)
        rows = [row(way, datasets[way.product], time) for way, time in zip(ways, times, strict=True)]
    rows.sort(key=lambda one: list(datasets).index(str(one["product"])))
    notes = [
        f"Learnt from {options.learn} good pictures of each product and judged at most {options.judge}, both a seeded "
        "draw; defaults, one seed. A model of its own takes the working size that suits the product; the others share "
        "one. With the same working size, separate banks score as models of their own do (the tests see to it). "
        "Escapes and overkill are counted at the model's own thresholds. Graphs took turns on one thread.",
    ]
    command = " ".join(["python benchmarks/products.py", *sys.argv[1:]])
    page = write_table(
        options.out, "products", rows, title="Several products in one model", command=command, notes=notes
    )
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
