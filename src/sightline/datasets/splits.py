"""Dividing a data set into training, validation and test pictures, seeded and stratified."""

import math
from collections.abc import Collection, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from sightline.datasets.dataset import SPLITS, Dataset, Sample
from sightline.datasets.synthetic import bound_to_training
from sightline.errors import OptionError


def split(
    dataset: Dataset, fractions: dict[str, float], seed: int, together: Iterable[Collection[Path]] = ()
) -> Dataset:
    """The same samples with new splits, drawn at random for each label by itself.

    Synthetic pictures, and the real ones from which they were made, go to training and are not drawn.

    Args:
        dataset: its own splits are not looked at.
        fractions: split -> share, summing to 1. Counts are rounded by largest remainder for each label; equal
            remainders go to the split that is named first.
        seed: the same one gives the same splits.
        together: groups of pictures that must not be torn apart, such as duplicates; they count for the label of
            their first picture. Counts then differ from the rounded ones where a group does not fit.

    Raises:
        OptionError: a split that is not known, or shares that are negative or do not sum to 1.
    """
    shares = _shares(fractions)
    rng = np.random.default_rng(seed)
    assigned: dict[Path, str] = {}
    units = _units(dataset, together)
    bound = bound_to_training(dataset)
    assigned |= {sample.path: "train" for unit in units if bound & {s.path for s in unit} for sample in unit}
    for label in dataset.labels:
        stratum = [unit for unit in units if unit[0].label == label and not bound & {s.path for s in unit}]
        open_places = _counts(sum(map(len, stratum)), shares)
        shuffled = [stratum[i] for i in rng.permutation(len(stratum))]
        for unit in sorted(shuffled, key=len, reverse=True):  # stable: single pictures stay shuffled
            target = max(open_places, key=lambda name: open_places[name])
            open_places[target] -= len(unit)
            assigned |= {sample.path: target for sample in unit}
    return replace(dataset, samples=tuple(replace(sample, split=assigned[sample.path]) for sample in dataset.samples))


def _shares(fractions: dict[str, float]) -> dict[str, Fraction]:
    unknown = sorted(set(fractions) - set(SPLITS))
    if unknown:
        raise OptionError(f'split "{unknown[0]}" is not known; use {", ".join(SPLITS)}.')
    values = list(fractions.values())
    if not all(math.isfinite(value) and value >= 0 for value in values) or abs(sum(values) - 1) > 1e-6:
        given = "/".join(f"{value:g}" for value in values)
        raise OptionError(f"split fractions are {given}; they must not be negative and must sum to 1.")
    # by way of text: 0.15 is to be 3/20, so that ties are ties
    exact = {name: Fraction(str(value)) for name, value in fractions.items()}
    total = sum(exact.values())
    return {name: value / total for name, value in exact.items()}


def _counts(total: int, shares: dict[str, Fraction]) -> dict[str, int]:
    """Largest-remainder rounding (Hamilton's method): the counts sum to `total`."""
    quotas = {name: total * share for name, share in shares.items()}
    counts = {name: math.floor(quota) for name, quota in quotas.items()}
    neediest = sorted(quotas, key=lambda name: counts[name] - quotas[name])
    for name in neediest[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _units(dataset: Dataset, together: Iterable[Collection[Path]]) -> list[list[Sample]]:
    """Samples that move as one, in the data set's order; a picture belongs to the first group that names it."""
    group_of: dict[Path, int] = {}
    for number, group in enumerate(together):
        for path in group:
            group_of.setdefault(path, number)
    units: dict[int | Path, list[Sample]] = {}
    for sample in dataset.samples:
        units.setdefault(group_of.get(sample.path, sample.path), []).append(sample)
    return list(units.values())
