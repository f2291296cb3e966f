"""Which picture is of which part, where the camera fires by itself: never a neighbour's, and soon known again."""

import queue
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from sightline.devices.camera import Shot
from sightline.errors import DeviceTimeout
from sightline.line.pairing import FORGOTTEN_S, SURE, Pairing
from sightline.line.photographer import Patience, Photographer, Taken
from sightline.records import Frame

GRACE_S = 60.0
PERIOD_S = 0.1
USUAL_S = (0.012, 0.022)
WINDOW_S = 0.8
ANSWERED = SURE + 4  # parts after a mishap, by which they have their pictures again


@dataclass(eq=False)
class Script:
    """A camera and its clock: pictures come at their times, which pass while somebody waits for them."""

    pictures: list[tuple[float, int]]  # when it comes, and the part that it shows
    now_s: float = 0.0
    _came: int = field(default=0, init=False)

    def monotonic(self) -> float:
        return self.now_s

    def trigger(self) -> None:
        """The conveyor's sensor does that."""

    def grab(self, timeout_s: float) -> Shot:
        until_s = self.now_s + timeout_s
        if self._came == len(self.pictures) or self.pictures[self._came][0] > until_s:
            self.now_s = until_s
            raise DeviceTimeout("script", "nothing yet.")
        came_s, part = self.pictures[self._came]
        self.now_s = max(self.now_s, came_s)
        self._came += 1
        pixels = np.full((1, 1, 1), part % 256, np.uint8)
        return Shot(frame=Frame(pixels=pixels), camera="script", number=self._came - 1, monotonic_s=came_s, unix_s=0.0)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Line:
    """What happens: parts with their times, those that are passed over, and the pictures that come."""

    since_s: dict[int, float]
    passed_over: frozenset[int]
    pictures: list[tuple[float, int]]


def played(line: Line, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[int, int | None], Photographer]:
    """The part that each part's picture shows; None where it has none."""
    script, reports = Script(line.pictures), queue.SimpleQueue[Taken]()
    monkeypatch.setattr("sightline.line.photographer.time", script)
    photographer = Photographer("script", script)
    patience = Patience(early_s=0.02, late_s=WINDOW_S, delay_s=None)
    for number, since_s in sorted(line.since_s.items()):
        if number in line.passed_over:
            photographer.pass_over(since_s)
        else:
            photographer.take(number, since_s, patience, reports.put)
    taken = [reports.get(timeout=GRACE_S) for _ in range(len(line.since_s) - len(line.passed_over))]
    photographer.close()
    shown = {one.number: None if one.shot is None else int(one.shot.frame.pixels[0, 0, 0]) for one in taken}
    return shown, photographer


def line_of(
    parts: int,
    rng: random.Random,
    *,
    period_s: float = PERIOD_S,
    lost: Iterable[int] = (),
    late: dict[int, float] | None = None,
    read_late: dict[int, float] | None = None,
    stray: Iterable[int] = (),
    passed_over: Iterable[int] = (),
) -> Line:
    """Parts `period_s` apart and a picture of each, but for these.

    Args:
        lost: parts whose picture never comes.
        late: by how much more than usual, in seconds; what follows comes after it.
        read_late: parts of which the station reads so much later that they have come, in seconds.
        stray: parts after whose picture there comes one of nothing, numbered 255.
    """
    since_s = {number: 1.0 + period_s * number + rng.uniform(0.0, 0.01) for number in range(parts)}
    pictures: list[tuple[float, int]] = []
    for number, began_s in since_s.items():
        came_s = began_s + rng.uniform(*USUAL_S) + (late or {}).get(number, 0.0)
        came_s = max(came_s, pictures[-1][0] + 0.001) if pictures else came_s
        if number not in set(lost):
            pictures.append((came_s, number))
        if number in set(stray):
            pictures.append((came_s + 0.01, 255))
    since_s = {number: one_s + (read_late or {}).get(number, 0.0) for number, one_s in since_s.items()}
    return Line(since_s, frozenset(passed_over), pictures)


def assert_no_neighbours(shown: dict[int, int | None]) -> None:
    wrong = {number: part for number, part in shown.items() if part is not None and part != number}
    assert not wrong, f"{wrong}: part -> whose picture it was given"


def assert_answered(shown: dict[int, int | None], after: int) -> None:
    """All parts have pictures again, some after this one."""
    silent = [number for number, part in shown.items() if number > after + ANSWERED and part is None]
    assert not silent
    assert max(shown) > after + ANSWERED, "the line is long enough to tell"


