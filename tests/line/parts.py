"""Outcomes for the tests of what is recorded."""

from sightline.line.outcome import Ids, Kind, Outcome, ViewOutcome
from sightline.records import Box, Defect, Verdict

IDS = Ids()
DENT = Defect(box=Box(x=1, y=2, width=3, height=4), area_px=9, peak=1.5, label="dent", confidence=0.9)


def outcome(
    number: int = 1,
    *,
    verdict: Verdict = Verdict.PASS,
    kind: Kind = Kind.PRODUCTION,
    serial: str = "",
    unix_s: float = 1.8e9,
    late: bool = False,
    known_as: str = "",
    lot: str = "",
    tool: str = "",
) -> Outcome:
    cause = "camera" if verdict is Verdict.FAULT else None
    score = None if verdict is Verdict.FAULT else 0.5
    defects = (DENT,) if verdict is Verdict.REJECT else ()
    view = ViewOutcome(view="top", verdict=verdict, score=score, threshold=1.0, defects=defects, cause=cause)
    return Outcome(
        id=known_as or IDS.new(),
        part_id=number,
        product="disc",
        recipe=7,
        verdict=verdict,
        unix_s=unix_s,
        serial=serial,
        lot=lot,
        tool=tool,
        kind=kind,
        score=score,
        cause=cause,
        late=late,
        durations_ms={"model": 12.3456},
        views=(view,),
    )
