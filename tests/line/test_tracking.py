"""When the gate is open: never for two parts of which one may not pass, never for a part that nobody released."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import OptionError
from sightline.line.tracking import Fate, Gate, RunningTime, Speedometer, Standstill, Track, Tracker, track_of

TRACK = Track(gate=1000, before=20, after=30, lead=10, lag=15, pitch=100, reverse=200)
WRAP = 2**31


def wrapped(position: int) -> int:
    return (position + WRAP) % (2 * WRAP) - WRAP


class Belt:
    """Steps a tracker one count at a time and notes where the gate was open."""

    def __init__(self, track: Track = TRACK, start: int = 0) -> None:
        self.tracker = Tracker(track)
        self.position = start
        self.tracker.step(wrapped(start))
        self.open: set[int] = set()
        self.shut_out: list[int] = []
        self.fates: dict[int, Fate] = {}

    def enter(self, sequence: int, *, released: bool) -> None:
        self.tracker.enter(sequence, wrapped(self.position))
        if released:
            assert self.tracker.release(sequence)

    def to(self, position: int, stride: int = 1) -> "Belt":
        way = range(self.position, position, stride if position > self.position else -stride)
        for at in [*way[1:], position]:
            self.note(at, self.tracker.step(wrapped(at)))
        return self

    def note(self, at: int, gate: Gate) -> None:
        self.position = at
        if gate.open:
            self.open.add(at)
        self.shut_out += gate.shut_out
        self.fates |= {departure.sequence: departure.fate for departure in gate.departures}


@pytest.mark.parametrize("start", [0, -5, WRAP - 990, WRAP - 1, -WRAP], ids=str)
def test_the_gate_is_open_for_a_released_part_from_before_until_after_it(start: int) -> None:
    belt = Belt(start=start)
    belt.enter(1, released=True)
    belt.to(start + 1300)
    assert belt.open == set(range(start + 970, start + 1031))
    assert belt.fates == {1: Fate.PASSED}
    assert len(belt.tracker) == 0


def test_the_gate_stays_shut_for_a_part_that_was_not_released() -> None:
    belt = Belt()
    belt.enter(1, released=False)
    belt.to(1300)
    assert (belt.open, belt.shut_out, belt.fates) == (set(), [1], {1: Fate.REJECTED})


def test_a_release_after_the_decision_is_refused() -> None:
    belt = Belt()
    belt.enter(1, released=False)
    belt.enter(2, released=False)
    belt.to(969)
    assert belt.tracker.release(1)
    belt.to(970)
    assert not belt.tracker.release(2)
    assert not belt.tracker.release(3)
    belt.to(1300)
    assert belt.open == set()
    assert belt.fates == {1: Fate.NEIGHBOUR, 2: Fate.REJECTED}


@pytest.mark.parametrize("released", [(True, False), (False, True)])
def test_two_parts_in_the_window_pass_together_or_not_at_all(released: tuple[bool, bool]) -> None:
    belt = Belt()
    belt.enter(1, released=released[0])
    belt.to(40)
    belt.enter(2, released=released[1])
    belt.to(1400)
    bad_mm = 0 if not released[0] else 40
    assert not belt.open & set(range(bad_mm + 970, bad_mm + 1031))
    both = Belt()
    both.enter(1, released=True)
    both.to(40)
    both.enter(2, released=True)
    both.to(1400)
    assert both.open == set(range(970, 1071))


def test_a_stop_a_jog_and_a_start_change_nothing() -> None:
    belt = Belt()
    belt.enter(1, released=True)
    belt.to(995).to(995).to(700).to(1050).to(900)
    assert belt.fates == {}
    assert belt.open == set(range(970, 1031))
    belt.open.clear()
    belt.to(1300)
    assert belt.open == set(range(970, 1031))
    assert belt.fates == {1: Fate.PASSED}


def test_a_part_that_was_shut_out_stays_so_when_it_goes_back() -> None:
    belt = Belt()
    belt.enter(1, released=False)
    belt.to(971).to(500)
    assert not belt.tracker.release(1)
    belt.to(1300)
    assert (belt.open, belt.shut_out) == (set(), [1])


def test_a_part_that_goes_back_before_the_camera_comes_anew() -> None:
    belt = Belt()
    belt.enter(1, released=True)
    belt.to(300).to(-20)
    assert belt.fates == {}
    belt.to(-21).to(1300)
    assert belt.fates == {1: Fate.RETURNED}
    assert belt.open == set()


def test_a_part_that_nobody_saw_for_the_whole_window_is_told() -> None:
    belt = Belt()
    belt.enter(1, released=True)
    belt.to(960)
    belt.note(1240, belt.tracker.step(1240))
    assert belt.fates == {1: Fate.SKIPPED}
    assert belt.open == set()


def test_a_count_set_anew_condemns_what_is_on_the_way() -> None:
    belt = Belt()
    belt.enter(1, released=True)
    belt.to(600)
    belt.note(5_000, belt.tracker.step(5_000))
    assert belt.fates == {1: Fate.REJECTED}
    belt = Belt(start=5_000)
    belt.enter(1, released=True)
    belt.to(5_500)
    belt.note(0, belt.tracker.step(0))
    assert belt.fates == {1: Fate.RETURNED}


@pytest.mark.parametrize(("asking_s", "most"), [(0.01, 50), (0.0, 40)])
@pytest.mark.parametrize(("jump", "sign"), [(1, 1), (350, 1), (1, -1), (350, -1)])
def test_a_count_that_went_on_faster_than_the_conveyor_can_condemns_what_is_on_the_way(
    jump: int, sign: int, asking_s: float, most: int
) -> None:
    """1000 counts a second at most, read every 10 ms, 10 ms old at most: 20 + 1000 * 0.03 where asking takes 10 ms."""
    for way, fate in ((most + jump, Fate.REJECTED), (most, Fate.PASSED)):
        belt = Belt(replace(TRACK, most_counts_s=1000.0, stale_s=0.01))
        belt.enter(1, released=True)
        for place in range(0, 500, 10):
            belt.note(place, belt.tracker.step(place, place / 1000, place / 1000 - asking_s))
        belt.note(490 + sign * way, belt.tracker.step(490 + sign * way, 0.5, 0.5 - asking_s))
        belt.to(1300)
        assert belt.fates == {1: fate}
        belt.enter(2, released=True)
        belt.to(2600)
        assert belt.fates[2] is Fate.PASSED


def test_a_count_is_believed_after_a_silence_in_which_the_conveyor_can_have_gone_so_far() -> None:
    belt = Belt(replace(TRACK, most_counts_s=1000.0, stale_s=0.01))
    belt.enter(1, released=True)
    for place, now_s in ((0, 0.0), (10, 0.01), (410, 0.41)):
        belt.note(place, belt.tracker.step(place, now_s))
    belt.to(1300)
    assert belt.fates == {1: Fate.PASSED}


def test_condemned_parts_never_pass_and_those_after_them_do() -> None:
    belt = Belt()
    belt.enter(1, released=True)
    belt.to(150)
    belt.tracker.condemn()
    belt.enter(2, released=True)
    belt.to(1500)
    assert belt.open == set(range(1120, 1181))
    assert belt.fates == {1: Fate.REJECTED, 2: Fate.PASSED}


def test_a_part_whose_place_is_in_doubt_shuts_the_gate_for_all_of_it() -> None:
    belt = Belt(start=100)
    belt.tracker.enter(1, 100, 80)
    assert belt.tracker.release(1)
    belt.to(300)
    belt.tracker.enter(2, 300, 240)
    assert not belt.tracker.release(2)
    belt.enter(3, released=True)
    belt.to(1600)
    assert belt.open == set(range(1070, 1131))
    assert belt.fates == {1: Fate.PASSED, 2: Fate.REJECTED, 3: Fate.NEIGHBOUR}


def test_more_parts_than_can_be_are_one_long_bad_one() -> None:
    belt = Belt(replace(TRACK, most_parts=2))
    for sequence in (1, 2, 3, 4):
        belt.enter(sequence, released=False)
        belt.tracker.release(sequence)
        belt.to(belt.position + 100)
    assert len(belt.tracker) == 2
    belt.to(1700)
    assert belt.open == set(range(970, 1031))
    assert belt.fates == {1: Fate.PASSED, 2: Fate.REJECTED, 3: Fate.REJECTED, 4: Fate.REJECTED}


def test_the_gate_is_shut_for_the_last_of_too_many_parts() -> None:
    belt = Belt(replace(TRACK, most_parts=2))
    belt.enter(1, released=True)
    belt.to(100).enter(2, released=False)
    belt.to(1225).enter(3, released=False)
    belt.to(1245).enter(4, released=True)
    belt.to(2500)
    assert belt.open == {*range(970, 1031), *range(2256, 2276)}  # the fourth only once the third is past


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"pitch": 75}, id="as wide as the pitch"),
        pytest.param({"lag": 41}, id="a slow gate"),
        pytest.param({"gate": 30}, id="a gate at the camera"),
        pytest.param({"before": -1}, id="negative"),
        pytest.param({"most_parts": 0}, id="no parts"),
    ],
)
def test_a_track_through_which_parts_could_slip_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(OptionError):
        replace(TRACK, **change)


def test_a_window_just_narrower_than_the_pitch_is_accepted() -> None:
    assert replace(TRACK, pitch=76).decision == 970


@pytest.mark.parametrize(
    ("counts_per_mm", "expected"),
    [
        pytest.param(
            10.0,
            Track(
                gate=6000,
                before=150,
                after=153,
                lead=150,
                lag=400,
                pitch=1000,
                reverse=3000,
                most_counts_s=7500.0,
                stale_s=0.01,
            ),
            id="encoder",
        ),
        pytest.param(
            None,
            Track(
                gate=1200,
                before=30,
                after=31,
                lead=30,
                lag=80,
                pitch=200,
                reverse=600,
                most_counts_s=1500.0,
                stale_s=0.01,
            ),
            id="milliseconds",
        ),
    ],
)
def test_what_is_measured_becomes_counts_on_the_safe_side(counts_per_mm: float | None, expected: Track) -> None:
    made = track_of(
        counts_per_mm=counts_per_mm,
        speed_mm_s=500.0,
        gate_mm=600.0,
        pitch_mm=100.05,
        before_mm=15.0,
        after_mm=15.21,
        open_s=0.02,
        shut_s=0.02,
        cycle_s=0.01,
        watch_s=0.05,
        reverse_mm=300.0,
    )
    assert made == expected


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_the_gate_is_never_open_at_a_part_that_was_not_released_in_time(seed: int) -> None:
    """Parts at any distance, a belt that goes to and fro, releases at any time, unseen parts at their pitch."""
    rng = random.Random(seed)
    position, tracker = rng.randrange(-WRAP, WRAP), Tracker(TRACK)
    tracker.step(wrapped(position))
    places: dict[int, int] = {}
    released: set[int] = set()
    unseen: list[int] = []
    last = foremost = position - 100
    gap, count = 100, 0
    for _ in range(600):
        moved = rng.choice((1, 5, 12, 20, 20, 0, -8)) if rng.random() < 0.97 else rng.choice((60, -60))
        position = max(position + moved, foremost - TRACK.reverse)  # beyond, parts that left would come back unknown
        gate = tracker.step(wrapped(position))
        for departure in gate.departures:
            if departure.fate is Fate.RETURNED:
                places.pop(departure.sequence)
        offsets = {sequence: position - place for sequence, place in places.items()}
        inside = {sequence for sequence, offset in offsets.items() if 970 <= offset <= 1030}
        assert gate.open == (bool(inside) and inside <= released)
        for place in unseen:  # it is a pitch from every part, so that it is not at the gate when that is open
            assert not (gate.open and 985 <= position - place <= 1015)
        if position > foremost and position - last >= gap:
            blind = position - last >= 100 and rng.random() < 0.2
            gap = 100 if blind else rng.choice((30, 100, 130))
            last, count = position, count + 1
            if blind:
                unseen.append(position)
            else:
                places[count] = position
                tracker.enter(count, wrapped(position))
        foremost = max(foremost, position)
        waiting = [sequence for sequence in places if sequence not in released]
        if waiting and rng.random() < 0.1:
            chosen = rng.choice(waiting)
            if tracker.release(chosen):
                assert position - places[chosen] < 970
                released.add(chosen)


def test_running_time_stands_still_with_the_line() -> None:
    time = RunningTime()
    assert time.position(50.0, running=True) == 0
    assert time.position(50.25, running=True) == 250
    assert time.position(60.0, running=False) == 250
    assert time.position(60.5, running=True) == 750
    assert time.position(60.5 + (2**31 - 750) / 1000, running=True) == -(2**31)


def test_running_time_is_in_doubt_where_the_line_stopped_or_started_unseen() -> None:
    time, doubts_s = RunningTime(), []
    for now_s, running in ((5.0, True), (5.25, True), (5.375, True), (5.5, False), (5.625, False), (5.75, True)):
        time.position(now_s, running=running)
        doubts_s.append(time.doubt_s)
    assert doubts_s == [0.0, 0.25, 0.0, 0.125, 0.0, 0.125]


def test_a_count_that_stands_still_while_the_line_runs_is_not_believed_for_long() -> None:
    standstill, lasts = Standstill(0.25), []
    for now_s, count, running in (
        (1.0, WRAP - 1, True),
        (1.25, -WRAP, True),  # trembles, over the end of the range
        (1.375, WRAP - 1, True),
        (1.5, -WRAP + 1, True),
        (1.75, -WRAP + 2, True),
        (2.0, -WRAP + 2, False),
        (5.0, -WRAP + 2, False),
        (5.25, -WRAP + 2, True),
        (5.375, -WRAP + 2, True),
    ):
        lasts.append(standstill.lasts(now_s, count, running=running))
    assert lasts == [False, False, True, False, False, False, False, False, True]


@pytest.mark.parametrize(("most_counts_s", "stands_s"), [(None, 0.3), (7500.0, 0.3), (30.0, 0.5)])
def test_a_coarse_encoder_may_stand_still_for_longer(most_counts_s: float | None, stands_s: float) -> None:
    assert replace(TRACK, most_counts_s=most_counts_s).stands_s == pytest.approx(stands_s)


@pytest.mark.parametrize("speed", [0, 6000, -250])
def test_the_speed_is_that_of_the_encoder_over_its_end_of_range(speed: int) -> None:
    meter = Speedometer()
    start = WRAP - 100
    for cycle in range(100):
        if cycle != 11:  # half of the time that it looks at, but for rounding
            assert (meter.counts_s is None) == (cycle < 11)
        now_s = 1000 + cycle * 0.005
        meter.note(now_s, wrapped(start + round(speed * (now_s - 1000))))
    assert meter.counts_s == pytest.approx(speed, rel=0.02, abs=1)


def test_the_speed_is_known_through_a_plcs_cycle_follows_a_ramp_and_is_forgotten_with_the_link() -> None:
    meter, errors = Speedometer(), []
    for cycle in range(400):
        now_s = cycle * 0.002
        seen_s = now_s - now_s % 0.01  # the count changes once in a cycle of the PLC
        meter.note(now_s, round(6000 * seen_s))
        if meter.counts_s is not None:
            errors.append(abs(meter.counts_s / 6000 - 1))
    assert max(errors[30:]) < 0.04
    for cycle in range(100):  # from now on it brakes to a stand within 0.2 s
        run_s = min(cycle * 0.005, 0.2)
        meter.note(0.8 + cycle * 0.005, round(4800 + 6000 * run_s - 15_000 * run_s**2))
    assert meter.counts_s == pytest.approx(0, abs=1e-6)
    meter.note(1.4, None)
    assert meter.counts_s is None
