"""One camera's thread: the picture of a part is one that was taken for it, or there is none."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import pytest
from tests.line.deadline import until

from sightline.devices.camera import Shot, Trigger
from sightline.devices.sim_camera import Fault, SimCamera, SimDevice
from sightline.errors import DeviceTimeout
from sightline.line.photographer import Patience, Photographer, Taken
from sightline.records import Frame

GRACE_S = 60.0
PITCH_S = 0.25  # between parts that follow each other: a camera is triggered while its part is nearest


def frame(value: int) -> Frame:
    return Frame(pixels=np.full((8, 8, 1), value, np.uint8))


class Desk:
    """A photographer and what it reports."""

    def __init__(self, trigger: Trigger, patience: Patience) -> None:
        self.device = SimDevice(lambda number: frame(number % 250))
        self.taken: queue.SimpleQueue[Taken] = queue.SimpleQueue()
        camera = SimCamera("top", self.device, trigger=trigger)
        self.photographer, self._patience = Photographer("top", camera), patience

    def take(self, number: int, since_s: float) -> None:
        self.photographer.take(number, since_s, self._patience, self.taken.put)

    def report(self) -> Taken:
        return self.taken.get(timeout=GRACE_S)


@pytest.fixture
def desk() -> Iterator[Callable[..., Desk]]:
    opened: list[Desk] = []

    def build(trigger: Trigger = Trigger.SOFTWARE, **patience: float) -> Desk:
        opened.append(Desk(trigger, Patience(**patience)))
        return opened[-1]

    yield build
    for one in opened:
        one.photographer.close()


def test_each_part_gets_the_picture_taken_for_it(desk: Callable[..., Desk]) -> None:
    one = desk(late_s=20.0)
    for number in range(3):
        one.take(number, time.monotonic())
        taken = one.report()
        assert taken.number == number
        assert taken.shot is not None
        assert taken.shot.frame.pixels[0, 0, 0] == number
        time.sleep(PITCH_S)


@pytest.mark.parametrize("later", ["after", "before"])
def test_a_camera_triggered_when_another_part_is_nearer_takes_nobodys_picture(
    desk: Callable[..., Desk], later: str
) -> None:
    one, pitch_s, late_s = desk(late_s=20.0, delay_s=20.0), 2.0, 0.9
    now_s = time.monotonic()
    if later == "after":  # the next part comes, and its word only after the camera was triggered
        one.take(7, now_s - pitch_s - late_s)
        one.take(8, now_s - late_s)
        told = "the next part had come before the camera was triggered"
    else:
        one.take(6, now_s - pitch_s - late_s)
        one.report()
        one.take(7, now_s - late_s)
        told = "which may have gone by then"
    taken = one.report()
    assert taken.shot is None
    assert told in str(taken.fault)


def test_a_picture_from_before_the_part_is_not_its_picture(desk: Callable[..., Desk]) -> None:
    one = desk(Trigger.HARDWARE, late_s=20.0)
    one.device.fire()
    one.device.fire()
    since_s = time.monotonic() + 0.01
    time.sleep(0.02)
    one.take(7, since_s)
    one.device.fire()
    taken = one.report()
    assert taken.shot is not None
    assert taken.shot.frame.pixels[0, 0, 0] == 2
    assert one.photographer.counts.unclaimed == 2


def test_a_hardware_trigger_may_come_a_little_before_the_plcs_word(desk: Callable[..., Desk]) -> None:
    one = desk(Trigger.HARDWARE, late_s=20.0, early_s=10.0)
    one.device.fire()
    one.take(1, time.monotonic())
    assert one.report().shot is not None


class SlowCamera:
    """Delivers the picture of each trigger in order, when told to, and stamps it with the time of its arrival."""

    def __init__(self) -> None:
        self.triggers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.pictures: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.whose: dict[int, int] = {}  # by the picture's number, of those that say it
        self._triggered = 0

    def trigger(self) -> None:
        self.triggers.put(self._triggered)
        self._triggered += 1

    def grab(self, timeout_s: float) -> Shot:
        try:
            number = self.pictures.get(timeout=timeout_s)
        except queue.Empty:
            raise DeviceTimeout("slow", "nothing yet.") from None
        now_s = time.monotonic()
        whose = self.whose.get(number)
        return Shot(frame=frame(number), camera="slow", number=number, monotonic_s=now_s, unix_s=0.0, part_id=whose)

    def close(self) -> None:
        """Nothing is open."""


def test_a_picture_that_comes_after_its_part_gave_up_is_not_the_next_parts() -> None:
    camera, reports = SlowCamera(), queue.SimpleQueue[Taken]()
    photographer = Photographer("slow", camera)
    photographer.take(1, time.monotonic(), Patience(late_s=1.0), reports.put)
    assert reports.get(timeout=GRACE_S).shot is None
    photographer.take(2, time.monotonic(), Patience(late_s=1.0), reports.put)
    for _ in range(2):
        camera.triggers.get(timeout=GRACE_S)
    camera.pictures.put(0)  # the first part's, late
    camera.pictures.put(1)
    shot = reports.get(timeout=GRACE_S).shot
    photographer.close()
    assert shot is None or (shot.number == 1 and photographer.counts.unclaimed == 1), "none where the machine is busy"


def test_a_picture_that_comes_after_the_next_part_is_nobodys_where_the_station_does_not_trigger() -> None:
    camera, reports = SlowCamera(), queue.SimpleQueue[Taken]()
    photographer = Photographer("slow", camera)
    for part in (1, 2):
        photographer.take(part, time.monotonic(), Patience(late_s=GRACE_S, delay_s=None), reports.put)
        time.sleep(0.001)
    camera.pictures.put(0)  # of the first part, or of the second if a picture was lost unseen
    camera.pictures.put(1)
    first, second = reports.get(timeout=GRACE_S), reports.get(timeout=GRACE_S)
    photographer.close()
    assert first.shot is None
    assert "1 more parts had come by then" in str(first.fault)
    assert second.shot is not None
    assert second.shot.number == 1


@pytest.mark.parametrize("whose", [(11, 12), (12, 11), (10, 12, 11)])
def test_pictures_that_say_whose_they_are_go_by_that_whenever_they_come(whose: tuple[int, ...]) -> None:
    camera, reports = SlowCamera(), queue.SimpleQueue[Taken]()
    camera.whose = dict(enumerate(whose))
    photographer = Photographer("slow", camera)
    for part in (1, 2):
        patience = Patience(late_s=GRACE_S, delay_s=None)
        photographer.take(part, time.monotonic(), patience, reports.put, part_id=10 + part)
        time.sleep(0.001)
    for number in range(len(whose)):  # all of them after the second part was announced
        camera.pictures.put(number)
    shots = [reports.get(timeout=GRACE_S).shot for _ in range(2)]
    photographer.close()
    assert [shot.part_id for shot in shots if shot is not None] == [11, 12]
    assert photographer.counts.doubts == 0


def test_of_pictures_whose_parts_never_come_few_are_kept_and_one_of_an_earlier_count_is_nobodys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera, reports = SlowCamera(), queue.SimpleQueue[Taken]()
    camera.whose = {number: number for number in range(10)}
    photographer = Photographer("slow", camera)
    patience = Patience(late_s=GRACE_S, delay_s=None)
    for number in range(2, 10):
        camera.pictures.put(number)
    photographer.take(1, time.monotonic(), patience, reports.put, part_id=5)
    assert reports.get(timeout=GRACE_S).shot is not None
    photographer.take(2, time.monotonic(), patience, reports.put, part_id=9)
    assert reports.get(timeout=GRACE_S).shot is not None
    assert photographer.counts.unclaimed == 2, "of 2, 3, 4, 6, 7 and 8 the newest four are kept"
    short = Patience(late_s=0.05, delay_s=None)
    photographer.take(3, time.monotonic(), short, reports.put, part_id=3)
    assert reports.get(timeout=GRACE_S).shot is None, "gave way"
    monkeypatch.setattr("sightline.line.photographer._NAMED_EARLY_S", 0.0)
    photographer.take(4, time.monotonic(), short, reports.put, part_id=8)
    assert reports.get(timeout=GRACE_S).shot is None, "the PLC had the same number before"
    photographer.close()


def test_a_picture_that_does_not_say_whose_it_is_is_nobodys_where_others_say_it() -> None:
    camera, reports = SlowCamera(), queue.SimpleQueue[Taken]()
    camera.whose = {1: 12}
    photographer = Photographer("slow", camera)
    patience, short = Patience(late_s=GRACE_S), Patience(late_s=0.05)
    photographer.take(1, time.monotonic(), short, reports.put, part_id=11)
    assert reports.get(timeout=GRACE_S).shot is None, "its picture is late"
    photographer.take(2, time.monotonic(), patience, reports.put, part_id=12)
    for _ in range(2):
        camera.triggers.get(timeout=GRACE_S)
    camera.pictures.put(1)
    shot = reports.get(timeout=GRACE_S).shot
    assert shot is not None
    assert shot.part_id == 12
    photographer.take(3, time.monotonic(), Patience(late_s=1.0), reports.put, part_id=13)
    camera.triggers.get(timeout=GRACE_S)
    camera.pictures.put(0)  # the first part's at last, in time for the third
    third = reports.get(timeout=GRACE_S)
    photographer.close()
    assert third.shot is None
    assert "no picture that says it is this part's within 1 s" in str(third.fault)
    assert photographer.counts.unclaimed == 1


def test_the_late_picture_of_a_part_that_was_passed_over_is_not_the_next_parts() -> None:
    camera, reports = SlowCamera(), queue.SimpleQueue[Taken]()
    photographer = Photographer("slow", camera)
    photographer.pass_over(time.monotonic())
    photographer.take(2, time.monotonic(), Patience(late_s=GRACE_S, delay_s=None), reports.put)
    camera.triggers.get(timeout=GRACE_S)
    camera.pictures.put(0)  # of the part that was passed over, when the next one waits already
    camera.pictures.put(1)
    shot = reports.get(timeout=GRACE_S).shot
    photographer.close()
    assert shot is not None
    assert (shot.number, photographer.counts.unclaimed) == (1, 1)


def test_a_damaged_picture_after_a_stray_one_is_told_and_work_goes_on(desk: Callable[..., Desk]) -> None:
    one = desk(Trigger.HARDWARE, late_s=20.0)
    one.device.fire()
    since_s = time.monotonic() + 0.01
    time.sleep(0.02)
    one.device.fail(Fault.HALF)
    one.device.fire()
    one.take(1, since_s)
    assert one.report().shot is None
    one.take(2, time.monotonic())
    one.device.fire()
    assert one.report().shot is not None


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.HALF])
def test_a_picture_that_does_not_come_whole_is_told_with_its_reason(desk: Callable[..., Desk], fault: Fault) -> None:
    one = desk(late_s=0.3)
    one.device.fail(fault)
    one.take(1, time.monotonic())
    taken = one.report()
    assert taken.shot is None
    assert "picture" in str(taken.fault)
    assert not taken.lost


def test_when_the_first_picture_of_a_connection_is_lost_the_next_parts_have_theirs(desk: Callable[..., Desk]) -> None:
    one = desk(late_s=1.0)
    one.device.fail(Fault.LOST)
    found = []
    for number in range(3):
        one.take(number, time.monotonic())
        found.append(one.report().shot is not None)
        time.sleep(PITCH_S)
    assert found == [False, True, True]


def test_a_camera_that_is_gone_is_told_at_once(desk: Callable[..., Desk]) -> None:
    one = desk(late_s=20.0)
    one.device.unplug()
    began_s = time.monotonic()
    one.take(1, began_s)
    assert one.report().lost
    assert time.monotonic() - began_s < 15.0
    assert not one.photographer.connected


def test_closing_ends_a_wait_and_leaves_no_thread(desk: Callable[..., Desk]) -> None:
    one = desk(Trigger.HARDWARE, late_s=3_600.0)
    one.take(1, time.monotonic())
    one.photographer.close()
    assert one.report().shot is None
    assert not [thread for thread in threading.enumerate() if thread.name == "photographer top"]


def test_what_fails_over_one_picture_costs_that_part_and_no_other(desk: Callable[..., Desk]) -> None:
    one = desk(late_s=20.0)
    told: queue.SimpleQueue[Taken] = queue.SimpleQueue()

    def report(taken: Taken) -> None:
        told.put(taken)
        if taken.number == 1 and taken.shot is not None:
            raise MemoryError("no room for a copy")

    one.photographer.take(1, time.monotonic(), Patience(late_s=20.0), report)
    first, again = (told.get(timeout=GRACE_S) for _ in range(2))
    time.sleep(PITCH_S)
    one.photographer.take(2, time.monotonic(), Patience(late_s=20.0), report)
    second = told.get(timeout=GRACE_S)
    assert first.shot is not None
    assert (again.number, again.shot) == (1, None)
    assert "no room for a copy" in str(again.fault)
    assert (second.number, second.shot is not None) == (2, True)


class FlakyDriver(SlowCamera):
    """Its driver fails so many times in a way that it is not known for."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left = times

    def grab(self, timeout_s: float) -> Shot:
        if self._left:
            self._left -= 1
            raise RuntimeError("not in the manual")
        return super().grab(timeout_s)


def test_a_driver_that_fails_otherwise_than_it_may_is_asked_again() -> None:
    camera, told = FlakyDriver(2), queue.SimpleQueue[Taken]()
    photographer = Photographer("top", camera)
    with closing(photographer):
        until(lambda: photographer.connected)
        camera.pictures.put(3)
        photographer.take(1, time.monotonic(), Patience(late_s=20.0, early_s=20.0, delay_s=None), told.put)
        assert told.get(timeout=GRACE_S).shot is not None
