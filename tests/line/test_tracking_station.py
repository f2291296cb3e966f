"""The whole station where it moves the gate by an encoder: which part falls where, whatever the conveyor does."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.line.deadline import until

from sightline.devices.clock import SimClock
from sightline.devices.plc import SAFE, Answer, Request
from sightline.devices.sim_belt import BeltConfig, Bin, Truth
from sightline.devices.sim_camera import SimCamera, SimDevice
from sightline.devices.sim_plc import GateRule, SimPlc, SimPlcConfig
from sightline.errors import DeviceLost
from sightline.line.faults import Fault
from sightline.line.fusion import fuse
from sightline.line.handshake import HandshakeConfig
from sightline.line.history import History
from sightline.line.images import ImagePolicy, ImageWriter
from sightline.line.judge import Patience as Judging
from sightline.line.metrics import Metrics
from sightline.line.photographer import Patience, Photographer
from sightline.line.pictures import PictureFolder
from sightline.line.setup import Setup
from sightline.line.spool import Spool
from sightline.line.station import Station, StationConfig
from sightline.line.tracking import Track, track_of
from sightline.line.view import Seen, View, ViewPlan
from sightline.line.worker import Work
from sightline.records import Frame

pytest.importorskip("prometheus_client")
GRACE_S = 90.0
MOST_S = 0.008  # of the conveyor's time between two readings, on a machine however busy
SPEED_MM_S = 400.0
BELT = BeltConfig(pitch_mm=(120.0, 160.0), bad_share=0.3, speed_mm_s=SPEED_MM_S, gate_mm=600.0, seed=3)
TRACK = track_of(
    counts_per_mm=10.0,
    speed_mm_s=SPEED_MM_S,
    gate_mm=BELT.gate_mm,
    pitch_mm=BELT.pitch_mm[0],
    before_mm=15.0,
    after_mm=15.0,
    open_s=BELT.actuator_s,
    shut_s=BELT.actuator_s,
    cycle_s=0.02,
    watch_s=0.05,
    reverse_mm=300.0,
)
EMPTY = 150  # what a camera sees of a conveyor without a part: not good


class Cable:
    """What a station has of the PLC; the conveyor's time goes on with each reading, in step with the machine's."""

    def __init__(self, plc: SimPlc, clock: SimClock) -> None:
        self.without_count = False  # the encoder's
        self.ahead = 0  # by so many counts the encoder was set anew
        self.breaks = False  # the encoder's coupling, when the gate is next open
        self.broken_mm: float | None = None  # where the conveyor was then
        self._count = 0
        self.cut = False
        self._plc, self._clock, self._read_s = plc, clock, time.monotonic()

    def read(self) -> Request:
        if self.cut:
            raise DeviceLost("plc", "the cable is cut.")
        before_s, self._read_s = self._read_s, time.monotonic()
        self._clock.sleep(min(self._read_s - before_s, MOST_S))
        request = self._plc.read()
        assert request.encoder is not None
        if self.broken_mm is None:
            self._count = request.encoder + self.ahead
        return replace(request, encoder=None if self.without_count else self._count)

    def write(self, answer: Answer) -> None:
        if self.cut:
            raise DeviceLost("plc", "the cable is cut.")
        if self.breaks and self.broken_mm is None and answer.gate_open:
            self.broken_mm = self._plc.belt.travelled_mm
        self._plc.write(answer)

    def close(self) -> None:
        if not self.cut:
            self._plc.write(SAFE)


class Works:
    """A conveyor with its PLC and camera, which outlive the stations beside it."""

    def __init__(self, folder: Path, model: Path, parts: int, track: Track) -> None:
        self.clock = SimClock()
        config = SimPlcConfig(belt=replace(BELT, parts=parts), gate_rule=GateRule.STATION, trigger_timeout_s=1.0)
        self.plc = SimPlc(self.clock, config)
        self.device = SimDevice(self._seen)
        self.folder, self.model, self.track, self.started = folder, model, track, 0

    def _seen(self, _: int) -> Frame:
        part = self.plc.in_view(0.0, 60.0)
        value = EMPTY if part is None else 40 if part.truth is Truth.GOOD else 200
        return Frame(pixels=np.full((24, 32, 1), value, np.uint8))

    def station(self, clear_s: float = GRACE_S) -> "Beside":
        """A station beside it, as it starts."""
        self.started += 1
        return Beside(self, self.folder / str(self.started), clear_s)

    def run_dry(self) -> None:
        self.plc.start()
        until(self.plc.is_empty, GRACE_S)

    def until_fallen(self, parts: int) -> None:
        until(lambda: len(self.plc.fallen) >= parts, GRACE_S)

    def run_dry_alone(self) -> None:
        """With no station beside it."""
        self.plc.start()
        while not self.plc.is_empty():
            self.clock.sleep(0.1)

    def run_for(self, way_mm: float) -> None:
        end_mm = self.plc.belt.travelled_mm + way_mm
        until(lambda: self.plc.belt.travelled_mm >= end_mm, GRACE_S)

    def bins(self) -> dict[int, Bin]:
        return {fallen.part.number: fallen.bin for fallen in self.plc.fallen}

    def on_the_way(self) -> set[int]:
        """Parts between camera and gate."""
        return {part.number for _, part in self.plc.sensed(0)} - self.bins().keys()

    def good(self) -> set[int]:
        """The good parts that fell."""
        return {fallen.part.number for fallen in self.plc.fallen if fallen.part.truth is Truth.GOOD}

    def passed(self) -> set[int]:
        """Those that fell into the good bin, among which no bad one is."""
        found = {fallen.part.number for fallen in self.plc.fallen if fallen.bin is Bin.GOOD}
        assert found <= self.good(), "a bad part passed"
        return found


class Beside:
    """A station at work; a context."""

    def __init__(self, works: Works, folder: Path, clear_s: float) -> None:
        self.works, self.records = works, folder / "records.db"
        folder.mkdir()
        self.cable = Cable(works.plc, works.clock)
        self.photographer = Photographer("top", SimCamera("top", works.device))
        config = StationConfig(
            name="test",
            handshake=HandshakeConfig(window_s=1.0, capacity=8, heartbeat_s=0.0, most_gap_s=1.0),
            track=works.track,
        )
        images = ImageWriter(PictureFolder(folder / "pictures"), ImagePolicy())
        spool = Spool(self.records, station="test")
        self.station = Station(config, self.cable, self._load, spool, images, Metrics())
        words = {"clear_s": clear_s}
        self._thread = threading.Thread(target=self.station.run, args=(1,), kwargs=words, name="station")

    def _load(self, recipe: int, tell: Callable[[Seen], None]) -> Setup:
        plan = ViewPlan(
            name="top",
            work=Work(model=self.works.model, shape=(24, 32, 1), reject_at=100.0),
            patience=Patience(late_s=0.8, delay_s=0.2),
            judging=Judging(restarts=100, judge_s=10.0),
        )
        view = View(plan, self.photographer, None, tell)
        until(lambda: view.judge.pid is not None, GRACE_S)
        return Setup(product="part", recipe=recipe, views=(view,), fuse=partial(fuse, {"top": 1.0}), window_s=1.0)

    def __enter__(self) -> "Beside":
        self._thread.start()
        until(lambda: self.status()["word"] == "WAITING" or self.status()["ready"], GRACE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.station.stop()
        self._thread.join(GRACE_S)
        assert not self._thread.is_alive()
        self.photographer.close()

    def status(self) -> Mapping[str, Any]:
        return self.station.board.status()

    def verdicts(self) -> dict[int, str]:
        """By the part's place on the conveyor; of one that was announced twice, the newest."""
        with closing(History(self.records)) as history:
            return {int(one.serial[1:]): one.verdict for one in reversed(history.newest(10_000))}

    def passing(self) -> set[int]:
        return {number for number, verdict in self.verdicts().items() if verdict == "PASS"}


