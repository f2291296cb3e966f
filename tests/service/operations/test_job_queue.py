"""Who gets a job, and what becomes of one whose worker is not heard of."""

import json
import threading

import pytest
from sqlalchemy import select

from sightline.errors import BusyError, ConflictError, NotFoundError
from sightline.store import jobs, webhooks
from sightline.store.database import Database
from sightline.store.jobs import LEASE_S, MOST_ATTEMPTS, MOST_LINES, Claim
from sightline.store.schema import Audit, Delivery


def submitted(database: Database, now_s: float = 1000.0) -> str:
    with database.writing() as session:
        return jobs.submit(session, kind="act", params={"how": "fine"}, author="ada", now_s=now_s)


def claimed(database: Database, worker: str = "a", now_s: float = 1001.0) -> Claim:
    with database.writing() as session:
        held = jobs.claim(session, worker=worker, now_s=now_s)
    assert held is not None
    return held


def told(database: Database, job_id: str) -> jobs.Told:
    with database.reading() as session:
        return jobs.job(session, job_id)


def test_the_oldest_comes_first_and_nobody_gets_what_another_has(database: Database) -> None:
    first, second = submitted(database, 1.0), submitted(database, 2.0)
    assert [claimed(database).id, claimed(database, "b").id] == [first, second]
    with database.writing() as session:
        assert jobs.claim(session, worker="c", now_s=1001.0) is None


