"""PatchCore: the distance from each patch to the nearest patch of a bank of good ones.

Roth et al. 2022, "Towards Total Recall in Industrial Anomaly Detection", arXiv 2106.08265. Differences: our backbone,
principal components of standardised channels for the random projection of section 3.2, no re-weighting of the image
score (section 3.3, eq. 7), and the score is the maximum of the smoothed map, so that the two agree.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx

from sightline.errors import OptionError
from sightline.models.backbone import Backbone
from sightline.models.detector import FittedDetector, append_map, build_graph, build_tail
from sightline.models.features import Extractor, FeatureConfig, Frames, Progress, fit_features
from sightline.models.folds import dealt, folds_of
from sightline.models.graph import GraphBuilder, open_session
from sightline.models.pools import Gathered, Pool, gather, joined
from sightline.models.stored import PATCHES
from sightline.models.window import Memory, Window
from sightline.records import FloatArray

_ROWS_PER_PRODUCT = 256  # a block of distances to a bank of 4,000 takes 4 MB and stays in the cache
_REMEMBERED_BANKS = 2  # times the bank's patches are remembered, to fill the holes of forgetting: docs/extending.md


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
    fitted = _learn(frames, features, folds, None, config, progress)
    return replace(
        fitted,
        calibration=f"{len(folds)}-fold cross-calibration over all {len(frames)} good images",
        settings={**fitted.settings, "explained_variance": round(features.projection.explained, 4)},
    )


def extend(
    frames: Frames, features: Extractor, window: Window, config: PatchCoreConfig, progress: Progress | None = None
) -> FittedDetector:
    """Learn from further good frames beside those that the window remembers, by the features that made its patches.

    Each new frame is scored against a bank made from what is remembered and the other folds of the new ones.

    Args:
        window: what is remembered of older frames; may be empty.

    Returns:
        The model; its `good_scores` are the new frames', in order, and owners count from the window's oldest image.

    Raises:
        OptionError: no frames, or options that cannot work. FrameError: a frame cannot be used.
    """
    if not len(frames):
        raise OptionError("there are no new images to extend the model with.")
    deal = dealt if window.images else folds_of
    return _learn(frames, features, deal(len(frames), config.folds, config.seed), window, config, progress)


def _learn(
    frames: Frames,
    features: Extractor,
    folds: list[list[int]],
    window: Window | None,
    config: PatchCoreConfig,
    progress: Progress | None,
) -> FittedDetector:
    remembered = [window.memory.pool] if window else []
    older = len(window.images) if window else 0
    total = (older + len(frames)) * features.grid[0] * features.grid[1]
    low, high = config.bank_limits
    count = min(total, max(low, min(high, round(total * config.bank_fraction))))
    gathered = gather(
        frames,
        features,
        folds,
        count=count,
        held=sum(len(pool.owners) for pool in remembered),
        first_owner=older,
        memory_bytes=config.memory_bytes,
        seed=config.seed,
        progress=progress,
    )
    scores = _calibrated(features, folds, remembered, gathered, count, config, progress)
    everything = joined([*remembered, *gathered.pools])
    pool = everything.chosen(_REMEMBERED_BANKS * count, config.seed, _told(progress, "bank"))
    bank = pool.patches[:count]
    return FittedDetector(
        method="patchcore",
        features=features.config,
        graph=_whole_model(features, bank),
        good_scores=scores,
        calibration=f"{len(folds)}-fold cross-calibration of {len(frames)} added good images",
        settings={
            "bank": len(bank),
            "patches": total,
            "reduced_first": int(gathered.reduced),
            "folds": len(folds),
            "bank_fraction": config.bank_fraction,
            "bank_least": low,
            "bank_most": high,
        },
        memory=Memory(grid=features.grid, pool=pool),
    )


def _calibrated(
    features: Extractor,
    folds: list[list[int]],
    remembered: list[Pool],
    gathered: Gathered,
    count: int,
    config: PatchCoreConfig,
    progress: Progress | None,
) -> FloatArray:
    """The frames' scores, each fold's against a bank chosen from the others and from what is remembered."""
    scores = np.empty(sum(len(members) for members in folds), np.float32)
    for index, members in enumerate(folds):
        others = joined([*remembered, *(pool for place, pool in enumerate(gathered.pools) if place != index)])
        bank = others.chosen(count, config.seed, _told(progress, f"calibration bank {index + 1}/{len(folds)}"))
        tail = open_session(_tail_model(features, bank.patches))
        del others  # before the next are joined
        for member, patches in zip(members, gathered.patches_of(members), strict=True):
            scores[member] = tail.run(["score"], {PATCHES: patches})[0]
    return scores


def _told(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    return (lambda done, total: progress(stage, done, total)) if progress else None


def _whole_model(features: Extractor, bank: FloatArray) -> onnx.ModelProto:
    builder = GraphBuilder()
    patches = builder.rename(features.append_to(builder, "image"), PATCHES)  # where `stored_features` cuts
    append_map(builder, _append_nearest(builder, patches, features, bank), features)
    return build_graph(builder, features)


def _tail_model(features: Extractor, bank: FloatArray) -> onnx.ModelProto:
    builder = GraphBuilder()
    append_map(builder, _append_nearest(builder, PATCHES, features, bank), features)
    rows, columns = features.grid
    return build_tail(builder, features, PATCHES, (rows * columns, features.config.dimensions))


def _append_nearest(builder: GraphBuilder, patches: str, features: Extractor, bank: FloatArray) -> str:
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
