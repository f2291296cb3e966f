"""Looking at a station goes on whatever is seen, and no clock makes its records old at once."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from tests.line.deadline import until
from tests.line.parts import outcome

from sightline.line.board import Board
from sightline.line.history import History
from sightline.line.images import ImagePolicy, ImageWriter
from sightline.line.patient_clock import PatientClock
from sightline.line.pictures import PictureFolder
from sightline.line.spool import Spool
from sightline.line.station import Station

pytest.importorskip("prometheus_client")

from sightline.line.metrics import Metrics
from sightline.line.survey import Stores, Survey

DAY_S = 86_400.0
NOW = 1.8e9


@dataclass
class Stand:
    """In the place of a station: what a survey asks one."""

    board: Board = field(default_factory=lambda: Board("test"))
    metrics: Metrics = field(default_factory=Metrics)
    views: tuple[Any, ...] = ()
    bugs: int = 0  # of the next looks
    looks: int = 0

    def queues(self) -> dict[str, int]:
        self.looks += 1
        if self.looks <= self.bugs:
            raise RuntimeError("dictionary changed size during iteration")
        return {"parts": 0}


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """With a record of each of the last two days."""
    with (
        closing(Spool(tmp_path / "records.db", station="test")) as spool,
        closing(PictureFolder(tmp_path / "pictures")) as pictures,
        closing(ImageWriter(pictures, ImagePolicy())) as images,
    ):
        spool.record([outcome(number, unix_s=NOW - days * DAY_S) for number, days in ((1, 2.0), (2, 1.0))])
        yield Stores(folder=tmp_path, spool=spool, images=images, outbox=None, pictures=None, record_days=365.0)


def left(stores: Stores) -> int:
    with closing(History(stores.spool.path)) as history:
        return len(history.after(0, 100))


def surveyed(stores: Stores, clock: Callable[[], float]) -> int:
    """How many records there are after a first look."""
    stand = Stand()
    with closing(Survey(cast(Station, stand), stores, clock=clock)):
        until(lambda: stand.looks > 0)
    return left(stores)


def test_a_look_that_fails_is_counted_and_the_next_one_comes(stores: Stores) -> None:
    stand = Stand(bugs=1)
    with closing(Survey(cast(Station, stand), stores, clock=lambda: NOW)):
        until(lambda: [device.name for device in stand.board.devices] == ["disk", "survey"])
        assert "changed size" in stand.board.devices[-1].state
        until(lambda: [device.name for device in stand.board.devices] == ["disk"])
    assert b"sightline_line_surveys_failed_total 1.0" in stand.metrics.page()


def test_records_go_by_age(stores: Stores) -> None:
    assert surveyed(stores, lambda: NOW + 300 * DAY_S) == 2
    assert surveyed(stores, lambda: NOW + 364.5 * DAY_S) == 1
    assert surveyed(stores, lambda: NOW + 400 * DAY_S) == 0


def test_a_clock_that_is_set_forward_takes_no_record(stores: Stores) -> None:
    readings = itertools.chain([NOW], itertools.repeat(NOW + 400 * DAY_S))
    assert surveyed(stores, lambda: next(readings)) == 2


@dataclass
class Clocks:
    """One that people set, and one that nobody does."""

    wall_s: float = NOW
    elapsed_s: float = 5.0

    def passes(self, duration_s: float) -> None:
        self.wall_s += duration_s
        self.elapsed_s += duration_s


def test_time_that_passes_is_believed_and_a_step_forward_little_by_little() -> None:
    clocks = Clocks()
    clock = PatientClock(lambda: clocks.wall_s, lambda: clocks.elapsed_s)
    clocks.passes(DAY_S)
    assert clock.now_s() == NOW + DAY_S
    clocks.wall_s += 400 * DAY_S
    assert clock.now_s() == NOW + DAY_S
    clocks.passes(DAY_S)
    assert clock.now_s() == NOW + 11 * DAY_S
    clocks.wall_s -= 400 * DAY_S  # corrected
    assert clock.now_s() == NOW + 2 * DAY_S
    clocks.wall_s += 3 * DAY_S
    clocks.passes(DAY_S)
    assert clock.now_s() == clocks.wall_s


def test_the_machines_own_clock_is_followed() -> None:
    assert PatientClock().now_s() == pytest.approx(time.time(), abs=5.0)
