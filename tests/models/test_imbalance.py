"""Rare classes: drawn as often, or weighed as much, as frequent ones."""

import numpy as np
import pytest
import torch

from sightline.models.imbalance import class_weights, loss, order

LABELS = np.array([0] * 8 + [1] * 2)


def test_oversampling_draws_every_class_alike_and_no_picture_is_left_out() -> None:
    drawn = order("oversample", LABELS, np.random.default_rng(0))
    assert np.bincount(LABELS[drawn]).tolist() == [5, 5]
    assert np.bincount(drawn[LABELS[drawn] == 1], minlength=10)[8:].min() >= 2  # a rare one comes round again


@pytest.mark.parametrize("way", ["none", "weights", "focal"])
def test_every_picture_comes_once_otherwise(way: str) -> None:
    assert sorted(order(way, LABELS, np.random.default_rng(0))) == list(range(10))  # type: ignore[arg-type]


def test_weights_make_classes_weigh_the_same_and_one_on_average() -> None:
    weights = class_weights("weights", np.array([8, 2]))
    assert weights is not None
    assert (weights * torch.tensor([8, 2])).tolist() == [5.0, 5.0]
    assert class_weights("none", np.array([8, 2])) is None


def test_the_focal_loss_turns_away_from_what_is_known() -> None:
    logits, labels = torch.tensor([[4.0, 0.0], [0.5, 0.0]]), torch.tensor([0, 0])
    known, unsure = (float(loss("focal", logits[i : i + 1], labels[i : i + 1], None)) for i in (0, 1))
    p = 1 / (1 + np.exp(-0.5))
    assert unsure == pytest.approx((1 - p) ** 2 * -np.log(p), rel=1e-5)
    assert known < 0.001 * unsure