@pytest.fixture
def open_works(tmp_path: Path, brightness: Path) -> Iterator[Callable[..., Works]]:
    return lambda parts, track=TRACK: Works(tmp_path, brightness, parts, track)  # type: ignore[return-value]


def test_in_normal_running_each_part_falls_as_it_was_judged(open_works: Callable[..., Works]) -> None:
    works = open_works(14)
    with works.station() as beside:
        works.run_dry()
    assert works.passed() == works.good()
    assert len(works.good()) > 5
    assert beside.passing() == works.good()


def test_start_slow_stop_and_emergency_stop_misplace_no_part(open_works: Callable[..., Works]) -> None:
    works = open_works(16)
    with works.station() as beside:
        for share in (0.4, 0.8):
            works.plc.start(share)
            works.run_for(330.0)
            works.plc.stop()
            until(lambda: works.plc.belt.speed_mm_s == 0, GRACE_S)
            works.plc.start()
            works.run_for(250.0)
            works.plc.emergency_stop()
            until(lambda: beside.status()["word"] == "WAITING", GRACE_S)
        works.run_dry()
    assert works.passed() == beside.passing()
    assert len(works.good() - beside.passing()) <= 4, "those that were announced while the conveyor stopped"


def test_a_reverse_jog_misplaces_no_part(open_works: Callable[..., Works]) -> None:
    works = open_works(14)
    with works.station() as beside:
        for way_mm in (40.0, 150.0, 290.0):
            works.plc.start()
            works.run_for(way_mm + 400.0)
            works.plc.jog_back(way_mm)
            until(lambda: works.plc.belt.speed_mm_s < 0, GRACE_S)
            until(lambda: works.plc.belt.speed_mm_s == 0, GRACE_S)
        works.run_dry()
    assert works.passed() == beside.passing()
    assert len(works.good() - beside.passing()) <= 3


