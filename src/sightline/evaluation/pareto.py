"""Which few kinds of defect make most of the trouble."""

from collections.abc import Mapping
from dataclasses import dataclass

OTHERS = "others"  # the bar of all rare kinds together


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One kind of defect."""

    label: str
    count: int
    share: float  # of all, 0..1
    cumulative: float  # of this kind and those before it together


@dataclass(frozen=True, slots=True, kw_only=True)
class Pareto:
    """Kinds of defect, the most frequent first."""

    bars: tuple[Bar, ...]
    total: int

    def vital_few(self, share: float = 0.8) -> tuple[str, ...]:
        """The fewest kinds that together make at least this share of all.

        Source: Juran 1951, Quality Control Handbook: the vital few and the trivial many.
        """
        needed = next((at + 1 for at, bar in enumerate(self.bars) if bar.cumulative >= share), len(self.bars))
        return tuple(bar.label for bar in self.bars[:needed])


def pareto(counts: Mapping[str, int], most: int = 20) -> Pareto:
    """Order kinds by how often they occur, equal ones by name.

    Args:
        counts: how often each kind occurred; those that did not occur are left out.
        most: how many kinds are told apart; all that are rarer are put together as `others`, the last bar.
    """
    ordered = sorted(((label, count) for label, count in counts.items() if count), key=lambda one: (-one[1], one[0]))
    rest = sum(count for _, count in ordered[most:])
    shown = ordered[:most] + ([(OTHERS, rest)] if rest else [])
    total, so_far, bars = sum(counts.values()), 0, []
    for label, count in shown:
        so_far += count
        bars.append(Bar(label=label, count=count, share=count / total, cumulative=so_far / total))
    return Pareto(bars=tuple(bars), total=total)
