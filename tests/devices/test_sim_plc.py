"""The simulated PLC does what a PLC does, misbehaves as it is told, and sees an escape when there is one."""

import threading
from dataclasses import replace

import pytest

from sightline.devices.clock import MonotonicClock, SimClock
from sightline.devices.plc import SAFE, Answer, Plc, Request
from sightline.devices.sim_belt import Belt, BeltConfig, Bin, Truth
from sightline.devices.sim_plc import Acknowledging, GateRule, Reason, SimPlc, SimPlcConfig
from sightline.errors import DeviceLost

BELT = BeltConfig(parts=12, bad_share=0.5, challenge_share=0.1, seed=3)


class Bench:
    """A station that says OK to everything, or nothing at all."""

    def __init__(self, *, agrees: bool = True, belt: BeltConfig = BELT, rule: GateRule = GateRule.RESULT) -> None:
        self.clock = SimClock(7.0)
        self.sim = SimPlc(self.clock, SimPlcConfig(belt=belt, gate_rule=rule))
        self.agrees = agrees
        self.answer = SAFE
        self.requests: list[Request] = []

    def cycle(self) -> Request:
        plc: Plc = self.sim
        self.clock.sleep(0.005)
        request = plc.read()
        shown = request.part_id if self.agrees and request.trigger else self.answer.result_id
        self.answer = Answer(
            ready=True,
            taken=request.trigger,
            taken_id=request.part_id,
            valid=shown > 0,
            ok=shown > 0,
            result_id=shown,
            gate_open=self.agrees,
            heartbeat=self.answer.heartbeat + 1,
        )
        plc.write(self.answer)
        self.requests.append(request)
        return request

    def run(self, duration_s: float) -> None:
        end_s = self.clock.now_s() + duration_s
        while self.clock.now_s() < end_s:
            self.cycle()

    def run_out(self) -> None:
        while not self.sim.is_empty():
            self.cycle()


@pytest.mark.parametrize("rule", GateRule)
def test_a_station_that_passes_everything_is_caught(rule: GateRule) -> None:
    bench = Bench(rule=rule)
    bench.sim.start()
    bench.run_out()
    assert {fallen.bin for fallen in bench.sim.fallen} == {Bin.GOOD}
    escapes = sum(fallen.is_escape for fallen in bench.sim.fallen)
    assert escapes == sum(fallen.part.truth is not Truth.GOOD for fallen in bench.sim.fallen) > 3
    assert bench.sim.tally.total() == 12


def test_an_empty_conveyor_that_is_fed_goes_on_with_the_next_numbers() -> None:
    bench = Bench()
    bench.sim.start()
    bench.run_out()
    bench.sim.feed()
    bench.run(5.0)
    assert not bench.sim.is_empty()
    numbers = [fallen.part.number for fallen in bench.sim.fallen]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 12


@pytest.mark.parametrize("rule", GateRule)
def test_a_gate_that_is_told_nothing_rejects(rule: GateRule) -> None:
    bench = Bench(agrees=False, rule=rule)
    bench.sim.start()
    bench.run_out()
    assert {(fallen.bin, fallen.reason) for fallen in bench.sim.fallen} == {(Bin.REJECT, Reason.NO_RESULT)}


def test_a_gate_that_the_station_moves_shuts_when_its_heart_stops() -> None:
    bench = Bench(rule=GateRule.STATION)
    bench.sim.start()
    bench.run(0.5)
    assert bench.sim.belt.gate_is_open
    bench.clock.sleep(0.1)
    bench.sim.read()
    assert not bench.sim.belt.gate_is_open


def test_the_same_seed_gives_the_same_run() -> None:
    runs = []
    for _ in range(2):
        bench = Bench()
        bench.sim.start()
        bench.run_out()
        runs.append((bench.requests, list(bench.sim.fallen)))
    assert runs[0] == runs[1]


def test_triggers_are_announced_with_what_is_known() -> None:
    bench = Bench()
    bench.sim.start()
    bench.run_out()
    announced = {request.part_id: request for request in bench.requests if request.trigger}
    truths = {fallen.part.number: fallen.part.truth for fallen in bench.sim.fallen}
    assert sorted(announced) == list(range(1, 13))
    assert {number for number, request in announced.items() if request.challenge} == {
        number for number, truth in truths.items() if truth is Truth.CHALLENGE
    }
    assert announced[5].serial == "S0000005"
    counts = [request.encoder for request in announced.values() if request.encoder is not None]
    assert counts == sorted(counts)
    assert counts[-1] > 9 * 1000


def test_a_cut_link_and_a_closed_plc_say_so() -> None:
    bench = Bench()
    bench.sim.start()
    bench.run(0.1)
    bench.sim.cut_link(0.5)
    with pytest.raises(DeviceLost, match="sim-plc"):
        bench.sim.read()
    with pytest.raises(DeviceLost):
        bench.sim.write(SAFE)
    bench.clock.sleep(0.51)
    bench.cycle()
    bench.sim.close()
    bench.sim.close()
    with pytest.raises(DeviceLost):
        bench.sim.read()