def test_many_workers_at_once_take_each_job_once(database: Database) -> None:
    waiting = {submitted(database, float(number)) for number in range(30)}
    taken: list[str] = []

    def work(name: str) -> None:
        while True:
            with database.writing() as session:
                held = jobs.claim(session, worker=name, now_s=1000.0)
            if held is None:
                return
            taken.append(held.id)

    threads = [threading.Thread(target=work, args=(str(number),), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    # on PostgreSQL a worker may look while another holds the last row, and find nothing
    assert len(taken) == len(set(taken))
    assert set(taken) == waiting


def test_a_job_of_a_dead_worker_is_taken_again_three_times_in_all(database: Database) -> None:
    job_id, now_s = submitted(database), 1001.0
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert claimed(database, f"w{attempt}", now_s).attempt == attempt
        now_s += LEASE_S + 1
    with database.writing() as session:
        assert jobs.claim(session, worker="x", now_s=now_s) is None
    ended = told(database, job_id)
    assert (ended.state, ended.attempts) == ("failed", MOST_ATTEMPTS)
    assert "died" in ended.message


def test_a_worker_that_speaks_keeps_its_job(database: Database) -> None:
    submitted(database)
    held = claimed(database, now_s=1000.0)
    for now_s in (1020.0, 1040.0, 1060.0):
        with database.writing() as session:
            assert jobs.beat(session, held, progress=0.5, message="half", now_s=now_s) == "on"
            assert jobs.claim(session, worker="b", now_s=now_s) is None


def test_a_worker_that_was_given_up_writes_nothing_any_more(database: Database) -> None:
    job_id = submitted(database)
    old = claimed(database, "same name", 1000.0)
    new = claimed(database, "same name", 1000.0 + LEASE_S + 1)
    with database.writing() as session:
        assert jobs.beat(session, old, progress=0.9, message="old", now_s=1040.0) == "lost"
        assert not jobs.end(session, old, state="done", message="", result={"old": True}, now_s=1040.0)
        jobs.add_lines(session, old, ["old"], now_s=1040.0)
        assert jobs.end(session, new, state="done", message="", result={"new": True}, now_s=1041.0)
    assert told(database, job_id).result == {"new": True}
    with database.reading() as session:
        assert jobs.lines(session, job_id) == []


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked_to_stop(database: Database) -> None:
    running, waiting = submitted(database, 1.0), submitted(database, 2.0)
    held = claimed(database)
    with database.writing() as session:
        assert jobs.cancel(session, waiting, by="bob", now_s=5.0).state == "cancelled"
        assert jobs.cancel(session, running, by="bob", now_s=5.0).state == "running"
        assert jobs.beat(session, held, progress=0.0, message="", now_s=6.0) == "stop"
        jobs.end(session, held, state="cancelled", message="", now_s=7.0)
    with database.writing() as session, pytest.raises(ConflictError, match="cancelled already"):
        jobs.cancel(session, running, by="bob", now_s=8.0)
    with database.writing() as session, pytest.raises(NotFoundError):
        jobs.cancel(session, "unknown", by="bob", now_s=8.0)


def test_a_job_whose_worker_died_after_a_cancel_is_not_begun_again(database: Database) -> None:
    job_id = submitted(database)
    claimed(database, now_s=1000.0)
    with database.writing() as session:
        jobs.cancel(session, job_id, by="bob", now_s=1001.0)
        assert jobs.claim(session, worker="b", now_s=1001.0 + LEASE_S) is None
    assert told(database, job_id).state == "cancelled"


def test_a_server_that_stops_gives_its_job_back_and_that_is_no_attempt(database: Database) -> None:
    job_id = submitted(database)
    with database.writing() as session:
        held = jobs.claim(session, worker="a", now_s=1.0)
        assert held is not None
        jobs.put_back(session, held, why="the server was stopped", counts=False, now_s=2.0)
    assert (told(database, job_id).state, told(database, job_id).attempts) == ("waiting", 0)


def test_a_log_is_bounded_and_says_so(database: Database) -> None:
    job_id = submitted(database)
    held = claimed(database)
    with database.writing() as session:
        jobs.add_lines(session, held, ["a\0b", "x" * 10_000], now_s=1.0)
        jobs.add_lines(session, held, [f"line {number}" for number in range(MOST_LINES + 50)], now_s=2.0)
        jobs.add_lines(session, held, ["after"], now_s=3.0)
    with database.reading() as session:
        first = jobs.lines(session, job_id, limit=2)
        last = jobs.lines(session, job_id, after=MOST_LINES - 2, limit=500)
    assert [line.text for line in first] == ["ab", "x" * jobs.LONGEST_LINE]
    assert [line.number for line in last] == [MOST_LINES - 1, MOST_LINES]
    assert "is full" in last[-1].text


def test_the_queue_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_WAITING", 2)
    submitted(database)
    submitted(database)
    with pytest.raises(BusyError, match="2 are waiting"):
        submitted(database)


def test_pages_follow_one_another_without_gaps(database: Database) -> None:
    made = [submitted(database, 5.0) for _ in range(5)]  # in the same moment: the id decides
    seen: list[str] = []
    before = None
    while True:
        with database.reading() as session:
            page = jobs.jobs(session, before=before, limit=2)
        if not page:
            break
        seen += [job.id for job in page]
        before = (page[-1].created_s, page[-1].id)
    assert sorted(seen) == sorted(made)


def test_start_cancel_and_end_are_told_and_noted(database: Database) -> None:
    with database.writing() as session:
        webhooks.add(session, url="https://x.test/", events=["job.ended"], secret="s", author="ada", now_s=1.0)
    submitted(database)
    held = claimed(database)
    with database.writing() as session:
        jobs.end(session, held, state="failed", message="no pictures", now_s=9.0)
    with database.reading() as session:
        body = json.loads(session.scalars(select(Delivery.body)).one())
        assert body["data"] == {
            "job": held.id, "kind": "act", "state": "failed", "message": "no pictures", "author": "ada",
        }  # fmt: skip
        assert "start job" in session.scalars(select(Audit.action)).all()


def test_old_jobs_are_forgotten_with_their_logs(database: Database) -> None:
    job_id = submitted(database)
    held = claimed(database)
    with database.writing() as session:
        jobs.add_lines(session, held, ["one"], now_s=2.0)
        jobs.end(session, held, state="done", message="", result={}, now_s=3.0)
        assert jobs.forget(session, ended_before_s=3.0) == []
        assert jobs.forget(session, ended_before_s=4.0) == [job_id]
    with database.reading() as session, pytest.raises(NotFoundError):
        jobs.job(session, job_id)
