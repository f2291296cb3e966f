"""A view's model in a process that may die: what it had is a fault, and another takes its place."""

import errno
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.line import judge, worker
from sightline.line.judge import Judge, JudgeState, Patience
from sightline.line.messages import Judged, receive_judged
from sightline.line.worker import Motion, Work
from sightline.records import Frame, Verdict

GRACE_S = 60.0  # on a machine that does much else
PATIENCE = Patience(judge_s=20.0, restarts=100)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by POSIX signals here")


class Office:
    """A judge and what it answers."""

    def __init__(self, task: Work, patience: Patience = PATIENCE) -> None:
        self.answers: queue.SimpleQueue[Judged] = queue.SimpleQueue()
        self.judge = Judge("top", task, lambda view, judged: self.answers.put(judged), patience)

    def ready(self) -> int:
        """The worker's process, once it is ready."""
        until(lambda: self.judge.state is JudgeState.READY)
        assert self.judge.pid is not None
        return self.judge.pid

    def answer(self) -> Judged:
        return self.answers.get(timeout=GRACE_S)


Open = Callable[..., Office]


@pytest.fixture
def opened() -> Iterator[Open]:
    offices: list[Office] = []

    def build(task: Work, patience: Patience = PATIENCE) -> Office:
        offices.append(Office(task, patience))
        return offices[-1]

    yield build
    for office in offices:
        office.judge.close()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + GRACE_S
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


def frame(brightness: int, source: str = "") -> Frame:
    return Frame(pixels=np.full((20, 30, 1), brightness, np.uint8), source=source)


def verdict(judged: Judged) -> Verdict | None:
    return None if judged.inspection is None else judged.inspection.verdict


def test_answers_come_in_the_order_of_the_frames_with_all_that_an_inspection_holds(
    opened: Open, brightness: Path
) -> None:
    office = opened(Work(model=brightness, shape=(20, 30, 1)))
    office.ready()
    for number, value in enumerate((10, 200, 99)):
        assert office.judge.submit(number, frame(value, f"camera {number}"))
    answers = [office.answer() for _ in range(3)]
    assert [(a.number, verdict(a)) for a in answers] == [(0, Verdict.PASS), (1, Verdict.REJECT), (2, Verdict.PASS)]
    inspection = answers[1].inspection
    assert inspection is not None
    assert inspection.source == "camera 1"
    assert inspection.map is not None
    assert inspection.map.shape == (20, 30)
    assert inspection.map.max() == 200
    assert (inspection.defects[0].box.width, inspection.defects[0].box.height) == (30, 20)
    assert office.judge.counts.judged == 3


def test_a_frame_that_the_model_cannot_judge_is_a_fault_and_the_next_is_judged(opened: Open, brightness: Path) -> None:
    office = opened(Work(model=brightness))
    office.ready()
    deep = Frame(pixels=np.zeros((20, 30, 1), np.uint16), bit_depth=12)
    assert office.judge.submit(1, deep)
    assert office.judge.submit(2, frame(10))
    first, second = office.answer(), office.answer()
    assert first.inspection is None
    assert "bit" in str(first.fault)
    assert verdict(second) is Verdict.PASS
    assert office.judge.counts.restarts == 0


def test_a_killed_worker_is_replaced_and_what_it_had_is_a_fault_never_a_pass(opened: Open, brightness: Path) -> None:
    office = opened(Work(model=brightness))
    for cycle in range(5):
        pid = office.ready()
        os.kill(pid, signal.SIGSTOP)  # so that it surely has the frame when it dies
        assert office.judge.submit(cycle, frame(10))
        os.kill(pid, signal.SIGKILL)
        answer = office.answer()
        assert answer.number == cycle
        assert answer.inspection is None
        until(lambda pid=pid: office.judge.pid not in (None, pid))  # type: ignore[misc]
    office.ready()
    assert office.judge.submit(9, frame(10))
    assert verdict(office.answer()) is Verdict.PASS
    assert (office.judge.counts.restarts, office.judge.counts.faults) == (5, 5)


def test_a_worker_that_hangs_is_killed_when_its_time_is_up(opened: Open, brightness: Path) -> None:
    office = opened(Work(model=brightness), Patience(judge_s=0.2, restarts=100))
    pid = office.ready()
    os.kill(pid, signal.SIGSTOP)
    assert office.judge.submit(1, frame(10))
    assert office.answer().inspection is None
    until(lambda: office.judge.pid not in (None, pid))