def test_the_conveyor_obeys() -> None:
    bench = Bench()
    assert not bench.cycle().enabled
    bench.sim.start(0.5)
    bench.run(1.0)
    assert bench.sim.belt.speed_mm_s == 250.0
    assert bench.cycle().enabled
    bench.sim.stop()
    assert bench.cycle().enabled  # it still runs out
    bench.run(0.2)
    assert (bench.sim.belt.speed_mm_s, bench.cycle().enabled) == (0.0, False)
    bench.sim.start()
    bench.run(0.2)
    bench.sim.emergency_stop()
    there = bench.sim.belt.travelled_mm
    assert not bench.cycle().enabled
    bench.sim.jog_back(30.0)
    bench.run(1.0)
    assert there - bench.sim.belt.travelled_mm == pytest.approx(30.0, abs=1.0)
    assert not bench.cycle().enabled


def test_signals_can_be_disturbed() -> None:
    bench = Bench()
    bench.run(0.5)
    bench.sim.freeze_heartbeat(1.0)
    beats = set()
    for _ in range(150):
        beats.add(bench.cycle().heartbeat)
    assert len(beats) == 1
    bench.run(0.5)
    assert bench.cycle().heartbeat not in beats
    bench.sim.ask_recipe(9)
    bench.sim.reset()
    request = bench.cycle()
    assert (request.recipe, request.reset) == (9, True)
    bench.run(0.3)
    assert not bench.cycle().reset


def test_a_part_sensed_twice_has_two_numbers_and_one_not_sensed_has_none() -> None:
    bench = Bench()
    bench.sim.double_trigger(2)
    bench.sim.start()
    bench.run(0.8)
    bench.sim.blind_sensor(2)
    bench.run_out()
    assert len({request.part_id for request in bench.requests if request.trigger}) == 12
    assert [fallen.reason for fallen in bench.sim.fallen].count(Reason.NOT_ANNOUNCED) == 2


def test_a_part_that_was_not_taken_in_time_does_not_pass_whatever_is_said_of_it_later() -> None:
    bench = Bench(agrees=False)
    bench.sim.start()
    while not (request := bench.sim.read()).trigger:
        bench.clock.sleep(0.005)
    bench.clock.sleep(bench.sim.config.trigger_timeout_s + 0.05)
    assert not bench.sim.read().trigger
    bench.sim.write(replace(SAFE, valid=True, ok=True, result_id=request.part_id))
    bench.run_out()
    fallen = next(one for one in bench.sim.fallen if one.part.number == 1)
    assert (fallen.reason, fallen.bin) == (Reason.FAULT, Bin.REJECT)


@pytest.mark.parametrize("how", Acknowledging)
def test_acknowledgements_come_as_set(how: Acknowledging) -> None:
    bench = Bench(agrees=False)
    bench.sim.acknowledging = how
    bench.cycle()
    bench.sim.write(replace(SAFE, valid=True, ng=True, result_id=41))
    seen = []
    for _ in range(80):
        bench.clock.sleep(0.005)
        seen.append(bench.sim.read().acknowledged_id)
    expected = {
        Acknowledging.PROMPT: {41},
        Acknowledging.DROPPED: {0},
        Acknowledging.REPEATED: {0, 41},
        Acknowledging.OUT_OF_ORDER: {42, 41},
        Acknowledging.LATE: {0, 41},
    }
    assert set(seen) == expected[how]
    assert seen.index(41) > 50 if how is Acknowledging.LATE else True


def test_a_camera_sees_the_part_in_front_of_it() -> None:
    bench = Bench(belt=replace(BELT, pitch_mm=(100.0, 100.0)))
    bench.sim.start()
    while not bench.cycle().trigger:
        assert bench.sim.in_view(0.0, 20.0) is None or bench.sim.belt.travelled_mm > 79
    first = bench.sim.in_view(0.0, 20.0)
    assert first is not None
    assert first.number == 1
    bench.run(0.2)
    there = bench.sim.in_view(100.0, 20.0)
    assert there == first
    second = bench.sim.in_view(0.0, 20.0)
    assert second is not None
    assert second.number == 2


def test_an_encoder_wraps_around_and_can_be_missing() -> None:
    belt = Belt(BELT)
    belt.travelled_mm = 2**31 * 0.1
    assert belt.encoder() == -(2**31)
    sim = SimPlc(SimClock(), SimPlcConfig(belt=BELT, encoder=False))
    assert sim.read().encoder is None


def test_it_runs_in_real_time_and_is_asked_from_several_threads() -> None:
    sim = SimPlc(MonotonicClock(), SimPlcConfig(belt=BELT))
    sim.start()
    askers = [threading.Thread(target=lambda: [sim.in_view() for _ in range(50)]) for _ in range(3)]
    for asker in askers:
        asker.start()
    deadline_s, clock = MonotonicClock().now_s() + 20.0, MonotonicClock()
    while not sim.read().trigger and clock.now_s() < deadline_s:
        clock.sleep(0.002)
    for asker in askers:
        asker.join()
    assert sim.belt.travelled_mm > 90


def test_what_the_sensor_saw_is_told_once_whether_the_station_read_of_it_or_not() -> None:
    bench = Bench(agrees=False)
    bench.sim.start()
    told: list[tuple[int, int]] = []
    while not bench.sim.is_empty():
        bench.clock.sleep(0.005)  # nobody reads
        told += [(number, part.number) for number, part in bench.sim.sensed(told[-1][0] if told else 0)]
    assert told == [(number, number) for number in range(1, 13)]
