"""The whole station beside a simulated conveyor, in real time: every part falls where it should, whatever happens."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from sightline.devices.camera import Shot
from sightline.devices.clock import MonotonicClock
from sightline.devices.sim_belt import BeltConfig, Bin, Truth
from sightline.devices.sim_plc import GateRule, SimPlc, SimPlcConfig
from sightline.errors import DeviceLost, DeviceTimeout, OptionError
from sightline.line.faults import Fault
from sightline.line.fitness import FitnessCheck, FitnessLimits, reference_of
from sightline.line.fusion import Fused, fuse
from sightline.line.handshake import HandshakeConfig
from sightline.line.history import History, Recorded
from sightline.line.images import ImagePolicy, ImageWriter
from sightline.line.judge import Patience as Judging
from sightline.line.metrics import Metrics
from sightline.line.photographer import Patience, Photographer
from sightline.line.pictures import PictureFolder
from sightline.line.setup import Setup
from sightline.line.spool import Spool
from sightline.line.station import Station, StationConfig
from sightline.line.view import Seen, View, ViewPlan
from sightline.line.worker import Work
from sightline.records import Frame, Inspection

pytest.importorskip("prometheus_client")
GRACE_S = 90.0


class BeltCamera:
    """Sees the simulated conveyor: a bad part is bright, a good one dark, an empty belt black."""

    def __init__(self, plc: SimPlc) -> None:
        self.plc, self.gone, self.stall_s = plc, False, 0.0
        self._wanted, self._number, self._closed = 0, 0, threading.Event()

    def trigger(self) -> None:
        if self.gone or self._closed.is_set():
            raise DeviceLost("camera", "unplugged.")
        self._wanted += 1

    def grab(self, timeout_s: float) -> Shot:
        if self.gone or self._closed.is_set():
            raise DeviceLost("camera", "unplugged.")
        if not self._wanted:
            self._closed.wait(timeout_s)
            raise DeviceTimeout("camera", "nothing was triggered.")
        self._wanted -= 1
        if self.stall_s:
            self._closed.wait(self.stall_s)
        part = self.plc.in_view()
        value = 0 if part is None else 40 if part.truth is Truth.GOOD else 200
        self._number += 1
        frame = Frame(pixels=np.full((24, 32, 1), value, np.uint8), source="camera")
        return Shot(frame=frame, camera="top", number=self._number, monotonic_s=time.monotonic(), unix_s=time.time())

    def close(self) -> None:
        self._closed.set()


def worst(views: Mapping[str, Inspection]) -> Fused:
    return fuse({"top": 1.0}, views)


class Plant:
    """A station at work beside a conveyor that runs; its PLC is patient, as the machine may be busy."""

    def __init__(self, folder: Path, model: Path, belt: BeltConfig, rule: GateRule = GateRule.RESULT) -> None:
        self.plc = SimPlc(MonotonicClock(), SimPlcConfig(belt=belt, gate_rule=rule, trigger_timeout_s=1.0))
        self.camera = BeltCamera(self.plc)
        self.photographer = Photographer("top", self.camera)
        self.records = folder / "records.db"
        self.metrics = Metrics()
        self.view: View | None = None
        self.fitness: FitnessCheck | None = None
        self.model = model
        self.patience = Patience(late_s=0.6)
        self.audit_share, self.known_bad = 0.0, frozenset[str]()  # of the recipe
        images = ImageWriter(PictureFolder(folder / "pictures"), ImagePolicy())
        config = StationConfig(name="test", handshake=HandshakeConfig(window_s=0.8, capacity=4, plc_timeout_s=1.0))
        spool = Spool(self.records, station="test")
        self.station = Station(config, self.plc, self._load, spool, images, self.metrics)
        self._thread = threading.Thread(target=self.station.run, args=(1,), name="station")

    def _load(self, recipe: int, tell: Callable[[Seen], None]) -> Setup:
        if recipe > 2:
            raise OptionError(f"recipe {recipe}: there is no such recipe.")
        if recipe == 2:  # it takes as long as some part that is still judged by the first one
            judged = self._judged()
            until(lambda: self._judged() > judged)
        plan = ViewPlan(
            name="top",
            work=Work(model=self.model, shape=(24, 32, 1), reject_at=100.0 if recipe == 1 else 20.0),
            patience=self.patience,
            judging=Judging(restarts=100, judge_s=10.0),
        )
        self.view = View(plan, self.photographer, self.fitness, tell)
        until(lambda: self.view is not None and self.view.judge.pid is not None)
        return Setup(
            product="part",
            recipe=recipe,
            views=(self.view,),
            fuse=worst,
            window_s=0.8,
            audit_share=self.audit_share,
            challenge_serials=self.known_bad,
        )

    def _judged(self) -> int:
        return sum(self.station.board.counted(verdict) for verdict in ("PASS", "REJECT"))

    def __enter__(self) -> "Plant":
        self._thread.start()
        until(lambda: self.station.board.status()["ready"] or self.station.board.status()["word"] == "WAITING")
        return self

    def __exit__(self, *_: object) -> None:
        self.station.stop()
        self._thread.join(GRACE_S)
        assert not self._thread.is_alive()
        self.photographer.close()

    def run_dry(self) -> None:
        self.plc.start()
        until(self.plc.is_empty)

    def records_by_part(self) -> dict[int, str]:
        return {record.part_id: record.verdict for record in self.history()}

    def kinds(self) -> dict[int, str]:
        return {record.part_id: json.loads(record.document)["kind"] for record in self.history()}

    def history(self) -> list[Recorded]:
        with closing(History(self.records)) as history:
            found = history.newest(10_000)
        assert len({record.part_id for record in found}) == len(found), "one record for each part"
        return found


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + GRACE_S
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def belt(parts: int, **more: float) -> BeltConfig:
    return BeltConfig(parts=parts, speed_mm_s=400.0, gate_mm=600.0, bad_share=0.3, **more)  # type: ignore[arg-type]


@pytest.fixture
def open_plant(tmp_path: Path, brightness: Path) -> Iterator[Callable[..., Plant]]:
    return lambda belt, rule=GateRule.RESULT: Plant(tmp_path, brightness, belt, rule)  # type: ignore[return-value]


def escapes(plant: Plant) -> list[int]:
    return [fallen.part.number for fallen in plant.plc.fallen if fallen.is_escape]


@pytest.mark.parametrize(("triggers", "owed"), [("hardware", 3), ("software", 0)])
def test_parts_whose_triggers_were_never_seen_are_counted_and_their_pictures_counted_off(
    open_plant: Callable[..., Plant], triggers: str, owed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, passed_over = open_plant(belt(4)), list[float]()
    plant.patience = Patience(late_s=0.6, delay_s=None if triggers == "hardware" else 0.1)
    monkeypatch.setattr(plant.photographer, "pass_over", passed_over.append)
    with plant:
        plant.plc.start()
        until(lambda: len(plant.records_by_part()) >= 1)
        plant.plc._next_id += 3
        until(plant.plc.is_empty)
        until(lambda: len(plant.records_by_part()) == 4)
        assert b"sightline_line_unseen_triggers_total 3.0" in plant.metrics.page()
    assert len(passed_over) == owed
    assert passed_over == sorted(set(passed_over)), "one after the other"


def test_every_part_falls_where_it_should_and_has_one_record(open_plant: Callable[..., Plant]) -> None:
    with open_plant(belt(25)) as plant:
        plant.run_dry()
        until(lambda: len(plant.records_by_part()) == 25)
        assert not escapes(plant)
        verdicts = plant.records_by_part()
        for fallen in plant.plc.fallen:
            number = fallen.part.number
            if verdicts[number] == "PASS":
                assert fallen.part.truth is Truth.GOOD
            if verdicts[number] != "PASS":
                assert fallen.bin is Bin.REJECT
        assert sum(verdict == "PASS" for verdict in verdicts.values()) > 5
        assert plant.station.board.status()["counts"]["triggers"] == 25


def test_a_worker_that_is_killed_lets_no_bad_part_through(open_plant: Callable[..., Plant]) -> None:
    with open_plant(belt(25)) as plant:
        plant.plc.start()
        for _ in range(3):
            until(lambda: plant.view is not None and plant.view.judge.pid is not None)
            assert plant.view is not None
            pid = plant.view.judge.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: plant.view.judge.pid not in (None, pid))  # type: ignore[misc]
        until(plant.plc.is_empty)
        assert not escapes(plant)


def test_a_camera_that_is_gone_or_slow_rejects(open_plant: Callable[..., Plant]) -> None:
    with open_plant(belt(16)) as plant:
        plant.plc.start()
        until(lambda: len(plant.plc.fallen) >= 3)
        plant.camera.gone = True
        until(lambda: plant.station.board.status()["error"] == 106)
        plant.camera.gone = False
        until(lambda: plant.station.board.status()["error"] == 0)
        plant.camera.stall_s = 2.0
        until(plant.plc.is_empty)
        assert not escapes(plant)


def test_a_cut_link_rejects_what_is_on_the_way_and_work_goes_on(open_plant: Callable[..., Plant]) -> None:
    with open_plant(belt(30)) as plant:
        plant.plc.start()
        until(lambda: len(plant.plc.fallen) >= 3)
        plant.plc.cut_link(1.5)
        until(plant.plc.is_empty)
        assert not escapes(plant)
        assert plant.plc.tally[Truth.GOOD, Bin.GOOD] > 0


def test_after_a_change_of_recipe_no_part_is_judged_by_the_old_one(open_plant: Callable[..., Plant]) -> None:
    with open_plant(belt(30)) as plant:
        plant.plc.start()
        until(lambda: len(plant.plc.fallen) >= 5)
        plant.plc.ask_recipe(2)  # rejects everything
        until(lambda: "recipe 2" in plant.station.board.status()["product"])
        changed = plant.station.board.status()["counts"]["triggers"]
        until(plant.plc.is_empty)
        verdicts = plant.records_by_part()
        assert all(verdict != "PASS" for number, verdict in verdicts.items() if number > changed)
        plant.plc.ask_recipe(9)
        until(lambda: plant.station.board.status()["error"] in (103, 104))


def test_pictures_that_are_not_as_at_the_set_up_hold_the_station_until_a_reset(
    open_plant: Callable[..., Plant],
) -> None:
    plant = open_plant(belt(40))
    noise = np.random.default_rng(0).integers(0, 90, (24, 32, 1)).astype(np.uint8)
    limits = FitnessLimits(least_sharpness=0.5, least_contrast=0.0, frozen_after=None, off_after=2)
    plant.fitness = FitnessCheck(limits, reference_of(Frame(pixels=noise)))
    with plant:
        plant.plc.start()
        until(lambda: plant.station.board.status()["error"] == Fault.REFERENCE_OFF)
        assert any("View top" in alarm for alarm in plant.station.board.status()["alarms"])
        plant.plc.reset()
        until(lambda: plant.station.board.status()["error"] == 0)
        until(lambda: plant.station.board.status()["error"] == Fault.REFERENCE_OFF)
        assert plant.plc.tally[Truth.GOOD, Bin.GOOD] == 0


def test_a_challenge_known_by_its_serial_that_is_missed_stops_the_line_until_a_reset(
    open_plant: Callable[..., Plant],
) -> None:
    plant = open_plant(BeltConfig(parts=14, speed_mm_s=400.0, gate_mm=600.0, bad_share=0.0))
    plant.known_bad = frozenset({"S0000004"})  # it looks good to the model
    with plant:
        plant.plc.start()
        status = plant.station.board.status
        until(lambda: status()["error"] == Fault.CHALLENGE_MISSED)
        assert any("S0000004" in alarm for alarm in status()["alarms"])
        assert not status()["ready"]
        plant.plc.reset()
        until(lambda: status()["error"] == 0)
        until(plant.plc.is_empty)
        until(lambda: len(plant.records_by_part()) == 14)
        kinds, verdicts = plant.kinds(), plant.records_by_part()
    assert [number for number, kind in kinds.items() if kind == "challenge"] == [4]
    assert verdicts[4] == "FAULT"
    fallen = {fallen.part.number: fallen.bin for fallen in plant.plc.fallen}
    assert fallen[4] is Bin.REJECT
    assert "PASS" in {verdict for number, verdict in verdicts.items() if number > 4}, "it goes on after the reset"


def test_a_share_of_the_parts_that_passed_is_drawn_for_people_to_look_at(open_plant: Callable[..., Plant]) -> None:
    plant = open_plant(belt(24))
    plant.audit_share = 0.5
    with plant:
        plant.run_dry()
        until(lambda: len(plant.records_by_part()) == 24)
        kinds, verdicts = plant.kinds(), plant.records_by_part()
    passed = {kinds[number] for number, verdict in verdicts.items() if verdict == "PASS"}
    assert passed == {"audit", "production"}, "some, and not all"
    assert {kinds[number] for number, verdict in verdicts.items() if verdict != "PASS"} == {"production"}


def test_a_station_that_does_not_track_opens_no_gate(open_plant: Callable[..., Plant]) -> None:
    plant = open_plant(belt(12), GateRule.STATION)
    with plant:
        plant.run_dry()
        assert not escapes(plant)
        assert plant.plc.tally[Truth.GOOD, Bin.GOOD] == 0, "a station that does not track opens nothing"
