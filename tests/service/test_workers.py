"""The queue is bounded, nobody waits for ever, and whoever is stuck or fails is replaced."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from tests.service.server import PATIENCE_S, wait_for

from sightline.errors import BusyError, FrameError
from sightline.service.workers import Load, Workers


class Gate:
    """Work that waits until it is let go."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.alone: list[bool] = []

    def work(self, alone: bool) -> str:
        self.alone.append(alone)
        self.opened.wait(PATIENCE_S)
        return "done"


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def ask(workers: Workers[str], gate: Gate, *, size: int = 1) -> Future[str]:
    return workers.submit(gate.work, size=size, fault=lambda reason: reason, stuck=lambda: None)


def test_the_queue_has_a_bound_and_counts_what_it_refuses(gate: Gate) -> None:
    workers = Workers[str](Load(workers=1, queue=2))
    first = ask(workers, gate)
    wait_for(lambda: workers.figures().running == 1)
    waiting = [ask(workers, gate), ask(workers, gate)]
    with pytest.raises(BusyError, match="2 pictures wait already"):
        ask(workers, gate)
    gate.opened.set()
    assert [future.result(PATIENCE_S) for future in (first, *waiting)] == ["done"] * 3
    workers.close()
    figures = workers.figures()
    assert (figures.judged, figures.refused, figures.waiting) == (3, 1, 0)
    assert figures.latency_ms[-1] == (float("inf"), 3)


def test_the_bytes_that_wait_have_a_bound(gate: Gate) -> None:
    workers = Workers[str](Load(workers=1, queue_bytes=10))
    ask(workers, gate, size=9)
    wait_for(lambda: workers.figures().running == 1)
    ask(workers, gate, size=9)
    with pytest.raises(BusyError):
        ask(workers, gate, size=9)
    gate.opened.set()
    workers.close()


def test_only_what_comes_alone_may_take_all_cores(gate: Gate) -> None:
    workers = Workers[str](Load(workers=2))
    first = ask(workers, gate)
    wait_for(lambda: workers.figures().running == 1)
    second = ask(workers, gate)
    wait_for(lambda: workers.figures().running == 2)
    gate.opened.set()
    first.result(PATIENCE_S), second.result(PATIENCE_S)
    assert gate.alone == [True, False]
    assert workers.figures().together == (1, 1)
    workers.close()


def test_what_was_not_begun_can_be_given_up(gate: Gate) -> None:
    workers = Workers[str](Load(workers=1))
    begun, waits = ask(workers, gate), None
    wait_for(lambda: workers.figures().running == 1)
    waits = ask(workers, gate)
    assert not workers.give_up(begun)
    assert workers.give_up(waits)
    gate.opened.set()
    assert begun.result(PATIENCE_S) == "done"
    workers.close()
    assert workers.figures().late == 1
    assert gate.alone == [True]


def test_a_worker_that_is_stuck_is_replaced(gate: Gate) -> None:
    workers = Workers[str](Load(workers=1, hang_s=0.05))
    told: list[str] = []
    workers.submit(gate.work, size=1, fault=lambda reason: reason, stuck=lambda: told.append("stuck"))
    wait_for(lambda: _stuck(workers) == 1)
    quick = workers.submit(lambda alone: "quick", size=1, fault=lambda reason: reason, stuck=lambda: None)
    assert quick.result(PATIENCE_S) == "quick"
    assert told == ["stuck"]
    gate.opened.set()
    workers.close()


def test_when_all_are_stuck_the_caller_is_told_to_come_back(gate: Gate) -> None:
    workers = Workers[str](Load(workers=1, hang_s=0.0))
    wait_for(lambda: _stuck_or_busy(workers, gate))
    with pytest.raises(BusyError):
        ask(workers, gate)
    gate.opened.set()
    workers.close()


def _stuck(workers: Workers[str]) -> int:
    workers.relieve()
    return workers.figures().stuck


def _stuck_or_busy(workers: Workers[str], gate: Gate) -> bool:
    try:
        ask(workers, gate)
    except BusyError:
        return True
    return False


def test_an_error_of_ours_reaches_whoever_asked() -> None:
    workers = Workers[str](Load(workers=1))

    def refuse(alone: bool) -> str:
        raise FrameError("not a picture")

    with pytest.raises(FrameError, match="not a picture"):
        workers.submit(refuse, size=1, fault=str, stuck=lambda: None).result(PATIENCE_S)
    workers.close()


def test_a_worker_that_dies_gives_a_fault_and_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    died = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: died.set())
    workers = Workers[str](Load(workers=1))

    def fail(alone: bool) -> str:
        raise ZeroDivisionError

    asked = workers.submit(fail, size=1, fault=lambda reason: reason, stuck=lambda: None)
    assert "ZeroDivisionError" in asked.result(PATIENCE_S)
    assert died.wait(PATIENCE_S)
    assert workers.figures().failed == 1
    after = workers.submit(lambda alone: "well", size=1, fault=str, stuck=lambda: None)
    assert after.result(PATIENCE_S) == "well"
    workers.close()


def test_closing_ends_the_threads_and_cancels_what_waits(gate: Gate) -> None:
    before = threading.active_count()
    workers = Workers[str](Load(workers=2))
    ask(workers, gate), ask(workers, gate)
    wait_for(lambda: workers.figures().running == 2)
    waits = ask(workers, gate)
    gate.opened.set()
    workers.close()
    wait_for(lambda: threading.active_count() <= before)
    assert waits.cancelled() or waits.result(PATIENCE_S) == "done"
    with pytest.raises(BusyError):
        ask(workers, gate)
