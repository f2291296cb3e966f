"""All that the page of a model shows, asked for at once."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sightline.console.session import Refused, Session
from sightline.service.routes.jobs import JobOut, JobPage
from sightline.service.routes.models import ModelRecord, PromotionRecord
from sightline.service.routes.quality_models import ShadowShown
from sightline.service.routes.thresholds import ScoresRecord

_GOOD = "good"
_MOST_JOBS = 200  # looked through for evaluations of a model
_MOST_SHOWN = 8

Rows = list[tuple[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One version and what is known around it."""

    model: ModelRecord
    versions: tuple[ModelRecord, ...]  # of the name, the newest first
    history: tuple[PromotionRecord, ...]
    manifest: dict[str, Any]
    scores: ScoresRecord | None  # None: `refused` says why
    refused: str
    evaluations: tuple[JobOut, ...]  # that judged with this graph, the newest first
    sources: dict[str, tuple[int, int]]  # of scores: how many of good parts, and of bad ones
    source: str  # that was chosen
    rows: Rows  # of it: label and score
    shadows: tuple[ShadowShown, ...]
    products: tuple[str, ...]  # that have a bank each, of which one is judged by; empty: there is one bank
    product: str  # whose bank was chosen; empty: there is one bank

    @property
    def current(self) -> int | None:
        return next((one.version for one in self.versions if one.status == "current"), None)


async def model_file(session: Session, name: str, version: int, source: str, product: str = "") -> ModelFile | None:
    """
    Args:
        version: 0: the current one, else the newest.
        source: of scores; what is none of this version's: the one that tells most.
        product: whose bank; what is none of this version's: the first.

    Returns:
        None where there is no such model.
    """
    versions = await session.api.get("/models", list[ModelRecord], name=name, limit=200)
    model = _chosen(versions, version)
    if model is None:
        return None
    base = f"/models/{quote(name, safe='')}"
    this = f"{base}/versions/{model.version}"
    scores, refused = None, ""
    manifest = await session.api.get(f"{this}/manifest", dict[str, Any])
    products = separate_products(manifest)
    product = product if product in products else next(iter(products), "")
    try:
        scores = await session.api.get(f"{this}/scores", ScoresRecord, product=product)
    except Refused as refusal:
        refused = str(refusal)
    evaluations = await _evaluations(session, model, versions, product)
    tables = await _tables(session, scores, evaluations)
    chosen = source if source in tables else _richest(tables)
    shadows = await session.api.get("/quality/shadows", list[ShadowShown])
    return ModelFile(
        model=model,
        versions=tuple(versions),
        history=tuple(await session.api.get(f"{base}/history", list[PromotionRecord])),
        manifest=manifest,
        scores=scores,
        refused=refused,
        evaluations=tuple(one for one in evaluations if one.id in tables),
        sources={key: _counted(rows) for key, rows in tables.items()},
        source=chosen,
        rows=tables.get(chosen, []),
        shadows=tuple(one for one in shadows if one.model == model.model_id),
        products=products,
        product=product,
    )


def separate_products(manifest: dict[str, Any]) -> tuple[str, ...]:
    """Products that have a bank each, as a model's manifest tells; empty: there is one bank."""
    return tuple(str(one["name"]) for one in manifest.get("products", ()) if one.get("thresholds") is not None)


async def products_of(session: Session, name: str, version: int) -> tuple[str, ...]:
    """The same of a version whose manifest was not asked for yet."""
    path = f"/models/{quote(name, safe='')}/versions/{version}/manifest"
    return separate_products(await session.api.get(path, dict[str, Any]))


def _chosen(versions: list[ModelRecord], version: int) -> ModelRecord | None:
    if version:
        return next((one for one in versions if one.version == version), None)
    current = next((one for one in versions if one.status == "current"), None)
    return current or (versions[0] if versions else None)


async def _evaluations(session: Session, model: ModelRecord, versions: list[ModelRecord], product: str) -> list[JobOut]:
    """Of this very version, and of others that were made of it by moving the threshold, which score alike."""
    found = await session.api.get("/jobs", JobPage, kind="validate", state="done", limit=_MOST_JOBS)
    alike = {f"{model.name}/{one.version}" for one in versions if one.graph == model.graph}
    of_it = [job for job in found.jobs if job.params.get("model") in alike and job.result]
    return [job for job in of_it if (job.params.get("product") or "") == product][:_MOST_SHOWN]


async def _tables(session: Session, scores: ScoresRecord | None, evaluations: list[JobOut]) -> dict[str, Rows]:
    if scores is None:
        return {}
    tables: dict[str, Rows] = {"calibration": [(_GOOD, score) for score in scores.calibration]}
    if scores.reviewed:
        tables["reviewed"] = [(one.label, one.score) for one in scores.reviewed]
    for job in evaluations:
        file = (job.result or {}).get("scores")
        if file:
            rows = await session.api.get(f"/jobs/{job.id}/files/{file}", list[dict[str, Any]])
            tables[job.id] = [(str(row["label"]), float(row["score"])) for row in rows]
    return tables


def _counted(rows: Rows) -> tuple[int, int]:
    good = sum(label == _GOOD for label, _ in rows)
    return good, len(rows) - good


def _richest(tables: dict[str, Rows]) -> str:
    """An evaluation before reviews, and what has bad parts before what has none."""
    ranked = [key for key in tables if key not in ("reviewed", "calibration")] + ["reviewed", "calibration"]
    there = [key for key in ranked if key in tables]
    return next((key for key in there if _counted(tables[key])[1] and _counted(tables[key])[0]), "calibration")
