"""When inspection becomes stricter or easier from lot to lot.

Source: ISO 2859-1:1999, clause 9.3.
"""

from dataclasses import dataclass, replace

from sightline.errors import OptionError
from sightline.evaluation.sampling_plans import Severity, code_letter, of_letter, plan, tighter_aql

_SCORE = 30  # 9.3.3.1: from here on inspection may be reduced
_WINDOW = 5  # lots, 9.3.1
_STOP = 5  # lots refused in tightened inspection, 9.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One lot, inspected for the first time (not one that was sorted and handed in again)."""

    parts: int
    bad: int  # in the sample


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a supplier, or a line, stands before its next lot."""

    severity: Severity = Severity.NORMAL
    score: int = 0  # the switching score of normal inspection
    recent: tuple[bool, ...] = ()  # whether the last lots at this severity were accepted, the newest last
    refused: int = 0  # lots, since tightened inspection began
    stopped: bool = False  # inspection under this standard ends until the cause is put right


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a lot, and of the next."""

    accepted: bool
    state: State
    reason: str  # of a change of severity; empty: there is none


def after(state: State, lot: Lot, aql: float, level: str = "II", *, may_reduce: bool = True) -> Decision:
    """Decide one lot.

    Args:
        may_reduce: production is steady and whoever is responsible wants reduced inspection; taken back, it ends it.

    Raises:
        OptionError: inspection was stopped, more bad parts than the sample holds, or as `plan` does.
    """
    if state.stopped:
        raise OptionError(
            "sampling plan: inspection was stopped after 5 refused lots; put the cause right, start anew."
        )
    chosen = plan(lot.parts, aql, level, state.severity)
    if lot.bad < 0 or (lot.bad > chosen.size and aql <= 10):  # above 10 defects are counted, not parts
        raise OptionError(f"sampling plan: {lot.bad} bad in a sample of {chosen.size}.")
    accepted = lot.bad < chosen.refuse
    if state.severity is Severity.NORMAL:
        return _normal(state, lot, aql, level, accepted=accepted, may_reduce=may_reduce)
    if state.severity is Severity.TIGHTENED:
        return _tightened(state, accepted=accepted)
    if not may_reduce or lot.bad > chosen.accept:  # between Ac and Re the lot is accepted, and yet
        why = "production is not steady" if not may_reduce else "more bad parts than Ac"
        return Decision(accepted=accepted, state=State(), reason=f"normal again: {why}")
    return Decision(accepted=True, state=state, reason="")


def _normal(state: State, lot: Lot, aql: float, level: str, *, accepted: bool, may_reduce: bool) -> Decision:
    recent = (*state.recent, accepted)[-_WINDOW:]
    if recent.count(False) >= 2:
        return Decision(
            accepted=accepted, state=State(severity=Severity.TIGHTENED), reason="tightened: 2 of 5 lots were refused"
        )
    score = _score(state.score, lot, aql, level, accepted=accepted)
    if score >= _SCORE and may_reduce:
        return Decision(
            accepted=accepted, state=State(severity=Severity.REDUCED), reason=f"reduced: the switching score is {score}"
        )
    return Decision(accepted=accepted, state=replace(state, recent=recent, score=score), reason="")


def _score(before: int, lot: Lot, aql: float, level: str, *, accepted: bool) -> int:
    """9.3.3.2: 2 for a plan with Ac 0 or 1; for others 3 where an AQL one step stricter would have accepted, too."""
    letter = code_letter(lot.parts, level)
    if of_letter(letter, aql).accept < 2:
        return before + 2 if accepted else 0
    stricter = tighter_aql(aql)
    would = stricter is None or lot.bad <= of_letter(letter, stricter).accept
    return before + 3 if accepted and would else 0


def _tightened(state: State, *, accepted: bool) -> Decision:
    recent = (*state.recent, accepted)[-_WINDOW:]
    refused = state.refused + (not accepted)
    if refused >= _STOP:
        stopped = replace(state, recent=recent, refused=refused, stopped=True)
        return Decision(accepted=accepted, state=stopped, reason="stopped: 5 lots were refused in tightened inspection")
    if len(recent) == _WINDOW and all(recent):
        return Decision(accepted=True, state=State(), reason="normal again: 5 lots in a row were accepted")
    return Decision(accepted=accepted, state=replace(state, recent=recent, refused=refused), reason="")
