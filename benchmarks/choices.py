"""What the defaults were chosen on: good training pictures, some with a drawn crack or blotch; never a test split.

For each data set: 60 good pictures to learn from, then as many others plain and marked as there are, up to 100 each.
Shown is the image AUROC for numbers of principal components, averaging over neighbouring cells, and smoothing.

    python benchmarks/choices.py [--data FOLDER]
"""

import argparse
import itertools
import sys
from pathlib import Path

import cv2
import numpy as np

from shared import shared_folder
from sightline.datasets.opening import open_dataset
from sightline.evaluation.metrics import image_metrics
from sightline.imaging.decode import read_frame
from sightline.models.backbone import load_backbone
from sightline.models.coreset import greedy_coreset
from sightline.models.features import FeatureConfig, fit_features
from sightline.records import FloatArray, Frame, Pixels
from tables import RESULTS, Cell, write_table

DATASETS = ("kolektor_commutator", "magnetic_tile")
LEARNT, MOST, BANK = 60, 100, 1_500
COMPONENTS, AVERAGED, SMOOTHED = (32, 64, 96, 160), (1, 3), (0.0, 0.5, 1.0)


def marked(frame: Frame, rng: np.random.Generator) -> Frame:
    """The frame with a random-walk crack, darker than its surroundings, or a soft blotch."""
    height, width = frame.height, frame.width
    mark = np.zeros((height, width), np.float32)
    start = rng.uniform(0.1, 0.9, 2) * (width, height)
    scale = min(height, width) / 500
    if rng.random() < 2 / 3:
        turns = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.2, int(rng.integers(70, 240))).cumsum()
        walk = start + 2 * scale * np.stack([np.cos(turns), np.sin(turns)], axis=1).cumsum(axis=0)
        thickness = max(1, round(rng.uniform(2, 5) * scale))
        cv2.polylines(mark, [np.rint(walk * 8).astype(np.int32)], False, 1.0, thickness, cv2.LINE_AA, 3)
        depth = -rng.uniform(50, 120)
    else:
        radius = rng.uniform(5, 20) * scale
        axes = (round(radius * rng.uniform(0.6, 1.6)) + 1, round(radius) + 1)
        centre = (round(start[0]), round(start[1]))
        cv2.ellipse(mark, centre, axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
        depth = rng.choice([-1, 1]) * rng.uniform(25, 80)
    soft = cv2.GaussianBlur(mark, (0, 0), max(0.6, scale))
    pixels: Pixels = np.clip(frame.pixels + depth * soft[:, :, None], 0, 255).astype(np.uint8)
    return Frame(pixels=pixels, source=frame.source)


def measure(folder: Path, seed: int) -> list[dict[str, Cell]]:
    """One row per combination of choices."""
    rng = np.random.default_rng(seed)
    paths = [sample.path for sample in open_dataset(folder).train_good]
    chosen = [read_frame(paths[index]) for index in rng.permutation(len(paths))[: LEARNT + 2 * MOST]]
    learnt, rest = chosen[:LEARNT], chosen[LEARNT:]
    half = len(rest) // 2
    plain = rest[:half]
    frames = [*learnt, *plain, *(marked(frame, rng) for frame in rest[half:])]
    features = fit_features(learnt, load_backbone(), FeatureConfig(dimensions=max(COMPONENTS), seed=seed))
    grids = np.stack([p.reshape(*features.grid, -1) for p in features.extract(frames, range(len(frames)))])
    rows: list[dict[str, Cell]] = []
    for components, averaged in itertools.product(COMPONENTS, AVERAGED):
        cells = np.stack([_averaged(grid[:, :, :components], averaged) for grid in grids])
        pool = cells[: len(learnt)].reshape(-1, components)
        bank = pool[greedy_coreset(pool, BANK, seed=seed).indices]
        maps = [_distances(grid, bank) for grid in cells[len(learnt) :]]
        for smoothed in SMOOTHED:
            scores = [float(_smoothed(values, smoothed).max()) for values in maps]
            auroc = image_metrics(scores[: len(plain)], scores[len(plain) :]).auroc
            rows.append(
                {
                    "data set": folder.name,
                    "components": components,
                    "averaged over": f"{averaged} x {averaged}",
                    "smoothing, cells": smoothed,
                    "image AUROC": auroc,
                }
            )
    return rows


def _averaged(grid: FloatArray, side: int) -> FloatArray:
    rows, columns = grid.shape[:2]
    margin = side // 2
    padded = np.pad(grid, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    shifts = itertools.product(range(side), repeat=2)
    means: FloatArray = np.mean([padded[y : y + rows, x : x + columns] for y, x in shifts], axis=0, dtype=np.float32)
    return means


def _distances(grid: FloatArray, bank: FloatArray) -> FloatArray:
    patches = grid.reshape(-1, grid.shape[2])
    squared = (np.square(bank).sum(1) - 2 * patches @ bank.T).min(1) + np.square(patches).sum(1)
    distances: FloatArray = np.sqrt(np.maximum(squared, 0)).reshape(grid.shape[:2]).astype(np.float32)
    return distances


def _smoothed(values: FloatArray, sigma: float) -> FloatArray:
    if sigma == 0:
        return values
    return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE).astype(np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets  [default: ../shared/data]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    folder = options.data or shared_folder(None) / "data"
    rows = [row for name in DATASETS for row in measure(folder / name, options.seed)]
    page = write_table(
        options.out,
        "choices",
        rows,
        title="Choices, on training pictures with drawn marks",
        command="python benchmarks/choices.py",
        notes=["256 x 256 px, a bank of 1,500, about 100 pictures of each kind: differences of 0.03 are chance."],
    )
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
