"""What several people together say of one part."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sightline.records import Verdict


class State(StrEnum):
    """How far people have come with a part."""

    OPEN = "open"  # too few have looked at it
    DISPUTED = "disputed"  # as many say the one as the other; a third decides
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one person says that stands."""

    reviewer: str
    verdict: Verdict  # PASS or REJECT
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What they say together."""

    state: State
    verdict: Verdict | None = None  # None unless it is settled
    label: str = ""  # of a settled REJECT: the most frequent one; of equals the first that was given
    labels_agree: bool = True  # False: those who reject it call it by different names


def outcome_of(opinions: Sequence[Opinion], needed: int = 1) -> Outcome:
    """Settled as soon as so many say the same, and more than say the other.

    So with `needed` 2, two who agree settle it, and where they do not a third decides; with 1, the first does, and
    where a second one disagrees a third decides.

    Args:
        opinions: one of each person, in the order in which they were given.
        needed: 1 or more.
    """
    votes = Counter(opinion.verdict for opinion in opinions)
    if not votes:
        return Outcome(state=State.OPEN)
    (verdict, most), *others = votes.most_common()
    if others and others[0][1] == most:
        return Outcome(state=State.DISPUTED)
    if most < needed:
        return Outcome(state=State.OPEN)
    if verdict is Verdict.PASS:
        return Outcome(state=State.SETTLED, verdict=verdict)
    labels = Counter(opinion.label for opinion in opinions if opinion.verdict is verdict and opinion.label)
    label = labels.most_common(1)[0][0] if labels else ""
    return Outcome(state=State.SETTLED, verdict=verdict, label=label, labels_agree=len(labels) < 2)
