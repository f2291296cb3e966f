"""The line's promises in their short form; `make soak` runs the same functions at full size."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pymodbus")
pytest.importorskip("prometheus_client")
pytest.importorskip("asyncua")
pytest.importorskip("snap7")
pytest.importorskip("paho.mqtt")

import soak_line as line
import soak_process as process
import soak_scraper
import soak_trials as trials
from soak_host import near
from soak_opcua import SimOpcUa
from soak_surroundings import number_in, with_number

BUSY = trials.Limits(  # other tests run beside
    worker_s=60.0,
    silence_s=20.0,
    ready_s=90.0,
    camera_s=60.0,
    link_s=60.0,
    tail=100.0,
    missed_share=0.75,
    growth_per_hour=math.inf,
    more_files=4,
    unjudged_share=0.9,
)


def assert_held(trial: trials.Trial) -> None:
    assert trial.broken == (), trial
    assert trial.figures["parts"] > 0


def test_a_line_with_faults_of_all_kinds_lets_nothing_bad_pass(tmp_path: Path) -> None:
    assert_held(trials.injected_faults(tmp_path, 24))


def test_a_killed_worker_lets_nothing_bad_pass(tmp_path: Path) -> None:
    assert_held(trials.worker_kills(tmp_path, 2, limits=BUSY))


def test_a_worker_that_hangs_lets_nothing_bad_pass(tmp_path: Path) -> None:
    assert_held(trials.worker_hangs(tmp_path, 1, limits=BUSY))


def test_a_worker_that_keeps_dying_is_left_dead_until_a_reset(tmp_path: Path) -> None:
    assert_held(trials.restart_budget(tmp_path))


def test_an_unplugged_camera_lets_nothing_bad_pass_and_comes_back(tmp_path: Path) -> None:
    assert_held(trials.camera_unplugs(tmp_path, 2, limits=BUSY))


def test_a_cut_link_lets_nothing_bad_pass_and_comes_back(tmp_path: Path) -> None:
    assert_held(trials.link_cuts(tmp_path, 2, limits=BUSY))


def test_a_cut_link_by_opc_ua_with_security_lets_nothing_bad_pass_and_comes_back(tmp_path: Path) -> None:
    assert_held(trials.link_cuts(tmp_path, 1, limits=BUSY, wiring=SimOpcUa, protocol="OPC UA"))


def test_a_recovery_that_takes_longer_than_promised_is_told() -> None:
    assert trials.slow("another worker", [4.9, 5.0], trials.PROMISED.worker_s) == []
    assert trials.slow("another worker", [1.0, 5.1], 5.0) == ["another worker took 5.1 s, promised are 5"]


def test_the_wall_clock_may_be_set(tmp_path: Path) -> None:
    assert_held(trials.clock_steps(tmp_path, 12))


def test_a_long_tail_and_a_missed_window_break_the_promise_of_latency() -> None:
    even = [20.0] * 998
    held, broken = trials.told_latencies([*even, 59.0, 60.0], 1000, 200.0, trials.PROMISED)
    assert (held["p50 ms"], held["max ms"], broken) == (20.0, 60.0, [])
    _, broken = trials.told_latencies([*even, 61.0, 199.0], 1000, 200.0, trials.PROMISED)
    assert broken == ["p99.9 is 3.06 times p50, promised are 3"]
    _, broken = trials.told_latencies([*even, 20.0], 1000, 200.0, trials.PROMISED)
    assert broken == ["1 of 1000 parts missed their window of 200 ms"]
    assert trials.told_latencies([], 2, 200.0, trials.PROMISED) == ({}, ["no part had a result"])


def test_a_miss_is_laid_to_the_host_only_where_that_took_much_just_then() -> None:
    times_s, taken_s = [0.0, 10.0, 10.5, 11.0, 20.0], [5.0, 5.0, 5.1, 5.1, 5.1]
    assert near([3.0, 9.6, 11.4, 15.0], times_s, taken_s) == 2
    assert near([-1.0, 30.0], times_s, taken_s) == 0
    assert near([], times_s, taken_s) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="finds the station's processes in /proc")
def test_a_killed_station_loses_no_record_and_is_soon_ready_again(tmp_path: Path) -> None:
    assert_held(process.station_kills(tmp_path, 1, limits=BUSY))


@pytest.mark.skipif(sys.platform != "linux", reason="finds the station's processes in /proc")
def test_a_station_is_watched_as_users_start_it_with_all_that_stands_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak_scraper, "EVERY_S", 0.5)  # so that it would be asked while it ends, too
    trial = line.endurance(tmp_path, 3.0, line.Setting(rate_hz=5.0), limits=BUSY)
    assert_held(trial)
    assert trial.figures["delivered"] > 0
    assert trial.figures["scrapes"] >= 1
    assert len(trial.courses["MB"]) == len(trial.courses["files"]) == line.POINTS
    assert min(trial.courses["MB"]) > 10, "a station and its workers"


@pytest.mark.skipif(sys.platform != "linux", reason="finds the station's processes in /proc")
def test_latency_by_opc_ua_with_security_is_that_of_the_products_own_process(tmp_path: Path) -> None:
    setting = line.Setting(rate_hz=5.0, wiring=SimOpcUa, policy="all")
    trial = line.latency(tmp_path, 3.0, setting, "OPC UA", limits=BUSY)
    assert_held(trial)
    assert trial.figures["p50 ms"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="finds the station's processes in /proc")
def test_no_part_is_judged_by_anothers_picture_on_a_busy_machine(tmp_path: Path) -> None:
    trial = line.overload(tmp_path, 8.0, rate_hz=4.0, busy=4)
    assert_held(trial)
    assert trial.figures["pictures looked at"] > 0


def test_a_picture_carries_its_number_and_looks_as_before() -> None:
    pixels = np.arange(7 * 9, dtype=np.uint8).reshape(7, 9, 1)
    carrying = with_number(pixels, 123_456_789)
    assert number_in(carrying) == 123_456_789
    assert np.abs(carrying.astype(int) - pixels).max() == 1


def test_growth_is_that_of_the_line_through_all_points() -> None:
    hours = [0.2, 0.4, 0.6, 0.8, 1.0]
    assert line.growth_per_hour(hours, [100.0] * 5) == pytest.approx(0.0)
    assert line.growth_per_hour(hours, [100.0, 100.4, 100.8, 101.2, 101.6]) == pytest.approx(2.0)