def test_a_worker_that_dies_between_two_frames_is_replaced(opened: Open, brightness: Path) -> None:
    office = opened(Work(model=brightness))
    pid = office.ready()
    os.kill(pid, signal.SIGKILL)
    until(lambda: office.judge.pid not in (None, pid))
    assert office.judge.counts.faults == 0


def test_after_too_many_deaths_it_holds_until_a_person_releases_it(opened: Open, brightness: Path) -> None:
    office = opened(Work(model=brightness), Patience(restarts=2, within_s=1_000.0))
    for _ in range(3):
        os.kill(office.ready(), signal.SIGKILL)
        until(lambda: office.judge.state is not JudgeState.READY)
    until(lambda: office.judge.state is JudgeState.HELD)
    assert "2 times" in office.judge.reason
    assert not office.judge.submit(1, frame(10))
    office.judge.release()
    office.ready()
    assert office.judge.submit(2, frame(10))
    assert verdict(office.answer()) is Verdict.PASS


def test_a_model_that_cannot_be_loaded_is_held_with_the_reason(opened: Open, tmp_path: Path) -> None:
    office = opened(Work(model=tmp_path / "none.sight"))
    until(lambda: office.judge.state is JudgeState.HELD)
    assert "none.sight" in office.judge.reason
    assert not office.judge.submit(1, frame(10))
    assert office.judge.counts.refused == 1


def test_the_recipes_threshold_takes_the_place_of_the_models(opened: Open, brightness: Path) -> None:
    office = opened(Work(model=brightness, reject_at=10.0))
    office.ready()
    assert office.judge.submit(1, frame(10))
    inspection = office.answer().inspection
    assert inspection is not None
    assert inspection.verdict is Verdict.REJECT
    assert inspection.threshold == 10.0


def test_what_moved_while_it_was_exposed_is_judged_as_if_it_stood_still(opened: Open, brightness: Path) -> None:
    """A bright line one px wide, smeared over 5 px, is too dark to be seen; undone it is not."""
    still = np.full((40, 60, 1), 40, np.uint8)
    still[:, 30:32] = 180
    moved = Frame(pixels=cv2.blur(still, (5, 1), borderType=cv2.BORDER_REFLECT_101)[..., None].astype(np.uint8))
    for motion, expected in ((None, Verdict.PASS), (Motion(length_px=5.0, angle_deg=0.0, noise=0.001), Verdict.REJECT)):
        office = opened(Work(model=brightness, motion=motion))
        office.ready()
        assert office.judge.submit(1, moved)
        assert verdict(office.answer()) is expected


def test_a_part_that_moved_otherwise_than_the_recipe_says_has_that_undone(opened: Open, brightness: Path) -> None:
    still = np.full((40, 60, 1), 40, np.uint8)
    still[:, 30:32] = 180
    moved = Frame(pixels=cv2.blur(still, (5, 1), borderType=cv2.BORDER_REFLECT_101)[..., None].astype(np.uint8))
    quiet = np.full((40, 60, 1), 40, np.uint8)
    quiet[:, 30:32] = 95  # passes as it is; undoing a movement that never was makes it a reject
    office = opened(Work(model=brightness, motion=Motion(length_px=5.0, angle_deg=0.0, noise=0.001)))
    office.ready()
    cases: tuple[tuple[Frame, float | None, Verdict], ...] = (
        (moved, 5.0, Verdict.REJECT),
        (moved, 0.0, Verdict.PASS),
        (Frame(pixels=quiet), 0.0, Verdict.PASS),
        (Frame(pixels=quiet), None, Verdict.REJECT),
    )
    for number, (frame_, motion_px, expected) in enumerate(cases):
        assert office.judge.submit(number, frame_, motion_px)
        assert verdict(office.answer()) is expected, (number, motion_px)


def test_no_more_than_a_few_frames_wait(opened: Open, brightness: Path) -> None:
    office = opened(Work(model=brightness))
    pid = office.ready()
    os.kill(pid, signal.SIGSTOP)
    accepted = [office.judge.submit(number, frame(10)) for number in range(20)]
    os.kill(pid, signal.SIGCONT)
    assert 1 < sum(accepted) < 8
    answers = [office.answer() for _ in range(sum(accepted))]
    assert all(verdict(answer) is Verdict.PASS for answer in answers)
    assert office.judge.counts.refused == 20 - sum(accepted)


