"""PatchCore: the distance from each patch to the nearest patch of a bank of good ones, with a prior on position.

Roth et al. 2022, "Towards Total Recall in Industrial Anomaly Detection", arXiv 2106.08265. Differences: our backbone,
principal components of standardised channels for the random projection of section 3.2, no re-weighting of the image
score (section 3.3, eq. 7), and the score is the maximum of the smoothed map, so that the two agree.

The prior is a Gaussian of good features at each place (`models.gaussians`). Its distance and that to the bank err on
different parts: the sum of both, each in units of its own spread over good patches, is better than either on every
set it was developed on, those with parts turned at random included (docs/models.md), and lets a small bank do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto

from sightline.errors import OptionError
from sightline.models.backbone import Backbone
from sightline.models.detector import FittedDetector, append_map, build_graph, build_tail
from sightline.models.features import Extractor, FeatureConfig, Frames, Progress, fit_features
from sightline.models.folds import dealt, folds_of
from sightline.models.gaussians import Moments, append_mahalanobis, gaussians_of, places_of, summed
from sightline.models.graph import GraphBuilder, open_session
from sightline.models.pools import Gathered, Pool, gather, joined
from sightline.models.stored import PATCHES
from sightline.models.window import Memory, Prior, Window
from sightline.records import FloatArray

BANK = "bank"  # constant of the graph: (D, M), -2 times each of the bank's patches, in the order picked
_ROWS_PER_PRODUCT = 128  # a block of distances to a bank of 4,000 takes 2 MB and stays in the cache
_FRAMES_AT_ONCE = 8
_CELLS_AT_ONCE = 2**17  # fewer frames where they are large, as each fold has some waiting
_DISTANCES = ("nearest", "place")
_REMEMBERED_BANKS = 2  # times the bank's patches are remembered, to fill the holes of forgetting: docs/extending.md


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchCoreConfig:
    """What the bank keeps."""

    bank_fraction: float = 0.01  # of all good patches
    bank_limits: tuple[int, int] = (1_000, 1_500)  # the fraction's result is kept within
    position_prior: bool = True  # beside the bank, a Gaussian of good features at each place
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
    tally = _Tally(features, folds, window, config)
    gathered = gather(
        frames,
        features,
        folds,
        count=count,
        held=sum(len(pool.owners) for pool in remembered),
        first_owner=older,
        memory_bytes=config.memory_bytes,
        seed=config.seed,
        seen=tally.add if config.position_prior else None,
        progress=progress,
    )
    distances = _calibrated(features, folds, remembered, gathered, tally, count, config, progress)
    prior = tally.prior(distances) if config.position_prior else None
    everything = joined([*remembered, *gathered.pools])
    pool = everything.chosen(_REMEMBERED_BANKS * count, config.seed, _told(progress, "bank"))
    bank = pool.patches[:count]
    return FittedDetector(
        method="patchcore",
        features=features.config,
        graph=_whole_model(features, bank, prior),
        good_scores=_scores(features, distances, prior),
        calibration=f"{len(folds)}-fold cross-calibration of {len(frames)} added good images",
        settings={
            "bank": len(bank),
            "patches": total,
            "position_prior": config.position_prior,
            "reduced_first": int(gathered.reduced),
            "folds": len(folds),
            "bank_fraction": config.bank_fraction,
            "bank_least": low,
            "bank_most": high,
        },
        memory=Memory(grid=features.grid, pool=pool, prior=prior),
    )


class _Tally:
    """The moments of the prior, fold by fold, so that each fold can be judged by those of the others."""

    def __init__(
        self, features: Extractor, folds: list[list[int]], window: Window | None, config: PatchCoreConfig
    ) -> None:
        self._places = places_of(features.grid)
        size = (self._places.count, features.config.dimensions)
        self._moments = [Moments.none(*size) for _ in folds] if config.position_prior else []
        self._fold_of = {member: fold for fold, members in enumerate(folds) for member in members}
        self._before = window.memory.prior if window else None
        self._at_once = max(1, min(_FRAMES_AT_ONCE, _CELLS_AT_ONCE // (features.grid[0] * features.grid[1])))
        self._waiting: dict[int, list[FloatArray]] = {fold: [] for fold in range(len(folds))}

    def add(self, frame: int, patches: FloatArray) -> None:
        """Take in a frame; several together cost a fraction of what they cost one by one."""
        fold = self._fold_of[frame]
        self._waiting[fold].append(patches)
        if len(self._waiting[fold]) == self._at_once:
            self._flush(fold)

    def without(self, fold: int | None) -> Moments:
        """Of what is remembered and all folds but this one; None: of all."""
        for waiting in self._waiting:
            self._flush(waiting)
        parts = [moments for place, moments in enumerate(self._moments) if place != fold]
        return summed([*parts, self._before.moments] if self._before else parts)

    def prior(self, distances: FloatArray) -> Prior:
        """The prior from all frames; a model that is extended keeps its weights, so that old scores compare."""
        if self._before:
            return Prior(moments=self.without(None), weights=self._before.weights)
        mean = distances.mean(axis=(0, 2), dtype=np.float64)
        variance = sum(np.square(one - mean[:, None]).mean(axis=1) for one in distances) / len(distances)
        spread = np.maximum(np.sqrt(variance), 1e-12)
        usual = (mean / spread).sum()
        nearest, place = (float(weight) for weight in 1 / (spread * max(usual, 1e-12)))
        return Prior(moments=self.without(None), weights=(nearest, place))

    def _flush(self, fold: int) -> None:
        if self._waiting[fold]:
            self._moments[fold].add(np.stack(self._waiting[fold]), self._places)
            self._waiting[fold].clear()


def _calibrated(
    features: Extractor,
    folds: list[list[int]],
    remembered: list[Pool],
    gathered: Gathered,
    tally: _Tally,
    count: int,
    config: PatchCoreConfig,
    progress: Progress | None,
) -> FloatArray:
    """(n, 1 or 2, P) distances, each fold's to a bank, and a prior, made from the others and what is remembered."""
    cells = features.grid[0] * features.grid[1]
    distances = np.empty((sum(map(len, folds)), 1 + config.position_prior, cells), np.float32)
    for index, members in enumerate(folds):
        others = joined([*remembered, *(pool for place, pool in enumerate(gathered.pools) if place != index)])
        bank = others.chosen(count, config.seed, _told(progress, f"calibration bank {index + 1}/{len(folds)}"))
        del others  # before the next are joined
        moments = tally.without(index) if config.position_prior else None
        session = open_session(_distances_model(features, bank.patches, moments))
        for member, patches in zip(members, gathered.patches_of(members), strict=True):
            distances[member] = session.run(None, {PATCHES: patches})
    return distances


