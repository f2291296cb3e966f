"""The queue of jobs: who takes which, and what becomes of them.

A job is waiting, running, done, failed or cancelled. Who runs one says so every few seconds; one that was not heard of
for LEASE_S is begun again by whoever looks next, MOST_ATTEMPTS times in all. What a worker says of a job that is not
its own any more is not written.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import CursorResult, Update, delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from sightline.errors import BusyError, ConflictError, NotFoundError
from sightline.store.audit import note
from sightline.store.schema import Job, JobLine
from sightline.store.webhooks import publish

State = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED = frozenset({"done", "failed", "cancelled"})
LEASE_S = 30.0  # a worker that is silent for so long is dead; it speaks every second or two
MOST_ATTEMPTS = 3
MOST_WAITING = 1000  # jobs; further ones are refused
MOST_LINES = 2000  # of one job's log
LONGEST_LINE = 500  # characters
_LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A job as a person sees it."""

    id: str
    kind: str
    params: Mapping[str, Any]
    state: State
    progress: float  # 0..1 of the stage that the message names
    message: str  # the stage; of a job that failed, why
    result: Mapping[str, Any] | None
    attempts: int
    cancel: bool  # somebody asked for it to end
    author: str
    created_s: float
    started_s: float | None
    ended_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job in a worker's hands; the attempt keeps a worker that was given up from writing into the next one's."""

    id: str
    kind: str
    params: Mapping[str, Any]
    author: str
    worker: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a log."""

    number: int  # from 1
    at_s: float
    text: str


def submit(session: Session, *, kind: str, params: Mapping[str, Any], author: str, now_s: float) -> str:
    """Put a job at the end of the queue and return its id; raises BusyError when there are too many."""
    waiting = session.scalar(select(func.count()).select_from(Job).where(Job.state == "waiting")) or 0
    if waiting >= MOST_WAITING:
        raise BusyError(f"jobs: {waiting} are waiting already. Cancel some, or try again later.")
    job = Job(id=str(uuid.uuid4()), kind=kind, params=dict(params), state="waiting", author=author, created_s=now_s)
    session.add(job)
    session.flush()
    note(
        session,
        who=author,
        action="start job",
        subject=f"job:{job.id}",
        before=None,
        after={"kind": kind, "params": dict(params)},
    )
    return job.id