def test_a_part_whose_trigger_was_missed_is_rejected_and_its_neighbours_are_not(
    open_works: Callable[..., Works],
) -> None:
    works = open_works(12)
    with works.station() as beside:
        works.plc.start()
        works.until_fallen(2)
        works.plc.blind_sensor(2)
        works.run_dry()
    verdicts = beside.verdicts()
    unseen = set(works.bins()) - set(verdicts)
    assert len(unseen) == 2
    assert works.passed() == works.good() - unseen


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_station_that_starts_again_rejects_what_is_on_the_way(open_works: Callable[..., Works], end: str) -> None:
    works = open_works(16)
    with works.station() as first:
        works.plc.start()
        works.until_fallen(4)
        first.cable.cut = end == "killed"  # it says no more, and leaves the gate as it was
    on_the_way = works.on_the_way()
    works.clock.sleep(0.4)
    with works.station() as second:
        works.run_dry()
    passing = first.passing() | second.passing()
    assert on_the_way & works.good()
    assert works.passed() == passing - on_the_way
    assert works.passed() & second.passing()


def test_a_station_told_to_stop_takes_no_more_parts_and_lets_the_good_ones_on_the_way_pass(
    open_works: Callable[..., Works],
) -> None:
    works = open_works(16)
    with works.station() as beside:
        works.plc.start()
        works.until_fallen(4)
        until(lambda: len(works.on_the_way() & beside.passing()) >= 2, GRACE_S)
        on_the_way = works.on_the_way() & beside.passing()
    works.run_dry_alone()
    assert on_the_way <= works.passed()
    assert works.passed() == beside.passing()
    assert works.good() - works.passed(), "those that came to the camera after that"


@pytest.mark.parametrize("end", ["its time is up", "told again"])
def test_good_parts_before_a_gate_that_they_do_not_reach_hold_up_no_stop(
    open_works: Callable[..., Works], caplog: pytest.LogCaptureFixture, end: str
) -> None:
    works = open_works(16)
    with works.station(clear_s=0.5 if end == "its time is up" else 10 * GRACE_S) as beside:
        works.plc.start()
        works.until_fallen(2)
        until(lambda: len(works.on_the_way() & beside.passing()) >= 2, GRACE_S)
        works.plc.emergency_stop()
        beside.station.stop()
        until(lambda: beside.status()["error"] == Fault.STOPPING, GRACE_S)
        if end == "told again":
            beside.station.end()
    on_the_way = works.on_the_way() & beside.passing()
    works.run_dry_alone()
    assert on_the_way
    assert not on_the_way & works.passed()
    assert f"{len(on_the_way)} good parts are still before the gate" in caplog.text


