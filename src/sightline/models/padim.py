"""PaDiM: each position of the part has its own Gaussian of good features; for parts that lie the same way.

Defard et al. 2021, "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization",
arXiv 2011.08785. Differences: our backbone, principal components for the random choice of dimensions (section III.A).
Symbols: x feature, mu mean, A scatter matrix sum (x - mu)(x - mu)^T, n frames, eps the ridge of eq. 1.
"""

from dataclasses import dataclass

import numpy as np
import onnx

from sightline.errors import OptionError
from sightline.models.backbone import Backbone
from sightline.models.detector import FittedDetector, append_map, build_graph, build_tail
from sightline.models.features import FeatureConfig, Features, Frames, Progress, fit_features
from sightline.models.folds import FEWEST_FRAMES
from sightline.models.gaussians import RIDGE, DoubleArray, Gaussians, append_mahalanobis, single_cells, whitening
from sightline.models.graph import GraphBuilder, open_session
from sightline.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Gaussians:
    """Per position: mean mu and scatter matrix A."""

    count: int
    mean: DoubleArray  # (P, D)
    scatter: DoubleArray  # (P, D, D)
    ridge: float


def fit(
    frames: Frames, backbone: Backbone, feature_config: FeatureConfig, progress: Progress | None = None
) -> FittedDetector:
    """Learn from good frames; each also calibrates, scored by the Gaussians without it, exactly and in closed form.

    Memory does not grow with the number of frames: some 32 D^2 bytes per position at the peak.

    Raises:
        OptionError: too few frames, or options that cannot work.
        FrameError: a frame cannot be used.
    """
    if len(frames) < FEWEST_FRAMES:
        raise OptionError(
            f"{len(frames)} good images are too few for PaDiM; give at least {FEWEST_FRAMES}, better 100."
        )
    features = fit_features(frames, backbone, feature_config, progress)
    gaussians = _accumulate(frames, features, progress)
    scores = _leave_one_out_scores(frames, features, gaussians, progress)
    return FittedDetector(
        method="padim",
        features=feature_config,
        graph=_whole_model(features, gaussians),
        good_scores=scores,
        calibration=f"exact leave-one-out over all {len(frames)} good images",
        settings={"ridge": gaussians.ridge, "explained_variance": round(features.projection.explained, 4)},
    )


def _accumulate(frames: Frames, features: Features, progress: Progress | None) -> _Gaussians:
    """One pass; features have nearly zero mean, so that sums of squares lose no digits in float64."""
    positions, dimensions = features.grid[0] * features.grid[1], features.config.dimensions
    total = np.zeros((positions, dimensions))
    squares = np.zeros((positions, dimensions, dimensions))
    for patches in features.extract(frames, range(len(frames)), progress):
        x = patches.astype(np.float64)
        total += x
        squares += x[:, :, None] * x[:, None, :]
    mean = total / len(frames)
    squares -= len(frames) * mean[:, :, None] * mean[:, None, :]
    variance = float(np.trace(squares, axis1=1, axis2=2).mean()) / ((len(frames) - 1) * dimensions)
    return _Gaussians(count=len(frames), mean=mean, scatter=squares, ridge=max(RIDGE * variance, 1e-12))


def _leave_one_out_scores(
    frames: Frames, features: Features, gaussians: _Gaussians, progress: Progress | None
) -> FloatArray:
    """Score every frame by the Gaussians fitted without it.

    Without frame x the mean moves by (x - mu) / (n - 1) and A loses n / (n - 1) (x - mu)(x - mu)^T, a rank-one change
    that the Sherman-Morrison formula carries through the inverse: with B = A + (n - 2) eps I, delta = x - mu,
    q = delta^T B^-1 delta and c = n / (n - 1), the squared distance is c^2 (n - 2) q / (1 - c q).
    """
    n = gaussians.count
    ridge = (n - 2) * gaussians.ridge * np.eye(features.config.dimensions)
    factors = whitening(gaussians.scatter + ridge).transpose(0, 2, 1)  # B^-1 = factors^T factors
    c = n / (n - 1)
    rows, columns = features.grid
    builder = GraphBuilder()
    append_map(builder, "distances", features)
    tail = open_session(build_tail(builder, features, {"distances": (rows * columns,)}))
    scores = np.empty(n, np.float32)

    def tell(_: str, done: int, total: int) -> None:
        if progress:
            progress("calibration", done, total)

    for index, patches in enumerate(features.extract(frames, range(n), tell)):
        delta = patches - gaussians.mean
        q = np.square(np.einsum("pij,pj->pi", factors, delta)).sum(axis=1)
        squared = c**2 * (n - 2) * q / np.maximum(1 - c * q, 1e-12)
        scores[index] = tail.run(["score"], {"distances": np.sqrt(squared).astype(np.float32)})[0]
    return scores


def _whole_model(features: Features, gaussians: _Gaussians) -> onnx.ModelProto:
    builder = GraphBuilder()
    patches = features.append_to(builder, "image")
    append_map(
        builder, append_mahalanobis(builder, patches, _finished(gaussians), single_cells(features.grid)), features
    )
    return build_graph(builder, features)


def _finished(gaussians: _Gaussians) -> Gaussians:
    """Eq. 1 for every position."""
    covariance = gaussians.scatter / (gaussians.count - 1)
    covariance += gaussians.ridge * np.eye(covariance.shape[-1])
    return Gaussians(mean=gaussians.mean.astype(np.float32), whitening=whitening(covariance).astype(np.float32))
