"""The line's promises in their short form; `make soak` runs the same functions at full size."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("pymodbus")
pytest.importorskip("prometheus_client")

import soak_process as process
import soak_trials as trials

BUSY = trials.Limits(worker_s=60.0, silence_s=20.0, ready_s=90.0, camera_s=60.0, link_s=60.0)  # other tests run beside


def assert_held(trial: trials.Trial) -> None:
    assert trial.broken == (), trial
    assert trial.figures["parts"] > 0


def test_a_line_with_faults_of_all_kinds_lets_nothing_bad_pass(tmp_path: Path) -> None:
    assert_held(trials.injected_faults(tmp_path, 24))


def test_a_killed_worker_lets_nothing_bad_pass(tmp_path: Path) -> None:
    assert_held(trials.worker_kills(tmp_path, 2, limits=BUSY))


def test_a_worker_that_keeps_dying_is_left_dead_until_a_reset(tmp_path: Path) -> None:
    assert_held(trials.restart_budget(tmp_path))


def test_an_unplugged_camera_lets_nothing_bad_pass_and_comes_back(tmp_path: Path) -> None:
    assert_held(trials.camera_unplugs(tmp_path, 2, limits=BUSY))


def test_a_cut_link_lets_nothing_bad_pass_and_comes_back(tmp_path: Path) -> None:
    assert_held(trials.link_cuts(tmp_path, 2, limits=BUSY))


def test_a_recovery_that_takes_longer_than_promised_is_told() -> None:
    assert trials.slow("another worker", [4.9, 5.0], trials.PROMISED.worker_s) == []
    assert trials.slow("another worker", [1.0, 5.1], 5.0) == ["another worker took 5.1 s, promised are 5"]


def test_the_wall_clock_may_be_set(tmp_path: Path) -> None:
    assert_held(trials.clock_steps(tmp_path, 12))


def test_latency_is_told_with_what_missed_the_window(tmp_path: Path) -> None:
    trial = trials.latency(tmp_path, 12, rate_hz=5.0)
    assert_held(trial)
    assert "p99.9 ms" in trial.figures


@pytest.mark.skipif(sys.platform != "linux", reason="finds the station's processes in /proc")
def test_a_killed_station_loses_no_record_and_is_soon_ready_again(tmp_path: Path) -> None:
    assert_held(process.station_kills(tmp_path, 1, limits=BUSY))
