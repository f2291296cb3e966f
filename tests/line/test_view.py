"""A view's causes of FAULT: a model that is behind is not one that died."""

import os
import queue
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sightline.devices.camera import Trigger
from sightline.devices.sim_camera import SimCamera, SimDevice
from sightline.line.judge import MOST_WAITING
from sightline.line.judge import Patience as Judging
from sightline.line.outcome import ViewOutcome
from sightline.line.photographer import Patience, Photographer
from sightline.line.view import Seen, View, ViewPlan
from sightline.line.worker import Work
from sightline.records import Frame, Verdict

GRACE_S = 60.0
PITCH_S = 0.25  # a busy machine triggers the camera before the next part is nearer to it


class Desk:
    """A view that looks at grey pictures, and what it tells."""

    def __init__(self, model: Path) -> None:
        self._told: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        grey = Frame(pixels=np.full((24, 32, 1), 40, np.uint8))
        self.photographer = Photographer("top", SimCamera("top", SimDevice(lambda _: grey), trigger=Trigger.SOFTWARE))
        plan = ViewPlan(
            name="top",
            work=Work(model=model, shape=(24, 32, 1)),
            patience=Patience(late_s=GRACE_S, delay_s=GRACE_S),
            judging=Judging(judge_s=GRACE_S),
        )
        self.view = View(plan, self.photographer, None, self._told.put)

    def ready(self) -> int:
        """The worker's process."""
        end_s = time.monotonic() + GRACE_S
        while self.view.judge.pid is None:
            assert time.monotonic() < end_s, "it does not become ready"
            time.sleep(0.01)
        return self.view.judge.pid

    def outcome(self) -> ViewOutcome:
        while (seen := self._told.get(timeout=GRACE_S)).outcome is None:
            continue
        return seen.outcome


@pytest.fixture
def desk(brightness: Path) -> Iterator[Desk]:
    desk = Desk(brightness)
    yield desk
    desk.view.close()
    desk.photographer.close()


def test_what_comes_while_the_model_is_several_pictures_behind_is_overloaded(desk: Desk) -> None:
    pid, parts = desk.ready(), MOST_WAITING + 4
    os.kill(pid, signal.SIGSTOP)
    for number in range(parts):
        desk.view.look(number, number, time.monotonic())
        time.sleep(PITCH_S)
    told = [desk.outcome() for _ in range(3)]  # at most one with the worker, and four, wait
    os.kill(pid, signal.SIGCONT)
    told += [desk.outcome() for _ in range(parts - len(told))]
    refused = [one for one in told if one.verdict is not Verdict.PASS]
    # the first may not have gone to the worker when the last came, and then one more found no room
    assert [one.verdict for one in told].count(Verdict.PASS) in {MOST_WAITING, MOST_WAITING + 1}
    assert {(one.verdict, one.cause) for one in refused} == {(Verdict.FAULT, "overloaded")}
    assert "top: 4 pictures wait for the model already." in str(refused[0].reason)


def test_what_comes_while_the_worker_is_replaced_has_no_worker(desk: Desk) -> None:
    os.kill(desk.ready(), signal.SIGKILL)
    end_s, causes = time.monotonic() + GRACE_S, set[str | None]()
    for number in range(10_000):
        desk.view.look(number, number, time.monotonic())
        causes.add(desk.outcome().cause)
        time.sleep(PITCH_S)
        if None in causes or time.monotonic() > end_s:
            break
    assert causes == {"worker_died", None}, "until another one judges"
