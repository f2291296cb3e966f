"""The recall of a line, estimated from what people said of its passes and of its rejects."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from sightline.evaluation.recall_estimate import Estimate, Stratum, recall_from_audit
from sightline.records import Verdict
from sightline.store.findings import audited, confirmed
from sightline.store.tallied import Slice, tallied


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an estimate stands on."""

    strata: tuple[Stratum, ...]  # passed parts by product
    stopped: int  # parts judged and not passed
    reviewed: int  # of those, looked at
    confirmed: int  # of those reviewed, truly bad
    caught: int  # of those stopped, as many as the reviewed ones let expect
    estimate: Estimate | None  # None: nobody looked at passes, or nobody at rejects


def recall(session: Session, chosen: Slice, confidence: float = 0.95) -> Evidence:
    """Recall and escapes, with the audit sample as a random sample of each product's passes."""
    passed: dict[str, int] = {}
    stopped: dict[str, int] = {}
    for row in tallied(session, chosen, ("product", "verdict")):
        product, verdict = row.keys
        if verdict == Verdict.PASS:
            passed[product] = passed.get(product, 0) + row.parts
        elif verdict != Verdict.FAULT:
            stopped[product] = stopped.get(product, 0) + row.parts
    audits = {one.product: one for one in audited(session, chosen)}
    strata = tuple(
        Stratum(
            name=product,
            passed=parts,
            audited=audits[product].reviewed if product in audits else 0,
            bad=audits[product].bad if product in audits else 0,
        )
        for product, parts in sorted(passed.items())
    )
    said = {one.product: one for one in confirmed(session, chosen) if one.reviewed}
    caught = round(sum(stopped[name] * one.bad / one.reviewed for name, one in said.items() if name in stopped))
    known = any(one.audited for one in strata) and stopped.keys() <= said.keys()
    return Evidence(
        strata=strata,
        stopped=sum(stopped.values()),
        reviewed=sum(one.reviewed for one in said.values()),
        confirmed=sum(one.bad for one in said.values()),
        caught=caught,
        estimate=recall_from_audit(strata, caught, confidence) if known else None,
    )
