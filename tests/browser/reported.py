"""More parts for a plant that is filled: those that a test is about, at a station of their own."""

import time
from collections.abc import Sequence
from pathlib import Path

from tests.browser.plant import PRODUCT

from sightline.line.events import Signal
from sightline.line.outcome import FIRST, Ids, Kind, Outcome, ViewOutcome, content, digest, document
from sightline.records import Box, Defect, Verdict
from sightline.service.opening import open_plant
from sightline.service.settings import Settings, StoreSettings
from sightline.store.ingest import ingest


def report(folder: Path, station: str, verdicts: Sequence[Verdict], *, ago_s: float, kind: Kind) -> None:
    """Have a station report parts, one a second, the rejects with a scratch.

    Args:
        folder: of the plant, which no server uses now.
    """
    ids, previous, lines, now_s = Ids(), FIRST, [], time.time()
    for number, verdict in enumerate(verdicts, 1):
        part = _outcome(ids.new(), number, verdict, now_s - ago_s + number, kind)
        line = document(content(part), number, previous, station)
        previous = digest(line)
        lines.append(line)
    with open_plant(Settings(store=StoreSettings(folder=folder)), {}) as plant:
        ingest(plant.database, lines, now_s=now_s, station=station, clock_s=now_s)


def _outcome(known_as: str, number: int, verdict: Verdict, unix_s: float, kind: Kind) -> Outcome:
    passed = verdict is Verdict.PASS
    scratch = Defect(label="scratch", box=Box(x=40, y=30, width=8, height=6), area_px=30, peak=3.0, confidence=0.9)
    view = ViewOutcome(
        view="top",
        verdict=verdict,
        score=1.0 if passed else 3.0,
        threshold=2.0,
        model_id="test",
        defects=() if passed else (scratch,),
    )
    return Outcome(
        id=known_as,
        part_id=number,
        product=PRODUCT,
        recipe=1,
        verdict=verdict,
        judged=verdict,
        told=Signal.OK if passed else Signal.NG,
        unix_s=unix_s,
        serial=f"T-{number:04}",
        kind=kind,
        score=view.score,
        durations_ms={"total": 60.0},
        views=(view,),
    )
