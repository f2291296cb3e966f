"""Who is told of which events, and what is still on its way to them.

What happened and the news of it are written in one transaction (`publish`), so that neither is there without the other.
Each webhook gets its events one at a time and in order; one that does not answer holds up nobody else.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, cast

from sqlalchemy import CursorResult, Select, Update, delete, func, insert, select, update
from sqlalchemy.orm import Session

from sightline.errors import ConflictError, NotFoundError
from sightline.store.audit import note
from sightline.store.schema import Delivery, Webhook

EVENTS: Final = (
    *("inspection.rejected", "alert.raised", "alert.acknowledged", "alert.ended", "model.promoted"),
    *("recipe.released", "job.ended", "review.decided", "escape.reported", "escape.withdrawn"),
)
TEST: Final = "test"
MOST_WEBHOOKS = 100
MOST_TRIES = 12  # of one delivery, over some six hours
MOST_WAITING = 10_000  # deliveries of one webhook; beyond that the oldest are given up
LEASE_S = 60.0  # for which a delivery is in the hands of one sender
_FIRST_WAIT_S, _LONGEST_WAIT_S, _JITTER = 5.0, 3600.0, 0.2
_LONGEST_ERROR = 500
_AT_ONCE = 1000  # rows given up in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A webhook without its secret."""

    id: int
    url: str
    events: tuple[str, ...]
    active: bool
    author: str
    created_s: float
    waiting: int  # deliveries
    given_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A delivery in a sender's hands."""

    id: int
    webhook_id: int
    url: str
    secret: str
    event: str
    body: str
    tries: int  # with this one


def add(
    session: Session, *, url: str, events: Sequence[str], secret: str, active: bool = True, author: str, now_s: float
) -> int:
    """A new webhook; returns its id. ConflictError: there are MOST_WEBHOOKS already."""
    if (session.scalar(select(func.count()).select_from(Webhook)) or 0) >= MOST_WEBHOOKS:
        raise ConflictError(f"webhooks: there are {MOST_WEBHOOKS} already. Remove one first.")
    hook = Webhook(url=url, events=" ".join(events), secret=secret, active=active, author=author, created_s=now_s)
    session.add(hook)
    session.flush()
    note(session, who=author, action="add webhook", subject=f"webhook:{hook.id}", before=None, after=_noted(hook))
    return hook.id


def change(
    session: Session,
    webhook_id: int,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    secret: str | None = None,
    active: bool | None = None,
    by: str,
) -> None:
    """Change what is given; raises NotFoundError."""
    hook = _found(session, webhook_id)
    before = _noted(hook)
    hook.url = hook.url if url is None else url
    hook.events = hook.events if events is None else " ".join(events)
    hook.secret = hook.secret if secret is None else secret
    hook.active = hook.active if active is None else active
    after = _noted(hook) | ({"secret": "changed"} if secret is not None else {})
    note(session, who=by, action="change webhook", subject=f"webhook:{webhook_id}", before=before, after=after)


def remove(session: Session, webhook_id: int, *, by: str) -> None:
    """With all that is on its way to it; raises NotFoundError."""
    hook = _found(session, webhook_id)
    before = _noted(hook)
    session.execute(delete(Delivery).where(Delivery.webhook_id == webhook_id))
    session.delete(hook)
    note(session, who=by, action="remove webhook", subject=f"webhook:{webhook_id}", before=before, after=None)


def targets(session: Session) -> list[Target]:
    """All, in the order in which they were made."""
    states = select(Delivery.webhook_id, Delivery.state, func.count()).group_by(Delivery.webhook_id, Delivery.state)
    counted = {(hook, state): count for hook, state, count in session.execute(states)}
    return [
        Target(
            id=hook.id,
            url=hook.url,
            events=tuple(hook.events.split()),
            active=hook.active,
            author=hook.author,
            created_s=hook.created_s,
            waiting=counted.get((hook.id, "waiting"), 0),
            given_up=counted.get((hook.id, "given up"), 0),
        )
        for hook in session.scalars(select(Webhook).order_by(Webhook.id))
    ]


def parcel_for_test(session: Session, webhook_id: int, *, body: str) -> Parcel:
    """A parcel that is in no queue; raises NotFoundError."""
    hook = _found(session, webhook_id)
    return Parcel(id=0, webhook_id=hook.id, url=hook.url, secret=hook.secret, event=TEST, body=body, tries=1)


def publish(session: Session, event: str, data: Mapping[str, Any], *, now_s: float, only: Collection[int] = ()) -> int:
    """Queue an event for every active webhook that wants it, in the caller's own transaction; returns for how many.

    Args:
        data: what happened; anything JSON can hold, without secrets.
        only: ids of webhooks; empty: all that want the event.
    """
    return publish_all(session, event, (data,), now_s=now_s, only=only)


