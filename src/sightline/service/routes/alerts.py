"""Alerts: what is the matter, who knows of it, and the rules that find it."""

import time
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from sightline.service.access import Caller, needs
from sightline.service.alert_rules import checked, described
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.store import alerts as store
from sightline.store.alerts import Raised, Rule

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Reviewer = Annotated[Caller, Depends(needs(Right.REVIEW))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]
Name = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^/\x00]+$")]
_EXAMPLE: dict[str, Any] = {"kind": "defect rate", "params": {"window_min": 15}, "webhooks": [1], "active": True}


class AlertOut(BaseModel):
    """Something is the matter, or was."""

    id: int
    rule: str = Field(examples=["too many rejects"])
    subject: str = Field(examples=["press-3/cap"])
    message: str
    value: float | None
    raised_s: float
    seen_s: float = Field(description="when it was last found to be so")
    times: int = Field(description="how often it was found")
    acknowledged_s: float | None
    acknowledged_by: str
    ended_s: float | None = Field(description="null: it is still so")


class AlertPage(BaseModel):
    """Some alerts, the newest first."""

    alerts: list[AlertOut]
    unacknowledged: int = Field(description="open ones that nobody has acknowledged")
    next: int | None = Field(description="give it as `before` for what comes behind; null: there is no more")


class RuleIn(BaseModel):
    """When somebody has to be told."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})
    kind: str = Field(max_length=32)
    params: dict[str, Any] = Field(default_factory=dict, max_length=32)
    webhooks: list[Annotated[int, Field(ge=1, le=2**31 - 1)]] = Field(
        default_factory=list, max_length=100, description="who is told; empty: all that want alerts"
    )
    active: bool = True


class RuleOut(RuleIn):
    """A rule with its name."""

    name: str


class RuleKindOut(BaseModel):
    """What a rule can watch."""

    kind: str = Field(examples=["defect rate"])
    told: str
    params: dict[str, Any] = Field(description="JSON schema of its limits")


@router.get("")
def listed(
    _: Viewer,
    plant: Here,
    still_open: Annotated[bool, Query(alias="open")] = False,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page in front")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AlertPage:
    """The newest first."""
    with plant.database.reading() as session:
        found = store.alerts(session, still_open=still_open, before=before, limit=limit)
        unacknowledged = store.count_open(session)
    following = found[-1].id if len(found) == limit else None
    return AlertPage(alerts=[_alert(one) for one in found], unacknowledged=unacknowledged, next=following)


@router.post("/{alert_id}/acknowledge")
def acknowledge(alert_id: Annotated[int, Path(ge=1, le=2**63 - 1)], caller: Reviewer, plant: Here) -> AlertOut:
    """Say that you know and take care."""
    with plant.database.writing() as session:
        return _alert(store.acknowledge(session, alert_id, by=caller.name, now_s=time.time()))


@router.get("/kinds")
def kinds(_: Viewer) -> list[RuleKindOut]:
    """What rules there are, with their limits."""
    return [RuleKindOut(**one) for one in described()]


@router.get("/rules")
def rules(_: Viewer, plant: Here) -> list[RuleOut]:
    """All rules."""
    with plant.database.reading() as session:
        return [_rule(rule) for rule in store.rules(session)]


@router.put("/rules/{name}")
def set_rule(name: Name, given: RuleIn, caller: Manager, plant: Here) -> RuleOut:
    """Make the rule of this name, or change it."""
    checked(given.kind, given.params)
    with plant.database.writing() as session:
        made = store.set_rule(
            session,
            name=name,
            kind=given.kind,
            params=given.params,
            webhooks=given.webhooks,
            active=given.active,
            by=caller.name,
            now_s=time.time(),
        )
        return _rule(made)


@router.delete("/rules/{name}", status_code=204)
def remove_rule(name: Name, caller: Manager, plant: Here) -> None:
    """Remove a rule; its open alerts end."""
    with plant.database.writing() as session:
        store.remove_rule(session, name, by=caller.name, now_s=time.time())


def _alert(found: Raised) -> AlertOut:
    return AlertOut(**asdict(found))


def _rule(rule: Rule) -> RuleOut:
    return RuleOut(
        name=rule.name, kind=rule.kind, params=dict(rule.params), webhooks=list(rule.webhooks), active=rule.active
    )
