"""PatchCore: the distance from each patch to the nearest patch of a bank of good ones.

Roth et al. 2022, "Towards Total Recall in Industrial Anomaly Detection", arXiv 2106.08265. Differences: our backbone,
principal components of standardised channels for the random projection of section 3.2, no re-weighting of the image
score (section 3.3, eq. 7), and the score is the maximum of the smoothed map, so that the two agree.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import onnx

from sightline.errors import OptionError
from sightline.models.backbone import Backbone
from sightline.models.coreset import greedy_coreset, most_streamed, streamed_coreset
from sightline.models.detector import FittedDetector, append_map, build_graph, build_tail
from sightline.models.features import FeatureConfig, Features, Frames, Progress, fit_features
from sightline.models.folds import folds_of
from sightline.models.graph import GraphBuilder, open_session
from sightline.records import FloatArray

_ROWS_PER_PRODUCT = 256  # a block of distances to a bank of 4,000 takes 4 MB and stays in the cache
_REDUCED_BANKS = 8  # a fold that does not fit is first reduced to this many times the bank
_COPIES = 3  # of the patches, at the peak: all, those of the other folds, the coreset's work


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchCoreConfig:
    """What the bank keeps."""

    bank_fraction: float = 0.01  # of all good patches
    bank_limits: tuple[int, int] = (1_000, 8_000)  # the fraction's result is kept within
    folds: int = 5  # of the cross-calibration
    memory_bytes: int = 2 * 2**30  # for patches and the coreset's work
    seed: int = 0

    def __post_init__(self) -> None:
        low, high = self.bank_limits
        if not (0 < self.bank_fraction <= 1 and 1 <= low <= high):
            raise OptionError(f"bank fraction {self.bank_fraction} and limits {low}..{high} make no bank.")
        if self.memory_bytes < 64 * 2**20:
            raise OptionError(
                f"memory {self.memory_bytes / 2**20:.0f} MiB is too little to train; give at least 64 MiB."
            )


def fit(
    frames: Frames,
    backbone: Backbone,
    feature_config: FeatureConfig,
    config: PatchCoreConfig,
    progress: Progress | None = None,
) -> FittedDetector:
    """Learn from good frames.

    Every frame trains the bank and every frame calibrates it: each is scored against a bank made from the other folds.

    Raises:
        OptionError: too few frames, or options that cannot work.
        FrameError: a frame cannot be used.
    """
    folds = folds_of(len(frames), config.folds, config.seed)
    features = fit_features(frames, backbone, feature_config, progress)
    total = len(frames) * features.grid[0] * features.grid[1]
    low, high = config.bank_limits
    count = min(total, max(low, min(high, round(total * config.bank_fraction))))
    fits = _COPIES * total * feature_config.dimensions * 4 <= config.memory_bytes
    if fits:
        pools, patches_of = _all_patches(frames, features, folds, progress)
    else:
        pools, patches_of = _reduced_patches(frames, features, folds, count, config, progress)
    scores = np.empty(len(frames), np.float32)
    for index, members in enumerate(folds):
        others = np.concatenate([pool for position, pool in enumerate(pools) if position != index])
        bank = _bank(others, count, config, progress, f"calibration bank {index + 1}/{len(folds)}")
        tail = open_session(_tail_model(features, bank))
        for member, patches in zip(members, patches_of(members), strict=True):
            scores[member] = tail.run(["score"], {"patches": patches})[0]
    bank = _bank(np.concatenate(pools), count, config, progress, "bank")
    settings: dict[str, int | float | str | None] = {
        "bank": len(bank),
        "patches": total,
        "reduced_first": int(not fits),
        "folds": len(folds),
        "explained_variance": round(features.projection.explained, 4),
    }
    return FittedDetector(
        method="patchcore",
        features=feature_config,
        graph=_whole_model(features, bank),
        good_scores=scores,
        calibration=f"{len(folds)}-fold cross-calibration over all {len(frames)} good images",
        settings=settings,
    )


PatchesOf = Callable[[Sequence[int]], Iterator[FloatArray]]


def _all_patches(
    frames: Frames, features: Features, folds: list[list[int]], progress: Progress | None
) -> tuple[list[FloatArray], PatchesOf]:
    """Everything in memory, fold by fold."""
    order = [member for members in folds for member in members]
    per_frame = features.grid[0] * features.grid[1]
    patches = np.empty((len(frames), per_frame, features.config.dimensions), np.float32)
    for row, values in enumerate(features.extract(frames, order, progress)):
        patches[row] = values
    edges = np.cumsum([0, *(len(members) for members in folds)])
    pools = [patches[a:b].reshape(-1, patches.shape[2]) for a, b in pairwise(edges)]
    row_of = {member: row for row, member in enumerate(order)}
    return pools, lambda members: (patches[row_of[member]] for member in members)


def _reduced_patches(
    frames: Frames,
    features: Features,
    folds: list[list[int]],
    count: int,
    config: PatchCoreConfig,
    progress: Progress | None,
) -> tuple[list[FloatArray], PatchesOf]:
    """Too much for the memory: each fold is reduced as it streams by, and patches are computed again to be scored."""
    dimensions = features.config.dimensions
    share = config.memory_bytes // (_COPIES * len(folds) * dimensions * 4)
    kept = min(_REDUCED_BANKS * count, share, most_streamed(dimensions, config.memory_bytes // _COPIES))
    if kept * (len(folds) - 1) < count:
        raise OptionError(
            f"memory {config.memory_bytes / 2**20:.0f} MiB is too little for a bank of {count} patches of {dimensions} "
            "dimensions; give more, or keep fewer."
        )
    pools = [
        streamed_coreset(
            features.extract(frames, members, progress),
            kept,
            memory_bytes=config.memory_bytes // _COPIES,
            seed=config.seed,
        )
        for members in folds
    ]
    return pools, lambda members: features.extract(frames, members)


def _bank(
    patches: FloatArray, count: int, config: PatchCoreConfig, progress: Progress | None, stage: str
) -> FloatArray:
    tell = (lambda done, total: progress(stage, done, total)) if progress else None
    picks = greedy_coreset(patches, min(count, len(patches)), seed=config.seed, progress=tell).indices
    return patches[picks]


def _whole_model(features: Features, bank: FloatArray) -> onnx.ModelProto:
    builder = GraphBuilder()
    patches = features.append_to(builder, "image")
    append_map(builder, _append_nearest(builder, patches, features, bank), features)
    return build_graph(builder, features)


def _tail_model(features: Features, bank: FloatArray) -> onnx.ModelProto:
    builder = GraphBuilder()
    append_map(builder, _append_nearest(builder, "patches", features, bank), features)
    rows, columns = features.grid
    return build_tail(builder, features, "patches", (rows * columns, features.config.dimensions))


def _append_nearest(builder: GraphBuilder, patches: str, features: Features, bank: FloatArray) -> str:
    """(P, D) patches -> (P,) Euclidean distances to the nearest of the bank's rows, exact.

    |x - b|^2 = |x|^2 + (|b|^2 - 2 x b): one product per block of patches, its minimum, then the rest.
    """
    factors = builder.constant(np.ascontiguousarray(-2 * bank.T))
    norms = builder.constant(np.square(bank).sum(axis=1))
    total = features.grid[0] * features.grid[1]
    nearest = []
    for start in range(0, total, _ROWS_PER_PRODUCT):
        block = patches
        if total > _ROWS_PER_PRODUCT:
            stop = min(start + _ROWS_PER_PRODUCT, total)
            block = builder.node("Slice", [patches, builder.int64(start), builder.int64(stop), builder.int64(0)])
        product = builder.node("Gemm", [block, factors, norms])
        nearest.append(builder.node("ReduceMin", [product, builder.int64(1)], {"keepdims": 0}))
    least = builder.node("Concat", nearest, {"axis": 0}) if len(nearest) > 1 else nearest[0]
    lengths = builder.node("ReduceSumSquare", [patches, builder.int64(1)], {"keepdims": 0})
    squared = builder.node("Add", [least, lengths])
    # cancellation can leave a patch that is in the bank a little below zero
    return builder.node("Sqrt", [builder.node("Max", [squared, builder.constant(np.float32(0))])])
