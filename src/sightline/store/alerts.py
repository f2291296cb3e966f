"""What somebody has to be told, and what came of it.

One alert of a rule and a subject is open at a time: what is found again while it is open is counted in it. It ends by
itself when it was not found for a while; that somebody acknowledged it does not end it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sightline.errors import ConflictError, NotFoundError
from sightline.store.audit import note
from sightline.store.database import upsert
from sightline.store.schema import Alert, AlertRule, Fact
from sightline.store.webhooks import publish

MOST_RULES = 200
DEFAULTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {  # name -> kind and limits, as service/alert_rules.py has them
    "station silent": ("station silent", {"after_s": 300.0}),
    "disk nearly full": ("disk", {"least_free": 0.1}),
    "slow parts": ("latency", {"p99_ms": 1000.0}),
    "more rejects than usual": ("defect rate", {}),
    "scores drift": ("drift", {}),
}
_DEFAULTS_MADE = "default alert rules"  # the fact that they were
MOST_OPEN = 1000  # alerts of one rule; further subjects wait until one of them ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When somebody has to be told."""

    id: int
    name: str
    kind: str
    params: Mapping[str, Any]
    webhooks: tuple[int, ...]  # who is told; empty: all that want alerts
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something is the matter with this subject now."""

    subject: str
    message: str
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An alert as a person sees it."""

    id: int
    rule: str
    subject: str
    message: str
    value: float | None
    raised_s: float
    seen_s: float
    times: int
    acknowledged_s: float | None
    acknowledged_by: str
    ended_s: float | None


def rules(session: Session, *, active: bool = False) -> list[Rule]:
    """All, or only the active ones, by name."""
    wanted = select(AlertRule).order_by(AlertRule.name)
    return [_rule(row) for row in session.scalars(wanted.where(AlertRule.active) if active else wanted)]


def set_rule(
    session: Session,
    *,
    name: str,
    kind: str,
    params: Mapping[str, Any],
    webhooks: Iterable[int] = (),
    active: bool = True,
    by: str,
    now_s: float,
) -> Rule:
    """Make the rule of this name, or change it; ConflictError: there are MOST_RULES already."""
    row = session.scalars(select(AlertRule).where(AlertRule.name == name).with_for_update()).first()
    before = None if row is None else _noted(row)
    if row is None:
        if (session.scalar(select(func.count()).select_from(AlertRule)) or 0) >= MOST_RULES:
            raise ConflictError(f"alerts: there are {MOST_RULES} rules already. Remove one first.")
        row = AlertRule(name=name)
        session.add(row)
    row.kind, row.params, row.targets, row.active = kind, dict(params), {"webhooks": sorted(webhooks)}, active
    if not active:
        _end_all(session, name, now_s)
    session.flush()
    made = _rule(row)
    note(session, who=by, action="set alert rule", subject=f"rule:{name}"[:512], before=before, after=_noted(row))
    return made


def add_defaults(session: Session, now_s: float) -> bool:
    """Make the rules that suit most plants, once in a database's life; returns whether that was now.

    Who removes or changes one is not overruled at the next start, and a rule that has such a name already stays.
    """
    first = upsert(session, Fact).values(name=_DEFAULTS_MADE, value=json.dumps(now_s)).on_conflict_do_nothing()
    if session.scalar(first.returning(Fact.name)) is None:
        return False
    there = {rule.name for rule in rules(session)}
    for name, (kind, params) in DEFAULTS.items():
        if name not in there:
            set_rule(session, name=name, kind=kind, params=params, by="sightline", now_s=now_s)
    return True


def remove_rule(session: Session, name: str, *, by: str, now_s: float) -> None:
    """With an end to its open alerts; raises NotFoundError."""
    row = session.scalars(select(AlertRule).where(AlertRule.name == name)).first()
    if row is None:
        raise NotFoundError(f"alert rule {name!r:.60}: is not known.")
    before = _noted(row)
    session.delete(row)
    _end_all(session, name, now_s)
    note(session, who=by, action="remove alert rule", subject=f"rule:{name}"[:512], before=before, after=None)