def _scores(features: Extractor, distances: FloatArray, prior: Prior | None) -> FloatArray:
    """The frames' scores, by the very nodes that the finished graph has behind its distances."""
    builder = GraphBuilder()
    names = _DISTANCES[: distances.shape[1]]
    append_map(builder, append_sum(builder, names, prior), features)
    tail = open_session(build_tail(builder, features, dict.fromkeys(names, distances.shape[2:])))
    return np.array([tail.run(["score"], dict(zip(names, one, strict=True)))[0] for one in distances], np.float32)


def _told(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    return (lambda done, total: progress(stage, done, total)) if progress else None


def _whole_model(features: Extractor, bank: FloatArray, prior: Prior | None) -> onnx.ModelProto:
    builder = GraphBuilder()
    patches = builder.rename(features.append_to(builder, "image"), PATCHES)  # where `stored_features` cuts
    distances = _append_distances(builder, patches, features, bank, prior.moments if prior else None)
    append_map(builder, append_sum(builder, distances, prior), features)
    return build_graph(builder, features)


def _distances_model(features: Extractor, bank: FloatArray, moments: Moments | None) -> onnx.ModelProto:
    builder = GraphBuilder()
    distances = _append_distances(builder, PATCHES, features, bank, moments)
    cells = features.grid[0] * features.grid[1]
    outputs = [(builder.rename(name, kind), (cells,)) for name, kind in zip(distances, _DISTANCES, strict=False)]
    return builder.build([(PATCHES, TensorProto.FLOAT, (cells, features.config.dimensions))], outputs)


def _append_distances(
    builder: GraphBuilder, patches: str, features: Extractor, bank: FloatArray, moments: Moments | None
) -> list[str]:
    """(P, D) patches -> (P,) to the nearest of the bank; with moments also (P,) to the place's Gaussian."""
    distances = [append_nearest(builder, patches, features.grid[0] * features.grid[1], bank)]
    if moments is not None:
        distances.append(append_mahalanobis(builder, patches, gaussians_of(moments), places_of(features.grid)))
    return distances


def append_sum(builder: GraphBuilder, distances: Sequence[str], prior: Prior | None) -> str:
    """The weighted sum: 1 is what a usual good patch has. The distance to the bank itself where there is no prior."""
    if prior is None:
        return distances[0]
    nearest, place = (
        builder.node("Mul", [distance, builder.constant(np.float32(weight))])
        for distance, weight in zip(distances, prior.weights, strict=True)
    )
    return builder.node("Add", [nearest, place])


def append_nearest(builder: GraphBuilder, patches: str, cells: int, bank: FloatArray) -> str:
    """(cells, D) patches -> (cells,) Euclidean distances to the nearest of the bank's rows, exact.

    |x - b|^2 = |x|^2 + (|b|^2 - 2 x b): one product per block of patches, its minimum, then the rest. A one at the end
    of each patch brings |b|^2 into the product; added to it, it would cost another pass over the distances.
    """
    norms = builder.constant(np.square(bank).sum(axis=1)[None])
    # joined once, when the graph is loaded, so that the file holds the bank as it is
    factors = builder.node("Concat", [builder.named_constant(BANK, -2 * bank.T), norms], {"axis": 0})
    rows = builder.node("Concat", [patches, builder.constant(np.ones((cells, 1), np.float32))], {"axis": 1})
    nearest = []
    for start in range(0, cells, _ROWS_PER_PRODUCT):
        block = rows
        if cells > _ROWS_PER_PRODUCT:
            stop = min(start + _ROWS_PER_PRODUCT, cells)
            block = builder.node("Slice", [rows, builder.int64(start), builder.int64(stop), builder.int64(0)])
        product = builder.node("MatMul", [block, factors])
        nearest.append(builder.node("ReduceMin", [product, builder.int64(1)], {"keepdims": 0}))
    least = builder.node("Concat", nearest, {"axis": 0}) if len(nearest) > 1 else nearest[0]
    lengths = builder.node("ReduceSumSquare", [patches, builder.int64(1)], {"keepdims": 0})
    squared = builder.node("Add", [least, lengths])
    # cancellation can leave a patch that is in the bank a little below zero
    return builder.node("Sqrt", [builder.node("Max", [squared, builder.constant(np.float32(0))])])