def test_closing_judges_what_waits_and_leaves_neither_threads_nor_processes(brightness: Path) -> None:
    office = Office(Work(model=brightness))
    pid = office.ready()
    for number in range(3):
        assert office.judge.submit(number, frame(10))
    office.judge.close()
    assert [verdict(office.answer()) for _ in range(3)] == [Verdict.PASS] * 3
    assert not [t for t in threading.enumerate() if t.name in ("judge top", "watchdog top")]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not office.judge.submit(4, frame(10))


def refuse_to_start(monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    """So many processes from now on, as where there is no memory."""
    start, tried = ForkServerProcess.start, 0

    def failing(process: ForkServerProcess) -> None:
        nonlocal tried
        tried += 1
        if tried <= times:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        start(process)

    monkeypatch.setattr(ForkServerProcess, "start", failing)


def test_a_machine_that_starts_no_process_for_a_moment_is_got_over(
    opened: Open, brightness: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_start(monkeypatch, 2)
    office = opened(Work(model=brightness))
    office.ready()
    assert office.judge.submit(1, frame(10))
    assert verdict(office.answer()) is Verdict.PASS


def test_a_machine_that_starts_no_process_at_all_holds_and_says_why(
    opened: Open, brightness: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_start(monkeypatch, math.inf)
    office = opened(Work(model=brightness), Patience(restarts=2, within_s=1_000.0))
    until(lambda: office.judge.state is JudgeState.HELD)
    assert "2 times" in office.judge.reason
    assert "Cannot allocate memory" in office.judge.reason


def test_an_answer_that_cannot_be_read_is_a_fault_and_another_worker_judges_the_next(
    opened: Open, brightness: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = opened(Work(model=brightness))
    pid = office.ready()
    garbled = iter([True])

    def receive(connection: Connection) -> Judged:
        if next(garbled, False):
            raise KeyError("inspection")
        return receive_judged(connection)

    monkeypatch.setattr(judge, "receive_judged", receive)
    assert office.judge.submit(1, frame(10))
    answer = office.answer()
    assert (answer.number, answer.inspection) == (1, None)
    until(lambda: office.judge.pid not in (None, pid))
    assert office.judge.submit(2, frame(10))
    assert verdict(office.answer()) is Verdict.PASS
    assert (office.judge.counts.faults, office.judge.counts.restarts) == (1, 1)


def test_an_answer_that_its_hearer_cannot_take_is_told_again_as_a_fault(brightness: Path) -> None:
    heard: queue.SimpleQueue[Judged] = queue.SimpleQueue()

    def hear(_: str, judged: Judged) -> None:
        heard.put(judged)
        if judged.number == 1 and judged.inspection is not None:
            raise ValueError("no such verdict")

    with closing(Judge("top", Work(model=brightness), hear, PATIENCE)) as one:
        for number in (1, 2):
            until(lambda: one.state is JudgeState.READY)
            assert one.submit(number, frame(10))
            assert verdict(heard.get(timeout=GRACE_S)) is Verdict.PASS
            if number == 1:
                assert heard.get(timeout=GRACE_S).fault is not None


STATION_THAT_DIES = """
import sys, time
from pathlib import Path
from sightline.line import worker
from sightline.line.judge import Judge, JudgeState, Patience
from sightline.line.worker import Work

if __name__ == "__main__":
    judge = Judge("top", Work(model=Path(sys.argv[1])), lambda view, judged: None, Patience())
    while judge.state is not JudgeState.READY:
        time.sleep(0.01)
    print(judge.pid, flush=True)
    raise SystemError("nobody closes the judge")
"""


def test_a_station_that_dies_of_a_bug_ends_and_takes_its_worker_along(brightness: Path, tmp_path: Path) -> None:
    program = tmp_path / "station.py"
    program.write_text(STATION_THAT_DIES)
    ended = subprocess.run(
        [sys.executable, program, brightness], capture_output=True, text=True, timeout=GRACE_S, check=False
    )
    assert "nobody closes the judge" in ended.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(ended.stdout), 0)


PROGRAM = """
import os
from sightline.line import worker
os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
worker._give_way()
print(os.sched_getscheduler(0) == os.SCHED_OTHER, os.nice(0))
"""


def _may_be_real_time() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, PermissionError):
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


@pytest.mark.skipif(not _may_be_real_time(), reason="no right to a real-time priority here")
def test_a_shadow_gives_way_to_a_station_at_real_time_priority() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", str(min(19, os.nice(0) + worker._MODEST))]