def settle(session: Session, rule: Rule, findings: Iterable[Finding], *, calm_s: float, now_s: float) -> int:
    """Bring a rule's open alerts in line with what was found now; returns how many were raised.

    Args:
        calm_s: an alert that was not found for so long ends.
    """
    # two servers that look at the same time take turns
    if session.scalar(select(AlertRule.id).where(AlertRule.id == rule.id).with_for_update()) is None:
        return 0
    still = session.scalars(select(Alert).where(Alert.rule == rule.name, Alert.ended_s.is_(None)))
    still_open = {alert.subject: alert for alert in still}
    raised = 0
    for found in findings:
        alert = still_open.pop(found.subject, None)
        if alert is not None:
            alert.seen_s, alert.times, alert.value, alert.message = now_s, alert.times + 1, found.value, found.message
        elif raised + len(still_open) < MOST_OPEN:
            _raise(session, rule, found, now_s)
            raised += 1
    for alert in still_open.values():
        if now_s - alert.seen_s >= calm_s:
            alert.ended_s = now_s
            _announce(session, "alert.ended", alert, rule.webhooks, now_s)
    return raised


def acknowledge(session: Session, alert_id: int, *, by: str, now_s: float) -> Raised:
    """Say that a person knows; NotFoundError, or ConflictError: somebody else said so already."""
    alert = session.scalars(select(Alert).where(Alert.id == alert_id).with_for_update()).first()
    if alert is None:
        raise NotFoundError(f"alert {alert_id}: is not known.")
    if alert.acknowledged_s is not None:
        raise ConflictError(f"alert {alert_id}: {alert.acknowledged_by} has acknowledged it already.")
    alert.acknowledged_s, alert.acknowledged_by = now_s, by
    row = session.scalars(select(AlertRule).where(AlertRule.name == alert.rule)).first()
    _announce(session, "alert.acknowledged", alert, _rule(row).webhooks if row else (), now_s)
    note(session, who=by, action="acknowledge alert", subject=f"alert:{alert_id}", before=None, after=alert.subject)
    return _raised(alert)


def alerts(session: Session, *, still_open: bool = False, before: int | None = None, limit: int = 50) -> list[Raised]:
    """The newest first; `before`: the id of the last one of the page in front."""
    wanted = select(Alert).order_by(Alert.id.desc()).limit(limit)
    if still_open:
        wanted = wanted.where(Alert.ended_s.is_(None))
    if before is not None:
        wanted = wanted.where(Alert.id < before)
    return [_raised(alert) for alert in session.scalars(wanted)]


def count_open(session: Session) -> int:
    """How many are open that nobody has acknowledged."""
    wanted = select(func.count()).select_from(Alert).where(Alert.ended_s.is_(None), Alert.acknowledged_s.is_(None))
    return session.scalar(wanted) or 0


def _raise(session: Session, rule: Rule, found: Finding, now_s: float) -> None:
    alert = Alert(
        rule=rule.name,
        subject=found.subject,
        message=found.message,
        value=found.value,
        raised_s=now_s,
        seen_s=now_s,
        times=1,
        acknowledged_by="",
    )
    session.add(alert)
    session.flush()
    _announce(session, "alert.raised", alert, rule.webhooks, now_s)


def _end_all(session: Session, name: str, now_s: float) -> None:
    for alert in session.scalars(select(Alert).where(Alert.rule == name, Alert.ended_s.is_(None))):
        alert.ended_s = now_s


def _announce(session: Session, event: str, alert: Alert, only: tuple[int, ...], now_s: float) -> None:
    names = ("id", "rule", "subject", "message", "value", "raised_s", "acknowledged_by")
    told = {name: getattr(alert, name) for name in names}
    publish(session, event, told, now_s=now_s, only=only)


def _rule(row: AlertRule) -> Rule:
    return Rule(
        id=row.id,
        name=row.name,
        kind=row.kind,
        params=row.params,
        webhooks=tuple(row.targets.get("webhooks", ())),
        active=row.active,
    )


def _noted(row: AlertRule) -> dict[str, Any]:
    return {"kind": row.kind, "params": row.params, "targets": row.targets, "active": row.active}


def _raised(alert: Alert) -> Raised:
    return Raised(
        id=alert.id,
        rule=alert.rule,
        subject=alert.subject,
        message=alert.message,
        value=alert.value,
        raised_s=alert.raised_s,
        seen_s=alert.seen_s,
        times=alert.times,
        acknowledged_s=alert.acknowledged_s,
        acknowledged_by=alert.acknowledged_by,
        ended_s=alert.ended_s,
    )
