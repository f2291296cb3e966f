"""One `.sight` file for several products: a bank for each, chosen at run time, or one bank for all."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import onnx

from sightline.bundle import EXEMPLARS_HASH, WINDOW_HASH
from sightline.datasets.dataset import Dataset
from sightline.errors import DatasetError, OptionError
from sightline.evaluation.intervals import rate
from sightline.files import refuse_unwritable
from sightline.manifest import (
    MOST_PRODUCTS,
    Calibration,
    Manifest,
    Product,
    is_product_name,
    printable,
)
from sightline.models.backbone import load_backbone
from sightline.models.features import Progress
from sightline.models.products import join
from sightline.products import no_common_calibration, rejected, strictest
from sightline.training import (
    BY_GRADIENT,
    FEW_IMAGES,
    SUPERVISED,
    Learned,
    Look,
    TrainConfig,
    Trained,
    Unusual,
    learn,
    look_at,
    most_unusual,
    not_extendable,
    resolution,
    written,
)

Banks = Literal["separate", "unified"]
_OF_ONE = (WINDOW_HASH, EXEMPLARS_HASH)  # of parts of the file that a model with several banks does not have
BANKS: tuple[Banks, ...] = ("separate", "unified")


def train_products(
    datasets: Mapping[str, Dataset],
    output: Path,
    banks: Banks,
    config: TrainConfig,
    progress: Progress | None = None,
) -> Trained:
    """Learn several products and write one model that judges them all.

    They share the bit depth and the working size. Where `config` leaves these open, they are chosen as if all pictures
    belonged to one data set. With separate banks each product is learned as if alone, with its own threshold.

    Args:
        datasets: by the product's name, in the order of the graph's `product` input.

    Raises:
        As `training.train`; also OptionError: fewer than two products, or a method that cannot hold them.
        DatasetError: two products share a picture.
    """
    refuse_unwritable(output)
    _check(datasets, banks, config)
    everything = _together(datasets)
    if banks == "unified":
        return written(_unified(datasets, everything, config, progress), output)
    look = look_at(everything, config, progress)
    seen = resolution(look, load_backbone(config.backbone), config)
    shared = replace(
        config,
        smallest_defect=None,
        size=(seen.height, seen.width),
        tile=seen.tile,
        bit_depth=look.bit_depth if look.bit_depth > 8 else None,
    )
    learned = {name: _learned(name, dataset, shared, progress) for name, dataset in datasets.items()}
    joint = _separate(learned, everything.name, look)
    return written(replace(joint, warnings=(*seen.warnings, *joint.warnings)), output)


def _check(datasets: Mapping[str, Dataset], banks: Banks, config: TrainConfig) -> None:
    if not 2 <= len(datasets) <= MOST_PRODUCTS:
        raise OptionError(f"a model of several products takes 2 to {MOST_PRODUCTS} of them, got {len(datasets)}.")
    if banks == "unified" and config.method == "padim":
        raise OptionError(
            "padim has one Gaussian at each position, which cannot stand for several products; "
            "use separate banks, or patchcore."
        )
    if config.method in (*BY_GRADIENT, *SUPERVISED):
        raise OptionError(f"{config.method} learns one product; use patchcore or padim, or train a model for each.")
    if config.depth:
        raise OptionError("several products learn from pictures alone; leave --depth out, or train a model for each.")
    owners: dict[Path, str] = {}
    for name, dataset in datasets.items():
        if not is_product_name(name):
            raise OptionError(f"{name!r} is no name for a product; take 1 to 100 printable characters.")
        if not dataset.train_good:
            raise DatasetError(f"{dataset.root}: no good pictures of product {name} to learn from.")
        for sample in dataset.train_good:
            other = owners.setdefault(sample.path.resolve(), name)
            if other != name:
                raise DatasetError(f"{sample.path}: belongs to {other} and to {name}; give each product its own.")


def _together(datasets: Mapping[str, Dataset]) -> Dataset:
    return Dataset(
        name=", ".join(datasets),
        root=Path(os.path.commonpath([dataset.root.resolve() for dataset in datasets.values()])),
        samples=tuple(sample for dataset in datasets.values() for sample in dataset.samples),
    )


def _learned(name: str, dataset: Dataset, config: TrainConfig, progress: Progress | None) -> Learned:
    def tell(stage: str, done: int, total: int) -> None:
        if progress:
            progress(f"{name}: {stage}", done, total)

    try:
        learned = learn(dataset, config, tell)
    except OptionError as error:
        raise OptionError(f"product {name}: {error}") from error
    return replace(learned, warnings=tuple(f"{name}: {warning}" for warning in learned.warnings))


def _separate(learned: Mapping[str, Learned], dataset: str, look: Look) -> Learned:
    every = list(learned.values())
    manifests = [one.manifest for one in every]
    configs = [
        {key: value for key, value in manifest.provenance.config.items() if key not in _OF_ONE}
        for manifest in manifests
    ]
    common = {key: value for key, value in configs[0].items() if all(key in c and c[key] == value for c in configs)}
    products = [
        Product(
            name=name,
            images=len(one.paths),
            thresholds=one.manifest.thresholds,
            calibration=one.manifest.calibration,
            config={key: value for key, value in config.items() if key not in common},
        )
        for (name, one), config in zip(learned.items(), configs, strict=True)
    ]
    graph = join([onnx.load_model_from_string(one.graph) for one in every]).SerializeToString(deterministic=True)
    manifest = replace(
        manifests[0],
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        thresholds=strictest(products),
        calibration=no_common_calibration(),
        provenance=replace(
            manifests[0].provenance,
            dataset=printable(dataset),
            images=len(look.paths),
            dataset_sha256=look.sha256,
            config=common,
        ),
        products=tuple(products),
    )
    return Learned(
        graph=graph,
        manifest=manifest,
        paths=tuple(path for one in every for path in one.paths),
        good_scores=np.concatenate([one.good_scores for one in every]),
        unusual=tuple(picture for one in every for picture in one.unusual),
        warnings=tuple(warning for one in every for warning in one.warnings),
    )


def _unified(
    datasets: Mapping[str, Dataset], everything: Dataset, config: TrainConfig, progress: Progress | None
) -> Learned:
    learned = learn(everything, config, progress)
    owners = {sample.path: name for name, dataset in datasets.items() for sample in dataset.train_good}
    products: list[Product] = []
    unusual: list[Unusual] = []
    for name, dataset in datasets.items():
        own = [place for place, path in enumerate(learned.paths) if owners[path] == name]
        if not own:
            raise DatasetError(f"{dataset.root}: none of the good pictures of product {name} can be read.")
        scores = learned.good_scores[own]
        unusual += most_unusual([learned.paths[place] for place in own], scores)
        products.append(
            Product(
                name=name,
                images=len(own),
                thresholds=None,
                calibration=Calibration(
                    good_scores=tuple(sorted(float(score) for score in scores)),
                    source=f"its pictures' share of {learned.manifest.calibration.source}",
                ),
                config={},
            )
        )
    manifest, exemplars = not_extendable(learned.manifest, learned.exemplars)
    manifest = replace(manifest, products=tuple(products))
    warnings = (*learned.warnings, *_about_products(manifest))
    return replace(
        learned, manifest=manifest, window=None, exemplars=exemplars, unusual=tuple(unusual), warnings=warnings
    )


def _about_products(manifest: Manifest) -> list[str]:
    """Who pays for the common threshold: it keeps its promise over all products together, not for each of them."""
    promised = manifest.thresholds.max_overkill or 0.0
    warnings = []
    for product in manifest.products:
        if product.images < FEW_IMAGES:
            warnings.append(f"{product.name}: {product.images} good pictures are few; give at least {FEW_IMAGES}.")
        share = rate(rejected(manifest, product), product.images)
        if share.low is not None and share.low > promised:
            warnings.append(
                f"{product.name}: {share.count} of {share.total} good pictures reach the common threshold, more than "
                f"the {100 * promised:.3g} % promised over all products; separate banks would spare it."
            )
    return warnings
