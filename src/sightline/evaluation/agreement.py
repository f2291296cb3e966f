"""How far people, or people and a machine, agree beyond chance: Cohen's and Fleiss' kappa."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import OptionError

_Z95 = 1.959963984540054  # of the normal distribution, two-sided 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """1: they always agree; 0: as often as by chance; below 0: less often. None where all said the same one thing."""

    value: float | None
    error: float | None  # standard error of the value, large-sample
    chance_error: float | None  # standard error if there were no agreement but by chance; value / it is a z
    agreed: float  # share of agreement that was seen
    by_chance: float  # and that is expected by chance
    items: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Approximate 95 % interval, within -1..1."""
        if self.value is None or self.error is None:
            return None
        return max(-1.0, self.value - _Z95 * self.error), min(1.0, self.value + _Z95 * self.error)


def cohen(table: ArrayLike) -> Kappa:
    """Agreement of two raters.

    Args:
        table: (K, K) how many items the first rater put into class i and the second into class j.

    Raises:
        OptionError: the table is not square, has a negative number or nothing in it.

    Source: Cohen 1960, Educational and Psychological Measurement 20(1); errors of Fleiss, Cohen and Everitt 1969,
    Psychological Bulletin 72(5).
    """
    counts = np.asarray(table, np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts < 0).any() or not counts.sum() > 0:
        raise OptionError("kappa: give a square table of counts with at least one item.")
    total = counts.sum()
    p = counts / total
    rows, columns = p.sum(1), p.sum(0)
    agreed, chance = float(np.trace(p)), float(rows @ columns)
    if chance >= 1:
        return Kappa(
            value=None, error=None, chance_error=None, agreed=agreed, by_chance=chance, items=round(float(total))
        )
    kappa = (agreed - chance) / (1 - chance)
    spread = chance + chance**2 - float((rows * columns) @ (rows + columns))
    return Kappa(
        value=kappa,
        error=math.sqrt(max(0.0, _cohen_variance(p, kappa, chance) / total)),
        chance_error=math.sqrt(max(0.0, spread) / total) / (1 - chance),
        agreed=agreed,
        by_chance=chance,
        items=round(float(total)),
    )


def _cohen_variance(p: NDArray[np.float64], kappa: float, chance: float) -> float:
    """Fleiss, Cohen and Everitt 1969, equation 13, for unweighted kappa."""
    rows, columns = p.sum(1), p.sum(0)
    sums = rows[None, :] + columns[:, None]  # (K, K) of cell i, j: p_j. + p_.i
    diagonal = np.diag(p) * (1 - (rows + columns) * (1 - kappa)) ** 2
    beside = (p * sums**2).sum() - (np.diag(p) * np.diag(sums) ** 2).sum()
    last = (kappa - chance * (1 - kappa)) ** 2
    return float((diagonal.sum() + (1 - kappa) ** 2 * beside - last) / (1 - chance) ** 2)


def fleiss(counts: ArrayLike) -> Kappa:
    """Agreement of several raters, each item having as many ratings.

    Args:
        counts: (N, K) how many of the n raters put item i into class j; each row sums to n >= 2.

    Raises:
        OptionError: rows have different sums, or there are fewer than two ratings of each item.

    Source: Fleiss 1971, Psychological Bulletin 76(5). Error by chance: Fleiss, Nee and Landis 1979, Psychological
    Bulletin 86(5), which corrects the one of 1971. Error of the value: jackknife over the items.
    """
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or not len(table) or (table < 0).any():
        raise OptionError("kappa: give a table of items by classes with at least one item.")
    raters = float(table[0].sum())
    if raters < 2 or (table.sum(1) != raters).any():
        raise OptionError("kappa: each item needs as many ratings as the others, and at least two.")
    agreed, chance = _fleiss_shares(table, raters)
    if chance >= 1:
        return Kappa(value=None, error=None, chance_error=None, agreed=agreed, by_chance=chance, items=len(table))
    return Kappa(
        value=(agreed - chance) / (1 - chance),
        error=_jackknife(table, raters),
        chance_error=_fleiss_chance_error(table, raters),
        agreed=agreed,
        by_chance=chance,
        items=len(table),
    )


def _fleiss_shares(table: NDArray[np.float64], raters: float) -> tuple[float, float]:
    classes = table.sum(0) / table.sum()
    each = ((table**2).sum(1) - raters) / (raters * (raters - 1))
    return float(each.mean()), float(classes @ classes)


def _fleiss_chance_error(table: NDArray[np.float64], raters: float) -> float:
    p = table.sum(0) / table.sum()
    pq = p * (1 - p)
    variance = 2 * (pq.sum() ** 2 - (pq * (1 - 2 * p)).sum()) / (len(table) * raters * (raters - 1) * pq.sum() ** 2)
    return math.sqrt(max(0.0, float(variance)))


def _jackknife(table: NDArray[np.float64], raters: float) -> float | None:
    """Efron 1979; None where a kappa without one of the items does not exist."""
    n = len(table)
    if n < 2:
        return None
    each = ((table**2).sum(1) - raters) / (raters * (raters - 1))
    agreed = (each.sum() - each) / (n - 1)  # (N,) without item i
    classes = (table.sum(0) - table) / ((n - 1) * raters)  # (N, K)
    chance = (classes**2).sum(1)
    if (chance >= 1).any():
        return None
    kappas = (agreed - chance) / (1 - chance)
    return float(math.sqrt((n - 1) / n * ((kappas - kappas.mean()) ** 2).sum()))
