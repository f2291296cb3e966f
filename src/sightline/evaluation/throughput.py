"""Parts by what became of them; counts of hours, stations or products add up."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Parts by verdict."""

    passed: int = 0
    rejected: int = 0
    review: int = 0
    fault: int = 0
    late: int = 0  # among the others
    defects: int = 0  # findings, of all parts

    @property
    def parts(self) -> int:
        return self.passed + self.rejected + self.review + self.fault

    @property
    def judged(self) -> int:
        """Parts that could be judged."""
        return self.parts - self.fault

    @property
    def stopped(self) -> int:
        """Parts that were judged and not passed."""
        return self.rejected + self.review


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPass:
    """Parts by their first inspection at each station."""

    parts: int
    passed: int
    repeats: int | None  # inspections left out as the part had been there before; None: too many parts to look
