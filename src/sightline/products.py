"""Which of a model's products is judged, and by what limits; never one that was not named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.bundle import Bundle
from sightline.errors import OptionError
from sightline.manifest import Calibration, Manifest, Product, Thresholds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limits:
    """What scores are compared with: a product's limits, or the model's where all pictures are judged alike."""

    product: str | None
    place: int | None  # what the graph's `product` input takes; None where it has no such input
    thresholds: Thresholds
    good_scores: NDArray[np.float64]  # (n,) ascending


def limits_of(bundle: Bundle, product: str | None) -> Limits:
    """The limits for this product.

    Args:
        product: its name where the model has a bank for each of several, else None.

    Raises:
        OptionError: a product is needed and none is given, it is not known, or the model takes none.
    """
    place = _place(bundle, product)
    manifest = bundle.manifest
    thresholds, calibration = manifest.thresholds, manifest.calibration
    if place is not None:
        chosen = manifest.products[place]
        assert chosen.thresholds is not None, "a product with a bank of its own has thresholds"
        thresholds, calibration = chosen.thresholds, chosen.calibration
    return Limits(
        product=product,
        place=place,
        thresholds=thresholds,
        good_scores=np.array(calibration.good_scores, np.float64),
    )


def with_thresholds(bundle: Bundle, product: str | None, thresholds: Thresholds) -> Manifest:
    """The manifest with other thresholds for this product, or for the model where all pictures are judged alike.

    Raises:
        OptionError: as `limits_of`.
    """
    place, manifest = _place(bundle, product), bundle.manifest
    if place is None:
        return replace(manifest, thresholds=thresholds)
    products = list(manifest.products)
    products[place] = replace(products[place], thresholds=thresholds)
    return replace(manifest, products=tuple(products), thresholds=strictest(products))


def strictest(products: Sequence[Product]) -> Thresholds:
    """What the model's own thresholds are where each product has its own: whoever overlooks these rejects too much."""
    return Thresholds(
        reject=min(product.thresholds.reject for product in products if product.thresholds is not None),
        review=None,
        rule="each product has thresholds of its own; this is the lowest of them",
        promise="that of each product",
        max_overkill=None,
    )


def no_common_calibration() -> Calibration:
    """What the model's own calibration is where each product has its own."""
    return Calibration(good_scores=(), source="each product by itself")


def rejected(manifest: Manifest, product: Product) -> int:
    """How many of a product's calibrating good pictures reach the threshold that applies to it."""
    limit = (product.thresholds or manifest.thresholds).reject
    return sum(score >= limit for score in product.calibration.good_scores)


def _place(bundle: Bundle, product: str | None) -> int | None:
    names = bundle.manifest.separate
    if product in names:
        return names.index(product)
    if names:
        known = ", ".join(names)
        if product is None:
            raise OptionError(f"{bundle.path}: has a bank for each of its products; name the one to judge: {known}.")
        raise OptionError(f"{bundle.path}: does not know the product {product!r}; it knows {known}.")
    if product is None:
        return None
    if bundle.manifest.products:
        raise OptionError(f"{bundle.path}: judges all its products by one bank; leave the product {product!r} out.")
    raise OptionError(f"{bundle.path}: was not trained on several products; leave the product {product!r} out.")
