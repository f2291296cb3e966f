"""How commands take and show the products of a model."""

from typing import Any

import click

from sightline.evaluation.intervals import rate
from sightline.manifest import Manifest, Product
from sightline.products import rejected

product_option = click.option(
    "--product", metavar="NAME", help="Which product it is, where MODEL has a bank for each of several."
)


def product_documents(manifest: Manifest) -> list[dict[str, Any]]:
    """One JSON object per product."""
    return [
        {
            "name": product.name,
            "images": product.images,
            "threshold": (product.thresholds or manifest.thresholds).reject,
            "review_threshold": (product.thresholds or manifest.thresholds).review,
            "promise": product.thresholds.promise if product.thresholds else None,
            "good_rejected": rejected(manifest, product),
        }
        for product in manifest.products
    ]


def product_lines(manifest: Manifest) -> list[str]:
    """One line per product: its limits, or where one bank serves all, what it pays for that."""
    width = max((len(product.name) for product in manifest.products), default=0)
    return [f"{product.name:{width}}  {_said_of(product, manifest)}" for product in manifest.products]


def _said_of(product: Product, manifest: Manifest) -> str:
    pictures, limits = f"{product.images} good pictures", product.thresholds
    if limits is not None:
        band = f"REVIEW from {limits.review:.6g}, " if limits.review is not None else ""
        return f"{band}REJECT from {limits.reject:.6g}; {pictures}; {limits.promise}"
    share = rate(rejected(manifest, product), len(product.calibration.good_scores))
    if share.value is None or share.low is None or share.high is None:
        return pictures
    value, low, high = (100 * figure for figure in (share.value, share.low, share.high))
    interval = f"95 % interval {low:.1f} to {high:.1f} %"
    return f"{pictures}; {share.count} of them reach the common threshold ({value:.1f} %; {interval})"