def claim(session: Session, *, worker: str, now_s: float) -> Claim | None:
    """Take the oldest job that waits; None: there is none. Two workers never get the same one.

    The caller's transaction must be a writing one: on SQLite it has the database for itself, on PostgreSQL a row that
    another worker is just taking is passed over.
    """
    revive(session, now_s=now_s)
    job = session.scalars(
        select(Job)
        .where(Job.state == "waiting")
        .order_by(Job.created_s, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if job is None:
        return None
    job.state, job.worker, job.beat_s = "running", worker, now_s
    job.attempts += 1
    job.started_s, job.progress, job.message = now_s, 0.0, ""
    return Claim(id=job.id, kind=job.kind, params=job.params, author=job.author, worker=worker, attempt=job.attempts)


def revive(session: Session, *, now_s: float) -> int:
    """Put back, or end, the jobs whose worker died; returns how many there were."""
    dead = session.scalars(
        select(Job).where(Job.state == "running", Job.beat_s < now_s - LEASE_S).with_for_update(skip_locked=True)
    ).all()
    for job in dead:
        _again(session, job, "its worker died", now_s)
    return len(dead)


def put_back(session: Session, held: Claim, *, why: str, counts: bool, now_s: float) -> None:
    """Let a job wait again whose process ended without a word; or end it, after MOST_ATTEMPTS.

    Args:
        counts: whether it was an attempt; not where the server itself was stopped.
    """
    job = session.scalars(select(Job).where(*_mine(held)).with_for_update()).first()
    if job is not None:
        job.attempts -= 0 if counts else 1
        _again(session, job, why, now_s)


def _again(session: Session, job: Job, why: str, now_s: float) -> None:
    if job.cancel:
        job.state, job.ended_s, job.message = "cancelled", now_s, ""
    elif job.attempts >= MOST_ATTEMPTS:
        job.state, job.ended_s = "failed", now_s
        job.message = f"{why}, {job.attempts} times; see the log, and the server's memory and disk"
    else:
        job.state, job.progress, job.message = "waiting", 0.0, f"{why}; it begins again"
    job.worker, job.beat_s = "", None
    if job.state in ENDED:
        _announce(session, job, now_s)


def _announce(session: Session, job: Job, now_s: float) -> None:
    told = {"job": job.id, "kind": job.kind, "state": job.state, "message": job.message, "author": job.author}
    publish(session, "job.ended", told, now_s=now_s)


def beat(
    session: Session, held: Claim, *, progress: float, message: str, now_s: float
) -> Literal["on", "stop", "lost"]:
    """Say that the job goes on; `stop`: somebody cancelled it, `lost`: it is not ours any more."""
    told = {"beat_s": now_s, "progress": min(1.0, max(0.0, progress)), "message": message[:_LONGEST_MESSAGE]}
    if not _changed(session, update(Job).where(*_mine(held)).values(**told)):
        return "lost"
    return "stop" if session.scalar(select(Job.cancel).where(Job.id == held.id)) else "on"


def end(
    session: Session,
    held: Claim,
    *,
    state: State,
    message: str,
    result: Mapping[str, Any] | None = None,
    now_s: float,
) -> bool:
    """Write how it ended; False: it is not ours any more, and nothing was written."""
    assert state in ENDED
    job = session.scalars(select(Job).where(*_mine(held)).with_for_update()).first()
    if job is None:
        return False
    job.state, job.message, job.ended_s, job.beat_s = state, message[:_LONGEST_MESSAGE], now_s, None
    job.result = None if result is None else dict(result)
    job.progress = 1.0 if state == "done" else job.progress
    _announce(session, job, now_s)
    return True


def cancel(session: Session, job_id: str, *, by: str, now_s: float) -> Told:
    """Ask for the end of a job; one that waits ends at once. ConflictError: it has ended already."""
    job = session.scalars(select(Job).where(Job.id == job_id).with_for_update()).first()
    if job is None:
        raise _unknown(job_id)
    if job.state in ENDED:
        raise ConflictError(f"job {job_id}: is {job.state} already.")
    before = job.state
    job.cancel = True
    if job.state == "waiting":
        job.state, job.ended_s, job.message = "cancelled", now_s, ""
        _announce(session, job, now_s)
    session.flush()
    note(session, who=by, action="cancel job", subject=f"job:{job_id}", before=before, after="cancelled")
    return _told(job)


def job(session: Session, job_id: str) -> Told:
    """One job; raises NotFoundError."""
    found = session.get(Job, job_id)
    if found is None:
        raise _unknown(job_id)
    return _told(found)


def is_over(session: Session, job_id: str) -> bool:
    """Whether it has ended, or was forgotten."""
    found = session.get(Job, job_id)
    return found is None or found.state in ENDED


def jobs(
    session: Session, *, state: str = "", kind: str = "", before: tuple[float, str] | None = None, limit: int = 50
) -> list[Told]:
    """The newest first.

    Args:
        before: `created_s` and id of the last one of the page in front; None: from the newest on.
    """
    wanted = select(Job).order_by(Job.created_s.desc(), Job.id.desc()).limit(limit)
    if state:
        wanted = wanted.where(Job.state == state)
    if kind:
        wanted = wanted.where(Job.kind == kind)
    if before is not None:
        wanted = wanted.where(tuple_(Job.created_s, Job.id) < before)
    return [_told(found) for found in session.scalars(wanted)]


def counts(session: Session) -> dict[str, int]:
    """How many jobs are in each state."""
    found = session.execute(select(Job.state, func.count()).group_by(Job.state))
    return {state: count for state, count in found}  # noqa: C416 - rows are no pairs to the type checker


def add_lines(session: Session, held: Claim, texts: Sequence[str], *, now_s: float) -> None:
    """Add to the log of a job that is ours; what goes beyond MOST_LINES is left out, and the last line says so."""
    if not texts or session.scalar(select(Job.id).where(*_mine(held))) is None:
        return
    last = session.scalar(select(func.max(JobLine.number)).where(JobLine.job_id == held.id)) or 0
    room = MOST_LINES - last
    if room <= 0:
        return
    kept = list(texts[:room])
    if len(texts) >= room:
        kept[-1] = f"the log is full with {MOST_LINES} lines; what follows is left out"
    rows = enumerate(kept, last + 1)
    # PostgreSQL takes no null characters
    session.add_all(
        JobLine(job_id=held.id, number=number, at_s=now_s, text=text[:LONGEST_LINE].replace("\0", ""))
        for number, text in rows
    )


def lines(session: Session, job_id: str, *, after: int = 0, limit: int = 500) -> list[Line]:
    """The log from the line behind number `after` on."""
    wanted = select(JobLine).where(JobLine.job_id == job_id, JobLine.number > after)
    found = session.scalars(wanted.order_by(JobLine.number).limit(limit))
    return [Line(number=row.number, at_s=row.at_s, text=row.text) for row in found]


def forget(session: Session, *, ended_before_s: float, limit: int = 100) -> list[str]:
    """Remove the oldest jobs that ended before this moment, with their logs; returns their ids."""
    old = select(Job.id).where(Job.state.in_(ENDED), Job.ended_s < ended_before_s).order_by(Job.ended_s).limit(limit)
    ids = list(session.scalars(old))
    session.execute(delete(JobLine).where(JobLine.job_id.in_(ids)))
    session.execute(delete(Job).where(Job.id.in_(ids)))
    return ids


def _mine(held: Claim) -> tuple[Any, ...]:
    return Job.id == held.id, Job.state == "running", Job.worker == held.worker, Job.attempts == held.attempt


def _changed(session: Session, change: Update) -> bool:
    done = cast("CursorResult[Any]", session.execute(change.execution_options(synchronize_session=False)))
    return done.rowcount == 1


def _unknown(job_id: str) -> NotFoundError:
    return NotFoundError(f"job {job_id:.40}: is not known.")


def _told(found: Job) -> Told:
    return Told(
        id=found.id,
        kind=found.kind,
        params=found.params,
        state=cast("State", found.state),
        progress=found.progress,
        message=found.message,
        result=found.result,
        attempts=found.attempts,
        cancel=found.cancel,
        author=found.author,
        created_s=found.created_s,
        started_s=found.started_s,
        ended_s=found.ended_s,
    )
