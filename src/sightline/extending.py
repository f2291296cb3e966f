"""Extend a `.sight` file with further good pictures and forget the oldest: a line adapts without starting over."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from sightline.bundle import Bundle, hashes_of, load, save
from sightline.datasets.dataset import Dataset
from sightline.datasets.frames import FrameFiles
from sightline.errors import BundleError, DatasetError, OptionError
from sightline.evaluation.intervals import between_0_and_1
from sightline.evaluation.thresholds import for_overkill
from sightline.files import refuse_unwritable
from sightline.manifest import Calibration, JsonScalar, Manifest, printable
from sightline.models import exemplars
from sightline.models.backbone import load_backbone
from sightline.models.detector import FittedDetector, GraphDetector
from sightline.models.exemplars import Exemplars
from sightline.models.features import FeatureConfig, Progress
from sightline.models.folds import FEWEST_FRAMES
from sightline.models.patchcore import PatchCoreConfig
from sightline.models.patchcore import extend as extend_patchcore
from sightline.models.stored import StoredFeatures, stored_features
from sightline.models.window import Window, from_bytes
from sightline.training import Look, TrainConfig, Trained, Unusual, few, limits_of, look_at, patch_bytes

_MOST_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendConfig:
    """What extending is asked for. What the model fixes may be stated, and is refused if the model has another."""

    window: int | None = None  # most pictures remembered, the new ones included; None: all
    max_overkill: float | None = None  # None: as the model was trained for
    bank: int | None = None  # patches that the new model keeps; None: by the rule of the model
    memory_mib: int = 2048
    max_megapixels: float = 50.0
    method: str | None = None  # this and all below: None: the model's
    size: tuple[int, int] | None = None
    tile: int | None = None
    dimensions: int | None = None
    bit_depth: int | None = None
    backbone: Path | None = None
    position_prior: bool | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.window is not None and self.window < FEWEST_FRAMES:
            raise OptionError(f"a window of {self.window} pictures is too small; remember at least {FEWEST_FRAMES}.")
        if self.max_overkill is not None:
            between_0_and_1(self.max_overkill, "the overkill rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """The pictures to be learnt: not yet in the window, no two alike, oldest first."""

    paths: list[Path]
    hashes: list[str]
    warnings: list[str]


def extend(
    dataset: Dataset, model: Path, output: Path, config: ExtendConfig, progress: Progress | None = None
) -> Trained:
    """Learn the data set's good training pictures in addition to what `model` remembers; write to `output` at the end.

    Raises:
        BundleError: the model is damaged or holds nothing that could be extended.
        OptionError: an option cannot work, or the model is another one than stated.
        DatasetError: no new good pictures, or not of the model's depth. FrameError: one changed while it was read.
        StoreError: the file cannot be written.
    """
    refuse_unwritable(output)
    bundle = load(model)
    if bundle.names is not None:
        raise OptionError(f"{model}: names what it finds, and cannot be extended; train it again with all pictures.")
    window, album = _remembered(bundle, config)
    features = _features(bundle, window)
    look = look_at(dataset, TrainConfig(max_megapixels=config.max_megapixels), progress)
    _check_depth(dataset, look, bundle)
    new = _new(dataset, look, window, config)
    forgotten = 0 if config.window is None else max(0, len(window.images) + len(new.paths) - config.window)
    frames = FrameFiles(paths=new.paths, max_megapixels=config.max_megapixels)
    doubtful = _rejected(bundle, frames, progress)
    kept = window.forgetting(forgotten)
    fitted = extend_patchcore(frames, features, kept, _settings(bundle, config), progress)
    scores = np.concatenate([kept.scores, fitted.good_scores])
    if not np.isfinite(scores).all() or fitted.memory is None:
        raise DatasetError(f"{dataset.root}: the model gives no finite scores on these pictures. Check them.")
    after = Window(images=(*kept.images, *new.hashes), scores=scores, memory=fitted.memory)
    threshold = for_overkill(scores, _max_overkill(bundle, config))
    known = exemplars.by_image(album, window.memory.pool.owners, forgotten) if album else None
    pieces = exemplars.keep(frames, fitted.memory, older=len(kept.images), known=known, progress=progress).to_bytes()
    graph, content = fitted.graph.SerializeToString(deterministic=True), after.to_bytes()
    settings: dict[str, JsonScalar] = {
        **fitted.settings,
        "max_overkill": _max_overkill(bundle, config),
        "extended_from": bundle.model_id,
        "extended_with": printable(dataset.name),
        "added": len(new.paths),
        "forgotten": forgotten,
        **hashes_of(content, pieces),
    }
    manifest = replace(
        _manifest(bundle, after, settings),
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        thresholds=limits_of(threshold),
        calibration=_calibration(after, len(new.paths), fitted),
    )
    save(output, graph, manifest, content, exemplars=pieces)
    told = [*new.warnings, *_about_rejected(doubtful, bundle), *_about_threshold(bundle)]
    return Trained(
        bundle=load(output),
        images=len(after.images),
        unusual=doubtful[:_MOST_LISTED],
        warnings=(*told, *few(len(after.images)), *threshold.warnings),
    )


def _remembered(bundle: Bundle, config: ExtendConfig) -> tuple[Window, Exemplars | None]:
    """What the model remembers, and its pieces of good pictures, if it has any; it is the model that was stated."""
    _check_stated(bundle, config)
    assert bundle.window is not None, "the check has seen it"
    try:
        window = from_bytes(bundle.window)
        album = exemplars.from_bytes(bundle.exemplars) if bundle.exemplars else None
        pool = window.memory.pool
        if album is None:
            return window, None
        if (album.grid, len(album.cells)) != (window.memory.grid, len(pool.owners)):
            raise BundleError("has pieces of good pictures of another window; train again")
        memory = replace(window.memory, pool=replace(pool, cells=album.cells))
        return replace(window, memory=memory), album
    except BundleError as error:
        raise BundleError(f"{bundle.path}: {error}.") from error


def _check_stated(bundle: Bundle, config: ExtendConfig) -> None:
    manifest = bundle.manifest
    if manifest.products:
        raise OptionError(f"{bundle.path}: knows several products, and cannot be extended. Train again.")
    if manifest.method != "patchcore":
        raise OptionError(f"{bundle.path}: is a {manifest.method} model; only patchcore can be extended. Train again.")
    if bundle.window is None:
        raise BundleError(
            f"{bundle.path}: does not hold what extending takes, as it was made by an older Sightline; train again "
            "with this one, and the model can be extended."
        )
    backbone = load_backbone(config.backbone) if config.backbone else None
    stated: list[tuple[str, object, object]] = [
        ("method", config.method, manifest.method),
        ("working size (height, width)", config.size, manifest.working_size),
        ("tile", config.tile, manifest.tile),
        ("number of dimensions", config.dimensions, manifest.provenance.config.get("dimensions")),
        ("bit depth", config.bit_depth, manifest.input.bit_depth),
        ("backbone (SHA-256)", backbone and backbone.sha256, manifest.provenance.backbone_sha256),
        ("prior on position", config.position_prior, _has_prior(bundle)),
        ("seed", config.seed, manifest.provenance.seed),
    ]
    for what, given, has in stated:
        if given is not None and given != has:
            raise OptionError(
                f"{bundle.path}: its {what} is {has}, not {given}, and stays when a model is extended; leave the "
                "option out, or train again."
            )


def _features(bundle: Bundle, window: Window) -> StoredFeatures:
    manifest, pool = bundle.manifest, window.memory.pool
    config = FeatureConfig(
        height=manifest.working_size[0],
        width=manifest.working_size[1],
        tile=manifest.tile,
        dimensions=pool.patches.shape[1],
        bit_depth=manifest.input.bit_depth,
        seed=manifest.provenance.seed,
    )
    try:
        return stored_features(bundle.graph, config, window.memory.grid)
    except (BundleError, OptionError) as error:
        raise BundleError(f"{bundle.path}: {error}") from error


def _check_depth(dataset: Dataset, look: Look, bundle: Bundle) -> None:
    depth = bundle.manifest.input.bit_depth
    if (look.bit_depth == 8) != (depth == 8) or look.highest >= 1 << depth:
        has = "8 bits" if look.bit_depth == 8 else f"16 bits and values up to {look.highest}"
        raise DatasetError(
            f"{dataset.root}: the pictures have {has}, {bundle.path} was trained on {depth} bits. Give pictures as the "
            "camera made them at training."
        )


def _new(dataset: Dataset, look: Look, window: Window, config: ExtendConfig) -> _New:
    known, paths, hashes = set(window.images), list[Path](), list[str]()
    for path, digest in zip(look.paths, look.hashes, strict=True):
        if digest not in known:
            known.add(digest)
            paths.append(path)
            hashes.append(digest)
    warnings = list(look.warnings)
    if not paths:
        raise DatasetError(
            f"{dataset.root}: all {len(look.paths)} good pictures are known to the model. Give new ones."
        )
    if len(paths) < len(look.paths):
        warnings.append(f"{len(look.paths) - len(paths)} of {len(look.paths)} pictures left out: known to the model.")
    if config.window is not None and len(paths) > config.window:
        warnings.append(
            f"{len(paths) - config.window} of {len(paths)} new pictures left out: the window of {config.window} takes "
            "the last ones."
        )
        paths, hashes = paths[-config.window :], hashes[-config.window :]
    return _New(paths=paths, hashes=hashes, warnings=warnings)


def _rejected(bundle: Bundle, frames: FrameFiles, progress: Progress | None) -> tuple[Unusual, ...]:
    """The new pictures that the model does not pass as it is, the most anomalous first."""
    detector = GraphDetector(bundle.graph, bundle.manifest.input.bit_depth)
    found = []
    for index, path in enumerate(frames.paths):
        score = detector.score(frames[index]).score
        if not score < bundle.manifest.thresholds.reject:
            found.append(Unusual(path=path, score=score))
        if progress:
            progress("judging", index + 1, len(frames))
    return tuple(sorted(found, key=lambda item: -item.score))


def _settings(bundle: Bundle, config: ExtendConfig) -> PatchCoreConfig:
    """The bank's rule: the model's, or the number asked for."""
    usual, stored = PatchCoreConfig(), bundle.manifest.provenance.config
    fraction, least, most = (stored.get(key) for key in ("bank_fraction", "bank_least", "bank_most"))
    limits = usual.bank_limits
    if config.bank is not None:
        limits = (config.bank, config.bank)
    elif isinstance(least, int) and isinstance(most, int):
        limits = (least, most)
    return PatchCoreConfig(
        bank_fraction=fraction if isinstance(fraction, float) else usual.bank_fraction,
        bank_limits=limits,
        position_prior=_has_prior(bundle),
        memory_bytes=patch_bytes(config.memory_mib),
        seed=bundle.manifest.provenance.seed,
    )


def _has_prior(bundle: Bundle) -> bool:
    return bundle.manifest.provenance.config.get("position_prior") is True


def _manifest(bundle: Bundle, after: Window, settings: Mapping[str, JsonScalar]) -> Manifest:
    """The old manifest, made from the pictures that are remembered now."""
    before = bundle.manifest.provenance
    provenance = replace(
        before,
        images=len(after.images),
        dataset_sha256=hashlib.sha256(bytes.fromhex("".join(after.images))).hexdigest(),
        config={**before.config, **settings},
    )
    return replace(bundle.manifest, sightline_version=version("sightline"), provenance=provenance)


def _max_overkill(bundle: Bundle, config: ExtendConfig) -> float:
    asked = bundle.manifest.provenance.config.get("max_overkill")
    if config.max_overkill is not None:
        return config.max_overkill
    return asked if isinstance(asked, float) else TrainConfig().max_overkill


def _calibration(window: Window, added: int, fitted: FittedDetector) -> Calibration:
    how = fitted.calibration if added > 1 else "1 added good image, scored before it was added"
    if remembered := len(window.images) - added:
        how += f"; {remembered} scores remembered from when their images were learnt, each by a bank without its image"
    return Calibration(good_scores=tuple(sorted(float(score) for score in window.scores)), source=how)


def _about_rejected(rejected: Sequence[Unusual], bundle: Bundle) -> list[str]:
    if not rejected:
        return []
    return [
        f"{len(rejected)} of the added pictures would have been rejected by model {bundle.model_id}: be sure that they "
        "are good, as what is learnt as good is not found again."
    ]


def _about_threshold(bundle: Bundle) -> list[str]:
    """Whether a choice made with `calibrate` is lost."""
    before = bundle.manifest.thresholds
    made = for_overkill(bundle.manifest.calibration.good_scores, _max_overkill(bundle, ExtendConfig()))
    if before.review is None and before.reject == made.value:
        return []
    return ["the thresholds of the old model were set by calibrate; set those of the new one as well."]
