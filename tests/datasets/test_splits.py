"""Splits: counts worked out by hand, the same seed the same split, groups kept together."""

from collections import Counter
from pathlib import Path

import pytest

from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.datasets.splits import split
from sightline.errors import OptionError

THREE = {"train": 0.7, "validation": 0.15, "test": 0.15}


def parts(**counts: int) -> Dataset:
    samples = [Sample(path=Path(label, f"{i:03}.png"), label=label) for label, n in counts.items() for i in range(n)]
    return Dataset(name="parts", root=Path(), samples=tuple(samples))


@pytest.mark.parametrize(
    ("count", "fractions", "expected"),
    [
        pytest.param(100, THREE, (70, 15, 15), id="exact"),
        # 7 + 1.5 + 1.5: one place is left, the equal remainders go by order
        pytest.param(10, THREE, (7, 2, 1), id="tie"),
        # 4.9 + 1.05 + 1.05: the place goes to train
        pytest.param(7, THREE, (5, 1, 1), id="largest remainder"),
        # 2.1 + 0.45 + 0.45: the place goes to validation
        pytest.param(3, THREE, (2, 1, 0), id="few"),
        pytest.param(1, THREE, (1, 0, 0), id="one"),
        # 0.29 * 100 is 28.999999999999996 in floating point
        pytest.param(100, {"train": 0.29, "validation": 0.21, "test": 0.5}, (29, 21, 50), id="no rounding error"),
        pytest.param(9, {"train": 1 / 3, "validation": 1 / 3, "test": 1 / 3}, (3, 3, 3), id="thirds"),
        pytest.param(5, {"train": 1.0}, (5, 0, 0), id="all"),
    ],
)
def test_counts_are_rounded_by_largest_remainder(
    count: int, fractions: dict[str, float], expected: tuple[int, int, int]
) -> None:
    divided = split(parts(good=count), fractions, seed=0)
    assert (len(divided.train), len(divided.validation), len(divided.test)) == expected


def test_each_label_is_divided_by_itself() -> None:
    divided = split(parts(good=20, crack=10, dent=2), {"train": 0.8, "test": 0.2}, seed=3)
    assert divided.counts == {
        "train": {GOOD: 16, "crack": 8, "dent": 2},  # of 2: 1.6 and 0.4
        "test": {GOOD: 4, "crack": 2},
    }


def test_samples_keep_their_order_and_all_but_their_split() -> None:
    before = parts(good=9, crack=3)
    after = split(before, THREE, seed=1)
    assert [(s.path, s.label) for s in after.samples] == [(s.path, s.label) for s in before.samples]


def test_the_seed_decides() -> None:
    dataset = parts(good=50)
    assert split(dataset, THREE, seed=7) == split(dataset, THREE, seed=7)
    assert split(dataset, THREE, seed=7) != split(dataset, THREE, seed=8)


def test_every_picture_can_come_into_every_split() -> None:
    dataset = parts(good=6)
    seen = Counter(
        (s.path.name, s.split) for seed in range(200) for s in split(dataset, {"train": 0.5, "test": 0.5}, seed).samples
    )
    assert len(seen) == 12
    assert min(seen.values()) > 60  # of 200 draws at one half: six standard deviations below 100 is 58


def test_groups_are_not_torn_apart() -> None:
    dataset = parts(good=20)
    groups = [[dataset.samples[i].path for i in group] for group in ((0, 5, 9), (2, 3), (11, 17, 18, 19))]
    for seed in range(10):
        divided = split(dataset, {"train": 0.7, "test": 0.3}, seed, groups)
        where = {s.path: s.split for s in divided.samples}
        assert all(len({where[path] for path in group}) == 1 for group in groups)
        assert len(divided.train) == 14


@pytest.mark.parametrize(
    ("fractions", "told"),
    [
        pytest.param({"train": 0.7, "test": 0.2}, "0.7/0.2; they must .* sum to 1", id="sum"),
        pytest.param({"train": 1.2, "test": -0.2}, "must not be negative", id="negative"),
        pytest.param({"train": float("nan"), "test": 1.0}, "must not be negative", id="nan"),
        pytest.param({}, "must sum to 1", id="none"),
        pytest.param({"dev": 1.0}, 'split "dev" is not known', id="unknown"),
    ],
)
def test_fractions_that_cannot_work_are_refused(fractions: dict[str, float], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        split(parts(good=4), fractions, seed=0)
