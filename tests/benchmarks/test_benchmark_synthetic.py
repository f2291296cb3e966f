"""What the table of synthetic defects is drawn from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from sightline.datasets.dataset import Dataset, Sample
from synthetic import PooledFeatures, Regression, divided


@dataclass
class Given:
    """Features that were made up: the number in the file's name decides."""

    known: dict[Path, float] = field(default_factory=dict)

    def of(self, samples: list[Sample]) -> np.ndarray:
        values = np.array([float(sample.path.stem) for sample in samples])
        return np.stack([values % 3, values % 2], axis=1).astype(np.float32)


def test_a_draw_has_so_many_real_defects_and_no_part_on_both_sides() -> None:
    samples = [Sample(path=Path(f"g{n}.png"), label="good", split="train") for n in range(400)]
    samples += [Sample(path=Path(f"c{n}.png"), label="crack", split="test") for n in range(40)]
    dataset = Dataset(name="tiles", root=Path(), samples=tuple(samples))
    parts = {sample.path: number // 2 for number, sample in enumerate(samples)}  # each part was taken twice
    found = divided(dataset, parts, 5, 0)
    assert found.counts == {"train": {"good": 150, "crack": 5}, "test": {"crack": 30}}
    assert {parts[s.path] for s in found.train}.isdisjoint({parts[s.path] for s in found.test})
    assert divided(dataset, parts, 5, 0) == found != divided(dataset, parts, 5, 1)


def test_the_regression_learns_what_can_be_told_apart() -> None:
    samples = [Sample(path=Path(f"{n}.png"), label="abc"[n % 3]) for n in range(1, 60)]
    learner = Regression(features=cast(PooledFeatures, Given()))
    found = learner.probabilities(samples[:40], samples[40:], ("a", "b", "c"))
    assert np.allclose(found.sum(axis=1), 1)
    assert ["abc"[k] for k in found.argmax(axis=1)] == [sample.label for sample in samples[40:]]