def publish_all(
    session: Session, event: str, news: Iterable[Mapping[str, Any]], *, now_s: float, only: Collection[int] = ()
) -> int:
    """As `publish`, for many at once, in this order; where no webhook wants the event, `news` is not looked at."""
    assert event in EVENTS, event
    active = session.execute(select(Webhook.id, Webhook.events).where(Webhook.active).order_by(Webhook.id))
    chosen = [hook.id for hook in active if event in hook.events.split() and (not only or hook.id in only)]
    told = {"event": event, "state": "waiting", "next_s": now_s, "created_s": now_s}
    rows = [
        {"webhook_id": hook_id, "body": body, **told}
        for body in (_body(event, data, now_s) for data in (news if chosen else ()))
        for hook_id in chosen
    ]
    if rows:
        session.execute(insert(Delivery), rows)
    return len(chosen)


def _body(event: str, data: Mapping[str, Any], now_s: float) -> str:
    return json.dumps({"event": event, "at_s": now_s, "data": data}, sort_keys=True, separators=(",", ":"))


def is_due(session: Session, *, now_s: float) -> bool:
    """Whether `take` would find something."""
    return session.scalars(_due(now_s).limit(1)).first() is not None


def take(session: Session, *, now_s: float) -> Parcel | None:
    """The first delivery in the queue of any webhook whose time has come; None: there is none.

    It is the sender's for LEASE_S; if that dies, it is sent again, with the same id. While it is on its way or waits
    for its next try, what stands behind it waits, too.
    """
    for found in session.scalars(_due(now_s)):
        held = (Delivery.id == found.id, Delivery.state == "waiting", Delivery.next_s == found.next_s)
        if _changed(session, update(Delivery).where(*held).values(next_s=now_s + LEASE_S, tries=found.tries + 1)):
            hook = _found(session, found.webhook_id)
            return Parcel(
                id=found.id,
                webhook_id=hook.id,
                url=hook.url,
                secret=hook.secret,
                event=found.event,
                body=found.body,
                tries=found.tries + 1,
            )
    return None


def _due(now_s: float) -> Select[Delivery]:
    head = (
        select(func.min(Delivery.id).label("id"))
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.state == "waiting", Webhook.active)
        .group_by(Delivery.webhook_id)
        .subquery()
    )
    due = select(Delivery).join(head, head.c.id == Delivery.id).where(Delivery.next_s <= now_s)
    return due.order_by(Delivery.next_s, Delivery.id)


def delivered(session: Session, parcel: Parcel) -> None:
    """It has arrived."""
    _set(session, parcel, state="delivered", error="")


def failed(session: Session, parcel: Parcel, error: str, *, now_s: float, chance: Random) -> bool:
    """It has not: try again later, at a growing distance, or give it up after MOST_TRIES; returns whether it is.

    Args:
        error: why, without secrets.
    """
    given_up = parcel.tries >= MOST_TRIES
    wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** (parcel.tries - 1)) * (1 + chance.uniform(-_JITTER, _JITTER))
    state = "given up" if given_up else "waiting"
    _set(session, parcel, state=state, error=error[:_LONGEST_ERROR], next_s=now_s + wait_s)
    return given_up


def tidy(session: Session, *, older_than_s: float) -> int:
    """Remove deliveries that ended before this moment, and give up the oldest where too many wait; returns how many."""
    session.execute(delete(Delivery).where(Delivery.state != "waiting", Delivery.created_s < older_than_s))
    full = (
        select(Delivery.webhook_id, func.count())
        .where(Delivery.state == "waiting")
        .group_by(Delivery.webhook_id)
        .having(func.count() > MOST_WAITING)
    )
    given_up = 0
    for hook_id, waiting in session.execute(full).all():
        queue = select(Delivery.id).where(Delivery.webhook_id == hook_id, Delivery.state == "waiting")
        oldest = session.scalars(queue.order_by(Delivery.id).limit(min(waiting - MOST_WAITING, _AT_ONCE))).all()
        reason = {"state": "given up", "error": f"more than {MOST_WAITING} were waiting"}
        session.execute(update(Delivery).where(Delivery.id.in_(oldest)).values(**reason))
        given_up += len(oldest)
    return given_up


def _set(session: Session, parcel: Parcel, **values: Any) -> None:
    session.execute(update(Delivery).where(Delivery.id == parcel.id, Delivery.tries == parcel.tries).values(**values))


def _changed(session: Session, change: Update) -> bool:
    done = cast("CursorResult[Any]", session.execute(change.execution_options(synchronize_session=False)))
    return done.rowcount == 1


def _found(session: Session, webhook_id: int) -> Webhook:
    hook = session.get(Webhook, webhook_id)
    if hook is None:
        raise NotFoundError(f"webhook {webhook_id}: is not known.")
    return hook


def _noted(hook: Webhook) -> dict[str, Any]:
    """What the audit trail may hold: an address's path and query can be secret."""
    return {"url": shown(hook.url), "events": hook.events, "active": hook.active}


def shown(url: str) -> str:
    """As much of an address as may be shown: host and port of a web address, the service of another one."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https"):
        return f"{scheme}://..."
    host = rest.partition("/")[0].partition("?")[0]
    return f"{scheme}://{host}" + ("/..." if rest not in (host, f"{host}/") else "")
