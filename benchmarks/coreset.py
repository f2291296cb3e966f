"""How long the choice of a PatchCore bank takes, beside the one matrix product it cannot do without.

    python benchmarks/coreset.py [--patches 780000 --dimensions 64 --picks 7800] [--dataset FOLDER]

For each kind of data, in one run: the plain product patches x picks, blockwise and with nothing done to it (median of
three), `greedy_coreset`, and their ratio. Then, on fewer patches, the one-at-a-time algorithm in float32 for the
time it takes, and in float64 for whether the picks are the same. The table goes to benchmarks/results.
Set OMP_NUM_THREADS or OPENBLAS_NUM_THREADS to choose the number of BLAS threads.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared import shared_folder
from sightline.datasets.frames import FrameFiles
from sightline.datasets.opening import open_dataset
from sightline.models.backbone import load_backbone
from sightline.models.coreset import greedy_coreset
from sightline.models.features import FeatureConfig, fit_features
from sightline.records import FloatArray
from tables import RESULTS, write_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    data: str
    patches: int
    dimensions: int
    picks: int
    product_s: float  # median of 3
    coreset_s: float
    ratio: float  # coreset / product
    cpu_ratio: float  # the same in processor time, which other work on the machine disturbs less
    rounds: int
    checked: str  # size of the comparison with one at a time
    same_picks: str  # as float64, one at a time
    naive_s: float  # float32, one at a time
    speed_up: float


def clustered(n: int, d: int, seed: int = 0) -> FloatArray:
    """Like patches of images: forty textures, uneven in number, each a curved sheet of about six dimensions in D."""
    rng = np.random.default_rng(seed)
    own = rng.choice(40, n, p=rng.dirichlet(np.full(40, 0.5)))
    centre = 2 * rng.standard_normal((40, d), dtype=np.float32)
    sheet = rng.standard_normal((40, 6, d), dtype=np.float32) * (0.6 ** np.arange(6, dtype=np.float32))[:, None]
    patches = 0.05 * rng.standard_normal((n, d), dtype=np.float32)
    for c in range(40):
        inside = np.flatnonzero(own == c)
        patches[inside] += centre[c] + np.tanh(rng.standard_normal((len(inside), 6), dtype=np.float32) @ sheet[c])
    return patches


def gaussian(n: int, d: int, seed: int = 0) -> FloatArray:
    """No structure at all: nothing can be pruned."""
    return np.random.default_rng(seed).standard_normal((n, d), dtype=np.float32)


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Of the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def product(patches: FloatArray, picks: int, rows: int = 2048, columns: int = 1024) -> None:
    """Of all block shapes tried the fastest; the block is overwritten again and again."""
    bank = patches[:picks]
    block = np.empty(rows * columns, np.float32)
    for i in range(0, len(patches), rows):
        for k in range(0, picks, columns):
            a, b = patches[i : i + rows], bank[k : k + columns]
            np.matmul(a, b.T, out=block[: len(a) * len(b)].reshape(len(a), len(b)))


def one_at_a_time(patches: FloatArray, picks: int, dtype: type[np.floating[Any]]) -> list[int]:
    points = patches.astype(dtype)
    squares = np.einsum("ij,ij->i", points, points)
    nearest = np.full(len(points), np.inf, dtype)
    pick, picked = int(np.random.default_rng(0).integers(len(points))), []
    for _ in range(picks):
        picked.append(pick)
        np.minimum(nearest, squares + squares[pick] - 2 * (points @ points[pick]), out=nearest)
        nearest[pick] = -np.inf
        pick = int(nearest.argmax())
    return picked


def measure(name: str, patches: FloatArray, picks: int, check: int) -> Row:
    product(patches[:20_000], 200)  # wakes the threads
    runs = [seconds(lambda: product(patches, picks)) for _ in range(3)]
    product_s, product_cpu_s = (statistics.median(column) for column in zip(*runs, strict=True))
    rounds: list[int] = []
    coreset_s, coreset_cpu_s = seconds(
        lambda: greedy_coreset(patches, picks, progress=lambda done, _: rounds.append(done))
    )
    few = patches[np.random.default_rng(1).permutation(len(patches))[:check]]
    few_picks = max(1, check // 100)
    fast_s, _ = seconds(lambda: greedy_coreset(few, few_picks))
    naive_s, _ = seconds(lambda: one_at_a_time(few, few_picks, np.float32))
    ours, truth = greedy_coreset(few, few_picks), one_at_a_time(few, few_picks, np.float64)
    return Row(
        data=name,
        patches=len(patches),
        dimensions=patches.shape[1],
        picks=picks,
        product_s=round(product_s, 2),
        coreset_s=round(coreset_s, 2),
        ratio=round(coreset_s / product_s, 2),
        cpu_ratio=round(coreset_cpu_s / product_cpu_s, 2),
        rounds=len(rounds),
        checked=f"{len(few)} / {few_picks}",
        same_picks=f"{int((ours.indices == truth).sum())} of {few_picks}",
        naive_s=round(naive_s, 2),
        speed_up=round(naive_s / fast_s, 1),
    )


def tile_patches(folder: Path, dimensions: int) -> FloatArray:
    """Every patch of a data set's good training pictures, at 256 x 256 with our backbone."""
    paths = [sample.path for sample in open_dataset(folder).train_good]
    frames = FrameFiles(paths=paths)
    features = fit_features(frames, load_backbone(), FeatureConfig(dimensions=dimensions))
    return np.concatenate(list(features.extract(frames, range(len(frames)))))


def blas() -> str:
    config: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
    library = config["Build Dependencies"]["blas"]
    threads = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    return f"{library['name']} {library['version']}, {threads} threads"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patches", type=int, default=780_000)
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--picks", type=int, default=7_800)
    parser.add_argument("--check", type=int, default=60_000, help="patches for the comparison with one at a time")
    parser.add_argument("--dataset", type=Path, help="whose patches are real  [default: ../shared/data/magnetic_tile]")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    made: dict[str, Callable[[], FloatArray]] = {
        "clustered": lambda: clustered(options.patches, options.dimensions),
        "gaussian": lambda: gaussian(options.patches, options.dimensions),
    }
    real = options.dataset or shared_folder(None) / "data" / "magnetic_tile"
    made[real.name] = lambda: tile_patches(real, options.dimensions)[: options.patches]
    rows = [asdict(measure(name, make(), options.picks, options.check)) for name, make in made.items()]
    notes = [
        f"BLAS: {blas()}. Seconds; `ratio` is coreset / product in wall time, `cpu_ratio` in processor time. "
        "`same_picks` compares with float64, one at a time, on `checked` patches / picks; `naive_s` and `speed_up` are "
        "for those, in float32."
    ]
    page = write_table(
        options.out, "coreset", rows, title="Greedy coreset", command="python benchmarks/coreset.py", notes=notes
    )
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
