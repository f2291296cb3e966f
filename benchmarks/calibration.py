"""Does the promised overkill hold? Learn from some good pictures, judge others that the model has never seen, repeat.

Good pictures of all splits are shuffled; each resample learns from --learn of them, sets its threshold for --overkill
and judges --judge others. The promise is kept when the share rejected is on average at most what was promised, and
lies within the stated 95 % interval, widened by the counting error of the judged pictures, in about 95 of 100.

    python benchmarks/calibration.py [--data FOLDER] [--methods patchcore padim] [--resamples 20]
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from shared import shared_folder
from sightline.datasets.opening import open_dataset
from sightline.evaluation.intervals import beta_cdf
from sightline.evaluation.thresholds import Threshold, for_overkill
from sightline.imaging.decode import read_frame
from sightline.models.backbone import load_backbone
from sightline.models.detector import FittedDetector
from sightline.models.features import FeatureConfig
from sightline.models.padim import fit as fit_padim
from sightline.models.patchcore import PatchCoreConfig
from sightline.models.patchcore import fit as fit_patchcore
from sightline.records import Frame
from tables import RESULTS, Cell, write_table


def fit(method: str, frames: list[Frame], seed: int) -> FittedDetector:
    """One model at 256 x 256 with default settings."""
    backbone, features = load_backbone(), FeatureConfig(seed=seed)
    if method == "padim":
        return fit_padim(frames, backbone, features)
    return fit_patchcore(frames, backbone, features, PatchCoreConfig(seed=seed))


def inside(rejected: int, judged: int, threshold: Threshold) -> bool:
    """Whether the count is within the central 95 % of what the promise predicts, a beta-binomial distribution."""
    assert threshold.guarantee is not None, "a threshold for overkill has a guarantee"
    n, rate = threshold.guarantee.images, threshold.guarantee.rate
    ranks = round(rate * (n + 1))
    steps = np.linspace(0, 1, 2001)
    prior = np.diff([beta_cdf(float(x), ranks, n + 1 - ranks) for x in steps])
    middle = (steps[1:] + steps[:-1]) / 2
    log_binomial = np.concatenate([[0.0], np.log(np.arange(judged, 0, -1) / np.arange(1, judged + 1)).cumsum()])
    counts = np.arange(judged + 1)
    chances = np.exp(log_binomial + counts * np.log(middle)[:, None] + (judged - counts) * np.log1p(-middle)[:, None])
    below = (prior @ chances).cumsum()
    lower = below[rejected - 1] if rejected else 0.0
    return bool(below[rejected] > 0.025 and lower < 0.975)


def measure(folder: Path, method: str, options: argparse.Namespace) -> dict[str, Cell]:
    """Repeat learning and judging on one data set."""
    paths = [sample.path for sample in open_dataset(folder).samples if sample.is_good]
    rejected, kept = [], 0
    for resample in range(options.resamples):
        order = np.random.default_rng(resample).permutation(len(paths))[: options.learn + options.judge]
        frames = [read_frame(paths[index]) for index in order]
        fitted = fit(method, frames[: options.learn], resample)
        threshold = for_overkill(fitted.good_scores, options.overkill)
        detector = fitted.detector()
        judged = frames[options.learn :]
        rejected.append(sum(detector.score(frame).score >= threshold.value for frame in judged))
        kept += inside(rejected[-1], len(judged), threshold)
        print(folder.name, method, resample, rejected[-1], len(judged), file=sys.stderr, flush=True)
    assert threshold.guarantee is not None, "a threshold for overkill has a guarantee"
    return {
        "data set": folder.name,
        "method": method,
        "learnt from": options.learn,
        "promised overkill": threshold.guarantee.rate,
        "measured, mean": float(np.mean(rejected)) / len(judged),
        "measured, lowest to highest": f"{min(rejected) / len(judged):.3f} to {max(rejected) / len(judged):.3f}",
        "within the 95 % interval": f"{kept} of {options.resamples}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets  [default: ../shared/data]")
    parser.add_argument("--datasets", nargs="*", default=["magnetic_tile", "kolektor_commutator"])
    parser.add_argument("--methods", nargs="*", default=["patchcore", "padim"])
    parser.add_argument("--learn", type=int, default=99)
    parser.add_argument("--judge", type=int, default=150)
    parser.add_argument("--overkill", type=float, default=0.05)
    parser.add_argument("--resamples", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    folder = options.data or shared_folder(None) / "data"
    rows = [measure(folder / name, method, options) for name in options.datasets for method in options.methods]
    command = " ".join(["python benchmarks/calibration.py", *sys.argv[1:]])
    page = write_table(options.out, "calibration", rows, title="Is the promised overkill kept?", command=command)
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
