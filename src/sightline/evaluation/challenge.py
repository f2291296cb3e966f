"""What parts that are known to be bad prove about an inspection that was shown them."""

import math
from dataclasses import dataclass

from sightline.errors import OptionError
from sightline.evaluation.intervals import beta_cdf, between_0_and_1, lower_bound

_MOST = 10_000_000  # parts that anybody would show


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a run may claim."""

    shown: int
    found: int
    confidence: float
    recall_at_least: float  # the one-sided exact bound

    @property
    def missed(self) -> int:
        return self.shown - self.found

    @property
    def percent_at_least(self) -> float:
        """The bound as it may stand in a report: rounded down to two digits."""
        return math.floor(10_000 * self.recall_at_least + 1e-9) / 100

    @property
    def sentence(self) -> str:
        if not self.shown:
            return "No challenge part was shown: nothing is proven."
        share, confidence = self.percent_at_least, 100 * self.confidence
        return f"{self.found} of {self.shown} found: at least {share:g} % with {confidence:g} % confidence."

    def proves(self, recall: float) -> bool:
        return self.recall_at_least >= recall


def claim(found: int, shown: int, confidence: float = 0.95) -> Claim:
    """What `found` of `shown` bad parts prove.

    Source: Clopper and Pearson 1934, the one-sided bound; with no miss it is (1 - confidence)**(1 / shown).
    """
    if not 0 <= found <= shown:
        raise OptionError(f"challenge: {found} found of {shown} shown; give 0 <= found <= shown.")
    return Claim(shown=shown, found=found, confidence=confidence, recall_at_least=lower_bound(found, shown, confidence))


def sample_size(recall: float, misses: int = 0, confidence: float = 0.95) -> int:
    """The least number of bad parts that proves `recall` though up to `misses` of them are missed.

    It is the least n for which so few misses would occur with at most 1 - confidence if the recall were just short.

    Raises:
        OptionError: a share is not between 0 and 1, or so many parts that nobody could show them would be needed.
    """
    between_0_and_1(recall, "the recall to prove")
    doubt = 1 - between_0_and_1(confidence, "the confidence")
    if misses < 0:
        raise OptionError(f"challenge: {misses} misses allowed; give 0 or more.")
    low, high = misses, misses + 1
    while not _enough(high, recall, misses, doubt):
        low, high = high, 2 * high
        if high > _MOST:
            raise OptionError(f"challenge: to prove {recall} takes more than {_MOST:,} parts; ask for less.")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _enough(middle, recall, misses, doubt) else (middle, high)
    return high


def _enough(shown: int, recall: float, misses: int, doubt: float) -> bool:
    """P(at most `misses` of `shown`) = I_recall(shown - misses, misses + 1), by the binomial as a beta function."""
    return beta_cdf(recall, shown - misses, misses + 1) <= doubt * (1 + 1e-9)  # an exact power needs no further part