@pytest.mark.parametrize("seed", range(3))
def test_without_mishaps_every_part_has_its_picture(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, photographer = played(line_of(100, random.Random(seed)), monkeypatch)
    assert shown == {number: number for number in range(100)}
    assert photographer.counts.doubts == 0


@pytest.mark.parametrize(
    "mishap",
    [{"lost": [40]}, {"lost": [40, 41, 42]}, {"late": {40: 0.15}}, {"late": {40: 0.35}}, {"stray": [40]}],
    ids=str,
)
def test_after_a_mishap_parts_have_their_pictures_again(
    mishap: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = line_of(80, random.Random(1), **mishap)  # type: ignore[arg-type]
    shown, _ = played(line, monkeypatch)
    assert_no_neighbours(shown)
    assert_answered(shown, after=44)


@pytest.mark.parametrize("fires", [True, False], ids=["the camera fired", "the camera did not"])
def test_a_part_that_was_passed_over_costs_little_whether_it_was_seen_or_not(
    fires: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = line_of(80, random.Random(2), passed_over=[40], lost=[] if fires else [40])
    shown, photographer = played(line, monkeypatch)
    assert_no_neighbours(shown)
    assert_answered(shown, after=40)
    assert (photographer.counts.doubts == 0) == fires


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_no_part_is_given_its_neighbours_picture(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    chances = range(20, 70)
    line = line_of(
        100,
        rng,
        lost=rng.sample(chances, rng.randrange(4)),
        late={number: rng.uniform(0.0, 0.5) for number in rng.sample(chances, rng.randrange(4))},
        read_late={number: rng.uniform(0.0, 0.08) for number in rng.sample(chances, rng.randrange(4))},
        stray=rng.sample(chances, rng.randrange(3)),
        passed_over=rng.sample(chances, rng.randrange(4)),
    )
    shown, _ = played(line, monkeypatch)
    assert_no_neighbours(shown)
    assert_answered(shown, after=75)


@pytest.mark.parametrize(("read_late_s", "doubts"), [(0.025, 0), (0.06, 1)], ids=str)
def test_a_part_that_is_read_of_after_its_picture_came_has_it_all_the_same_unless_much_later(
    read_late_s: float, doubts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = line_of(80, random.Random(6), read_late={40: read_late_s})
    shown, photographer = played(line, monkeypatch)
    assert_no_neighbours(shown)
    assert_answered(shown, after=40)
    assert (photographer.counts.doubts, shown[40] is None) == (doubts, doubts > 0)


def test_a_picture_that_is_lost_where_parts_are_further_apart_than_the_window_is_known_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = line_of(40, random.Random(3), period_s=2 * WINDOW_S, lost=[12])
    shown, photographer = played(line, monkeypatch)
    assert_no_neighbours(shown)
    assert_answered(shown, after=13)
    assert photographer.counts.doubts == 1


def test_where_pictures_come_at_any_time_nothing_passes_until_the_line_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(4)
    before = line_of(60, rng, late={number: rng.uniform(0.0, 0.07) for number in range(60)}, lost=[30])
    pause_s = before.since_s[59] + FORGOTTEN_S + 1.0
    after = line_of(20, rng, late=dict.fromkeys(range(20), 0.05))  # and the camera is slower from then on
    line = Line(
        before.since_s | {60 + number: since_s + pause_s for number, since_s in after.since_s.items()},
        frozenset(),
        before.pictures + [(came_s + pause_s, 60 + part) for came_s, part in after.pictures],
    )
    shown, _ = played(line, monkeypatch)
    assert_no_neighbours(shown)
    assert [shown[number] for number in range(32, 60)] == [None] * 28
    assert [shown[number] for number in range(60, 80)] == list(range(60, 80))


def test_after_a_busy_time_it_is_still_known_when_pictures_come_in_a_calm_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    line = line_of(180, rng, late={number: rng.uniform(0.0, 0.045) for number in range(60, 120)}, lost=[119])
    shown, photographer = played(line, monkeypatch)
    assert_no_neighbours(shown)
    assert_answered(shown, after=121)
    assert photographer.counts.doubts > 0


def test_a_picture_much_later_than_usual_is_doubted_before_the_next_part_is_seen() -> None:
    pairing = Pairing()
    for number in range(20):
        pairing.announce(PERIOD_S * number)
        pairing.learn(0.02)
    assert pairing.doubt(PERIOD_S * 19, PERIOD_S * 19 + 0.03) == ""
    assert "usually come within 0.025 s" in pairing.doubt(PERIOD_S * 19, PERIOD_S * 19 + 0.08)
