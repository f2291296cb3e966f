"""Classes of unequal size: what makes a rare class count as much as a frequent one."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sightline.models.class_config import Imbalance

_FOCUS = 2.0  # gamma of Lin et al. 2017, arXiv 1708.02002, section 4.1
_SMOOTHING = 0.05  # of the targets, so that training does not push probabilities to 0 and 1


def order(way: Imbalance, labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The pictures of one epoch, by index, shuffled.

    Every picture once; with "oversample" as many in all, but drawn so that each class is as frequent as any other:
    a class comes round again only after all of its pictures have been seen.
    """
    if way != "oversample":
        return rng.permutation(len(labels))
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    each = -(-len(labels) // len(members))
    drawn = [
        np.concatenate([rng.permutation(member) for _ in range(-(-each // len(member)))])[:each] for member in members
    ]
    return rng.permutation(np.concatenate(drawn))


def class_weights(way: Imbalance, counts: NDArray[np.int64]) -> Tensor | None:
    """(K,) float32 with mean 1 over the pictures, in inverse proportion to the classes' sizes; None: all alike."""
    if way not in ("weights", "focal"):
        return None
    return torch.from_numpy((counts.sum() / (len(counts) * np.maximum(counts, 1))).astype(np.float32))


def loss(way: Imbalance, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """The mean over a batch; (N, K) float32 logits, (N,) int64 labels.

    The focal loss (equation 5 of the paper) turns away from pictures that are already known.
    """
    if way != "focal":
        return functional.cross_entropy(logits, labels, weight=weights, label_smoothing=_SMOOTHING)
    each = functional.cross_entropy(logits, labels, reduction="none")
    if weights is not None:
        each = each * weights[labels]
    known = functional.softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
    focal: Tensor = ((1 - known) ** _FOCUS * each).mean()
    return focal
