"""Parts that a program had judged by the API, kept as those that stations report: in lists, figures and exports.

Each caller has a station of its own, whose chain of records this server writes: one that reports by itself has another.
"""

import math
import time

from sightline.errors import AccessError
from sightline.line.outcome import Ids, Outcome, ViewOutcome
from sightline.service.access import Caller
from sightline.service.answer import Answer
from sightline.service.plant import Plant
from sightline.service.rights import Right
from sightline.store.ingest import record
from sightline.store.pictures import ViewOf

VIEW = "api"
_IDS = Ids()


def may_keep(caller: Caller) -> None:
    """Raises AccessError for who may have pictures judged, and not report parts."""
    if Right.REPORT not in caller.rights:
        raise AccessError(f"{caller.name} may not store parts: take a key of the role station.")


def keep(plant: Plant, caller: Caller, answer: Answer, picture: bytes, *, serial: str) -> str:
    """Store a judged part with its picture; when this returns, both are durable.

    Returns:
        The inspection's id.

    Raises:
        StoreError, StoreAway: it is not stored, or without its picture. FrameError: the picture cannot be kept.
    """
    outcome, now_s = outcome_of(answer, serial), time.time()
    record(plant.database, outcome, station=f"{caller.station or caller.name} (API)", now_s=now_s)
    view = ViewOf(inspection_id=outcome.id, view=VIEW)
    plant.pictures.link(picture, view, digest="", media_type="", now_s=now_s)
    return outcome.id


def outcome_of(answer: Answer, serial: str) -> Outcome:
    """As a station would record it; the product is the model's name where the model is not told of products."""
    found = answer.inspection
    score = found.score if found.score is not None and math.isfinite(found.score) else None
    cause = None if found.fault is None else "model"
    view = ViewOutcome(
        view=VIEW,
        verdict=found.verdict,
        score=score,
        threshold=found.threshold,
        model_id=found.model_id,
        defects=found.defects,
        cause=cause,
        reason=found.fault,
    )
    total_ms = answer.queued_ms + (found.timings.total_ms if found.timings else 0.0)
    return Outcome(
        id=_IDS.new(),
        part_id=0,
        product=found.product or answer.model,
        recipe=0,
        verdict=found.verdict,
        judged=found.verdict,
        unix_s=time.time(),
        serial=serial,
        score=score,
        cause=cause,
        reason=found.fault,
        durations_ms={"total": total_ms},
        views=(view,),
    )
