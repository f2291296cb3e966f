"""Which cells learn which box, and what it costs them to be wrong.

A cell within a box is aligned with it by s^0.5 u^6, s its probability of the box's class and u its overlap with the
box (Feng et al. 2021, arXiv 2108.07755, section 3.2). The ten best of each box learn it. What a cell's probability is
to become is its alignment, scaled so that the best cell's is its overlap: so a confidence says how well a box fits.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sightline.models.box_detector import BINS, corners

_BY_SCORE, _BY_OVERLAP, _BEST = 0.5, 6.0, 10  # exponents and cells per box
_LOGITS, _OVERLAP, _DISTANCES = 0.5, 5.0, 1.0  # what the three parts weigh
_LEAST_REACH = 0.75  # of the finest stride, from a box's middle to cells that may learn it
_TINY = 1e-9

Truth = tuple[Tensor, Tensor]  # boxes (G, 4) and their classes (G,) of one picture


def box_loss(logits: Tensor, sides: Tensor, cells: tuple[Tensor, Tensor], truths: Sequence[Truth]) -> Tensor:
    """The mean loss per box learnt, over a batch.

    Args:
        logits: (N, A, K). sides: (N, A, 4 BINS).
        cells: centres (A, 2) and strides (A,), px.
        truths: of each picture its boxes, left, top, right, bottom, px, and their classes.
    """
    found = corners(sides, *cells)
    wanted, weights = torch.zeros_like(logits), list[Tensor]()
    hits, targets, chosen = list[Tensor](), list[Tensor](), list[Tensor]()
    for place, (boxes, classes) in enumerate(truths):
        if not len(boxes):
            continue
        owner, fit = assigned(logits[place].detach().sigmoid(), found[place].detach(), cells, boxes, classes)
        learning = torch.nonzero(owner >= 0)[:, 0]
        mine = owner[learning]
        wanted[place, learning, classes[mine]] = fit[learning]
        weights.append(fit[learning])
        targets.append(boxes[mine])
        hits.append(place * len(owner) + learning)
        chosen.append(learning)
    total = wanted.sum().clamp_min(1)
    loss = _LOGITS * functional.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / total
    if not hits:
        return loss
    hit, truth, cell, weight = (torch.cat(parts) for parts in (hits, targets, chosen, weights))
    fits = 1 - generalised_overlap(found.flatten(0, 1)[hit], truth)
    points, steps = (values[cell] for values in cells)
    reach = torch.cat([points - truth[:, :2], truth[:, 2:] - points], dim=1) / steps[:, None]
    misses = _distance_loss(sides.flatten(0, 1)[hit].reshape(-1, 4, BINS), reach)
    return loss + ((_OVERLAP * fits + _DISTANCES * misses) * weight).sum() / total


@torch.no_grad()
def assigned(
    scores: Tensor, found: Tensor, cells: tuple[Tensor, Tensor], boxes: Tensor, classes: Tensor
) -> tuple[Tensor, Tensor]:
    """Which box each cell of a picture learns, (A,), -1 for none, and what its probability is to become, (A,) in 0..1.

    Args:
        scores: (A, K) probabilities. found: (A, 4). boxes: (G, 4), G >= 1. classes: (G,).
    """
    points, steps = cells
    shares = overlap(boxes[:, None], found)  # (G, A)
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    # a box smaller than the finest cells may hold no centre of one
    reach = torch.maximum(half, _LEAST_REACH * steps.min())
    inside = ((points - middle[:, None]).abs() < reach[:, None]).all(dim=-1)
    # the least: where nothing overlaps yet, some cell must begin
    aligned = (scores.T[classes] ** _BY_SCORE * shares**_BY_OVERLAP + _TINY) * inside
    best = torch.zeros_like(inside).scatter_(1, aligned.topk(min(_BEST, len(steps)), dim=1).indices, value=True)
    chosen = best & inside
    owner = ((shares + _TINY) * chosen).argmax(dim=0)  # a cell of two boxes learns the one that it overlaps most
    chosen &= torch.arange(len(boxes), device=owner.device)[:, None] == owner
    aligned, shares = aligned * chosen, shares * chosen
    scaled = aligned / aligned.amax(dim=1, keepdim=True).clamp_min(_TINY) * shares.amax(dim=1, keepdim=True)
    return torch.where(chosen.any(dim=0), owner, -1), scaled.amax(dim=0)


def overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union, of (..., 4) each."""
    common, whole, _ = _areas(boxes, others)
    return common / whole


def generalised_overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """The same less the share of the hull that neither fills: Rezatofighi et al. 2019, arXiv 1902.09630, section 3."""
    common, whole, hull = _areas(boxes, others)
    return common / whole - (hull - whole) / hull


def _areas(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the intersection, of the union and of the hull; the latter two above 0."""
    first, last = boxes[..., :2], boxes[..., 2:]
    low, high = others[..., :2], others[..., 2:]
    common = (torch.minimum(last, high) - torch.maximum(first, low)).clamp_min(0).prod(dim=-1)
    own, theirs = (last - first).clamp_min(0).prod(dim=-1), (high - low).clamp_min(0).prod(dim=-1)
    hull = (torch.maximum(last, high) - torch.minimum(first, low)).clamp_min(0).prod(dim=-1)
    return common, (own + theirs - common).clamp_min(1e-7), hull.clamp_min(1e-7)


def _distance_loss(sides: Tensor, reach: Tensor) -> Tensor:
    """(n,) cross-entropy with the two whole distances on either side of the true one, by their nearness."""
    bounded = reach.clamp(0, BINS - 1.01)
    below = bounded.long()
    above_share = bounded - below
    log_p = sides.log_softmax(dim=-1)
    at_below = log_p.gather(2, below[..., None])[..., 0]
    at_above = log_p.gather(2, below[..., None] + 1)[..., 0]
    return -(at_below * (1 - above_share) + at_above * above_share).mean(dim=1)