def test_an_encoder_that_breaks_while_the_gate_is_open_leaves_it_open_for_no_more_than_a_moment(
    open_works: Callable[..., Works],
) -> None:
    works = open_works(16)
    with works.station() as beside:
        works.plc.start()
        works.until_fallen(2)
        beside.cable.breaks = True
        until(lambda: beside.status()["error"] == Fault.ENCODER_LOST, GRACE_S)
        works.run_dry()
    assert beside.cable.broken_mm is not None
    shut_mm = beside.cable.broken_mm + (TRACK.stands_s + 0.2) * SPEED_MM_S
    later = [one for one in works.plc.fallen if one.part.place_mm + BELT.gate_mm > shut_mm]
    assert {one.bin for one in later} == {Bin.REJECT}


def test_what_is_on_the_way_while_the_count_is_missing_is_rejected(open_works: Callable[..., Works]) -> None:
    works = open_works(16)
    with works.station() as beside:
        works.plc.start()
        works.until_fallen(3)
        beside.cable.without_count = True
        until(lambda: beside.status()["error"] == Fault.ENCODER_LOST, GRACE_S)
        on_the_way = works.on_the_way()
        beside.cable.without_count = False
        works.run_dry()
    assert on_the_way
    assert not on_the_way & works.passed()
    later = works.good() - on_the_way
    assert len(later - works.passed()) <= 1


@pytest.fixture
def by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[SimClock, SimPlc, Station]:
    """A station without an encoder and without a recipe, to be cycled by hand, and closed."""
    clock = SimClock()
    plc = SimPlc(clock, SimPlcConfig(belt=BELT, encoder=False, recipe=0))
    config = StationConfig(name="test", handshake=HandshakeConfig(window_s=1.0), track=TRACK, by_time=True)
    images = ImageWriter(PictureFolder(tmp_path / "pictures"), ImagePolicy())
    spool = Spool(tmp_path / "records.db", station="test")
    station = Station(config, plc, lambda *_: pytest.fail("no recipe is asked for"), spool, images, Metrics())
    monkeypatch.setattr(station, "_clock", clock)
    return clock, plc, station


def test_without_an_encoder_the_time_between_two_readings_is_doubt_about_a_parts_place(
    by_time: tuple[SimClock, SimPlc, Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    (clock, plc, station), entered = by_time, list[tuple[int, int | None]]()
    monkeypatch.setattr(station._tracker, "enter", lambda _, place, since: entered.append((place, since)))
    plc.start()
    while not entered:
        clock.sleep(0.03)
        station.cycle()
    station.close()
    place, since = entered[0]
    assert since == place - 30


def test_without_an_encoder_no_part_passes_that_was_on_the_way_while_the_line_stopped_unseen(
    by_time: tuple[SimClock, SimPlc, Station],
) -> None:
    clock, plc, station = by_time
    tracker = station._tracker
    assert tracker is not None
    for stops, silence_s, passing in ((False, 0.15, 1), (True, 0.02, 1), (True, 0.16, 0), (False, 0.21, 0)):
        plc.start()
        for _ in range(3):
            clock.sleep(0.02)
            station.cycle()
        tracker.enter(1_000_000 + int(1e3 * silence_s), station._position or 0)
        assert tracker.release(1_000_000 + int(1e3 * silence_s))
        if stops:
            plc.emergency_stop()
        clock.sleep(silence_s)
        station.cycle()
        assert tracker.passing == passing, "150 ms of doubt are allowed for"
        tracker.condemn()
    station.close()


def test_what_is_on_the_way_when_the_count_jumps_is_rejected(open_works: Callable[..., Works]) -> None:
    works = open_works(16)
    with works.station() as beside:
        works.plc.start()
        works.until_fallen(3)
        on_the_way = works.on_the_way()
        beside.cable.ahead = 1300  # counts: about the way from part to part, so that each would be taken for another
        works.run_dry()
    assert on_the_way
    assert not on_the_way & works.passed()
    assert works.passed() <= beside.passing()
    assert len(works.good() - on_the_way - works.passed()) <= 1
