"""How well classes are named: precision, recall and F1 of each, never a share over all pictures alone.

A share over all pictures says little where seven of ten are good: naming all of them good is right for seven.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from sightline.datasets.dataset import GOOD
from sightline.evaluation.intervals import rate
from sightline.evaluation.results import ClassFigures, Naming
from sightline.records import UNNAMED


def most_probable(probabilities: Mapping[str, float] | None) -> str | None:
    """The class with the highest probability, the first of equal ones; None where there are none."""
    return max(probabilities, key=lambda name: probabilities[name]) if probabilities else None


def naming(pairs: Iterable[tuple[str, str]]) -> Naming | None:
    """The figures for pairs of true and named class, one for each picture; None where there is no picture.

    What was left unnamed is missing from its class's recall, but is no class in the macro F1.
    """
    counts = Counter(pairs)
    if not counts:
        return None
    names = sorted({name for pair in counts for name in pair}, key=lambda name: (name != GOOD, name))
    classes = tuple(figures(name, counts) for name in names)
    return Naming(
        classes=classes,
        macro_f1=float(np.mean([one.f1.value or 0.0 for one in classes if one.pictures or one.name != UNNAMED])),
        confusion={truth: {name: counts[truth, name] for name in names} for truth in names},
    )


def figures(name: str, counts: Mapping[tuple[str, str], int]) -> ClassFigures:
    """One class's figures from the counts of pairs (truth, name).

    F1 is 2 J / (1 + J), J the share of right ones among all that are of the class or named so; as J is a proportion,
    its exact interval gives that of F1 (Hand, Christen and Kirielle 2021, arXiv 2008.00103, section 3).
    """
    right = counts.get((name, name), 0)
    of_class = sum(count for (truth, _), count in counts.items() if truth == name)
    named = sum(count for (_, given), count in counts.items() if given == name)
    jaccard = rate(right, of_class + named - right)
    return ClassFigures(
        name=name,
        pictures=of_class,
        precision=rate(right, named),
        recall=rate(right, of_class),
        f1=replace(jaccard, value=_f1(jaccard.value), low=_f1(jaccard.low), high=_f1(jaccard.high)),
    )


def _f1(share: float | None) -> float | None:
    return None if share is None else 2 * share / (1 + share)
