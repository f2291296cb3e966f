"""What the PLC is told in each situation, rule by rule."""

from dataclasses import replace

import pytest

from sightline.devices.plc import Answer, Request
from sightline.errors import OptionError
from sightline.line.events import Event, Signal, What
from sightline.line.faults import Fault
from sightline.line.handshake import MOST_WAITING, Handshake, HandshakeConfig
from sightline.records import Verdict

CYCLE_S = 0.01


class Desk:
    """A PLC in the hands of a test: what it says stays until it is changed, and its heart beats."""

    def __init__(self, **settings: float) -> None:
        self.handshake = Handshake(replace(HandshakeConfig(window_s=0.2), **settings))  # type: ignore[arg-type]
        self.request = Request(enabled=True, recipe=1, encoder=0)
        self.now_s = 100.0
        self.events: list[Event] = []

    def step(self, cycles: int = 1, *, fault: Fault = Fault.NONE, gate_open: bool = False, beat: int = 1) -> Answer:
        for _ in range(cycles):
            self.now_s += CYCLE_S
            self.request = replace(self.request, heartbeat=self.request.heartbeat + beat)
            turn = self.handshake.step(self.request, self.now_s, fault=fault, gate_open=gate_open)
            self.events += turn.events
        return turn.answer

    def say(self, **signals: object) -> Answer:
        self.request = replace(self.request, **signals)  # type: ignore[arg-type]
        return self.step()

    def trigger(self, part_id: int) -> Answer:
        """All four phases; returns the answer in which the part was taken."""
        taken = self.say(trigger=True, part_id=part_id)
        self.say(trigger=False, part_id=0)
        return taken

    def whats(self) -> list[What]:
        return [event.what for event in self.events]

    def last(self, what: What) -> Event:
        return [event for event in self.events if event.what is what][-1]


def desk(**settings: float) -> Desk:
    made = Desk(**settings)
    made.handshake.load(1)
    made.step(2)
    return made


def signals(answer: Answer) -> tuple[int, bool, bool, bool]:
    return answer.result_id, answer.ok, answer.ng, answer.fault


def test_a_part_goes_through_all_phases() -> None:
    line = desk()
    assert line.step().ready
    up = line.say(trigger=True, part_id=7, serial="A7", challenge=True, encoder=1234)
    assert (up.taken, up.taken_id, up.busy, up.ready, up.valid) == (True, 7, True, False, False)
    part = line.last(What.TAKEN).part
    assert part is not None
    assert (part.part_id, part.serial, part.challenge, part.encoder, part.encoder_before) == (7, "A7", True, 1234, 0)
    assert part.since_s == pytest.approx(line.now_s - CYCLE_S)
    assert part.deadline_s == pytest.approx(part.since_s + 0.2)
    down = line.say(trigger=False, part_id=0)
    assert (down.taken, down.taken_id, down.ready) == (False, 0, False)
    line.handshake.offer(part.sequence, Verdict.PASS)
    shown = line.step()
    assert signals(shown) == (7, True, False, False)
    assert not shown.busy
    assert signals(line.step(3)) == (7, True, False, False)
    gone = line.say(acknowledged_id=7)
    assert (gone.valid, gone.ready) == (False, True)
    assert line.whats()[1:] == [What.PLC_BACK, What.ENABLED, What.TAKEN, What.SHOWN, What.ACKNOWLEDGED]


@pytest.mark.parametrize(
    ("verdict", "fault", "review_passes", "expected", "error"),
    [
        pytest.param(Verdict.PASS, Fault.NONE, False, "ok", 0, id="pass"),
        pytest.param(Verdict.PASS, Fault.VIEW_MISSING, False, "fault", 205, id="a pass with a fault"),
        pytest.param(Verdict.REJECT, Fault.NONE, False, "ng", 0, id="reject"),
        pytest.param(Verdict.REVIEW, Fault.NONE, False, "ng", 0, id="review rejects"),
        pytest.param(Verdict.REVIEW, Fault.NONE, True, "ok", 0, id="review passes where it is set"),
        pytest.param(Verdict.REVIEW, Fault.UNFIT, True, "fault", 206, id="a review with a fault"),
        pytest.param(Verdict.FAULT, Fault.UNFIT, True, "fault", 206, id="fault"),
        pytest.param(Verdict.FAULT, Fault.NONE, False, "fault", 208, id="a fault without a reason"),
    ],
)
def test_only_a_pass_gives_ok(verdict: Verdict, fault: Fault, review_passes: bool, expected: str, error: int) -> None:
    line = desk(review_passes=review_passes)
    line.trigger(1)
    line.handshake.offer(1, verdict, fault)
    answer = line.step()
    assert [name for name in ("ok", "ng", "fault") if getattr(answer, name)] == [expected]
    assert answer.error == error


def test_results_are_shown_in_the_order_the_parts_were_taken() -> None:
    line = desk(capacity=3)
    for part_id in (10, 20, 30):
        line.trigger(part_id)
    line.handshake.offer(3, Verdict.PASS)
    line.handshake.offer(2, Verdict.REJECT)
    assert not line.step().valid
    line.handshake.offer(1, Verdict.PASS)
    assert signals(line.step()) == (10, True, False, False)
    assert not line.say(acknowledged_id=10).valid  # a step without, so that the PLC sees it fall
    assert signals(line.step()) == (20, False, True, False)
    assert signals(line.say(acknowledged_id=30)) == (20, False, True, False)
    assert not line.say(acknowledged_id=20).valid
    assert signals(line.step()) == (30, True, False, False)


def test_there_is_no_trigger_without_ready() -> None:
    line = desk()
    line.trigger(1)
    assert line.trigger(2).taken  # told that it was noticed, so that the PLC can go on
    assert line.handshake.counts[What.MISSED] == 1
    assert line.handshake.in_flight()[0].part_id == 1
    line.handshake.offer(1, Verdict.PASS)
    line.step()
    line.say(acknowledged_id=1)
    answer = line.step()
    assert signals(answer) == (2, False, True, False)
    assert answer.error == Fault.MISSED_TRIGGER


@pytest.mark.parametrize("capacity", [1, 3])
def test_ready_falls_when_the_station_is_full(capacity: int) -> None:
    line = desk(capacity=capacity)
    for part_id in range(1, capacity + 1):
        assert line.step().ready
        line.trigger(part_id)
    assert not line.step().ready
    for sequence in range(1, capacity + 1):
        line.handshake.offer(sequence, Verdict.PASS)
    assert not line.step().ready  # shown is not acknowledged
    assert line.say(acknowledged_id=1).ready


@pytest.mark.parametrize(
    ("signal", "error"),
    [
        pytest.param({"enabled": False}, Fault.NONE, id="not enabled"),
        pytest.param({"recipe": 2}, Fault.NONE, id="another recipe"),
    ],
)
def test_a_trigger_with_the_signal_that_ends_ready_is_missed(signal: dict[str, object], error: Fault) -> None:
    line = desk(beside=False)
    assert line.step().ready
    answer = line.say(trigger=True, part_id=1, **signal)
    assert (answer.ready, line.handshake.counts[What.TAKEN], line.handshake.counts[What.MISSED]) == (False, 0, 1)


def test_a_station_with_a_fault_or_a_hold_takes_nothing() -> None:
    line = desk()
    answer = line.step(fault=Fault.CAMERA_LOST)
    assert (answer.ready, answer.error) == (False, Fault.CAMERA_LOST)
    assert line.step().ready
    line.handshake.hold(Fault.RESTARTS_EXCEEDED)
    assert (line.step().ready, line.step().error) == (False, Fault.RESTARTS_EXCEEDED)
    assert signals(line.trigger(1)) == (1, False, True, False)
    line.say(acknowledged_id=1)
    assert line.say(reset=True).ready
    line.handshake.hold(Fault.RESTARTS_EXCEEDED)
    assert not line.step().ready  # a reset that stays up resets once
    assert line.handshake.counts[What.RESET] == 1


def test_a_trigger_that_was_up_before_the_station_was_is_missed() -> None:
    line = Desk()
    line.request = replace(line.request, trigger=True, part_id=5)
    line.handshake.load(1)
    line.step(3)
    assert line.whats()[1:4] == [What.PLC_BACK, What.ENABLED, What.MISSED]
    assert line.handshake.counts[What.TAKEN] == 0


def test_a_trigger_first_seen_after_a_silence_is_missed() -> None:
    line = desk()
    line.step(2)
    line.now_s += 0.3
    line.trigger(1)
    assert line.handshake.counts[What.MISSED] == 1


@pytest.mark.parametrize(("reading_s", "missed"), [(0.02, 0), (0.06, 1)])
def test_a_part_may_have_come_since_the_reading_before_it_was_asked_for(reading_s: float, missed: int) -> None:
    line = desk()
    line.step(2)
    asked_s, line.now_s = line.now_s, line.now_s + reading_s
    line.handshake.step(replace(line.request, heartbeat=9), line.now_s, asked_s=asked_s)
    line.trigger(1)
    part = line.last(What.MISSED if missed else What.TAKEN).part
    assert part is not None
    assert (part.since_s, part.deadline_s) == (asked_s, asked_s + line.handshake.config.window_s)
    assert line.handshake.counts[What.MISSED] == missed


def test_another_number_under_a_trigger_that_stayed_up_is_another_part_that_was_missed() -> None:
    line = desk(capacity=3)
    line.say(trigger=True, part_id=1)
    answer = line.say(part_id=2)
    assert (answer.taken_id, line.handshake.counts[What.TAKEN], line.handshake.counts[What.MISSED]) == (2, 1, 1)


def test_a_part_without_a_number_gets_no_result() -> None:
    line = desk()
    answer = line.trigger(0)
    assert (answer.taken, answer.taken_id, answer.error) == (True, 0, Fault.NO_PART_ID)
    assert line.whats()[-2:] == [What.REFUSED, What.DROPPED]
    assert line.step().ready


def test_two_parts_of_one_number_in_flight_are_one_fault() -> None:
    line = desk(capacity=3)
    line.trigger(4)
    line.handshake.offer(1, Verdict.PASS)
    line.request = replace(line.request, trigger=True, part_id=4)  # in the step that would show the first one's OK
    line.step()
    answer = line.say(trigger=False, part_id=0)
    assert signals(answer) == (4, False, False, True)
    assert answer.error == Fault.REPEATED_PART_ID
    line.say(acknowledged_id=4)
    assert not line.step().valid


def test_an_ok_is_taken_back_when_its_number_comes_again() -> None:
    line = desk(capacity=3)
    line.trigger(4)
    line.handshake.offer(1, Verdict.PASS)
    assert line.step().ok
    assert not line.say(trigger=True, part_id=4).valid
    assert signals(line.step()) == (4, False, False, True)
    assert line.handshake.counts[What.UNACKNOWLEDGED] == 1


def test_a_number_just_done_is_refused_until_the_line_was_stopped() -> None:
    line = desk()
    for part_id in (4, 5):
        line.trigger(part_id)
        line.handshake.offer(part_id - 3, Verdict.PASS)
        line.step()
        line.say(acknowledged_id=part_id)
    line.trigger(4)
    assert signals(line.step()) == (4, False, False, True)
    line.say(acknowledged_id=4)
    line.say(enabled=False, acknowledged_id=0)
    line.say(enabled=True)
    line.step()
    line.trigger(4)
    assert line.whats()[-1] is What.TAKEN


def test_an_acknowledgement_left_from_before_hides_no_result() -> None:
    line = desk()
    line.say(acknowledged_id=9)
    line.trigger(9)
    line.handshake.offer(1, Verdict.PASS)
    assert not line.step().valid
    assert line.last(What.DROPPED).fault is Fault.REPEATED_PART_ID


def test_at_its_deadline_a_result_is_in_time_and_after_it_is_late() -> None:
    for late in (False, True):
        line = desk()
        line.trigger(1)
        (part,) = line.handshake.in_flight()
        line.handshake.offer(1, Verdict.PASS)
        line.now_s = part.deadline_s - CYCLE_S + (1e-6 if late else 0.0)
        answer = line.handshake.step(
            replace(line.request, heartbeat=99), part.deadline_s + (1e-6 if late else 0)
        ).answer
        assert (answer.ok, answer.ng, answer.error) == ((False, True, Fault.LATE) if late else (True, False, 0))


def test_a_result_after_the_deadline_is_applied_to_nothing() -> None:
    line = desk()
    line.trigger(1)
    assert signals(line.step(25)) == (1, False, True, False)
    line.say(acknowledged_id=1)
    line.trigger(2)
    line.handshake.offer(1, Verdict.PASS)
    answer = line.step()
    assert not answer.valid
    late = line.last(What.LATE_RESULT)
    assert (late.sequence, late.verdict) == (1, Verdict.PASS)
    assert [part.part_id for part in line.handshake.in_flight()] == [2]


def test_a_pass_that_waits_behind_another_result_beyond_its_deadline_is_late() -> None:
    line = desk(capacity=2)
    line.trigger(1)
    line.trigger(2)
    line.handshake.offer(1, Verdict.PASS)
    line.handshake.offer(2, Verdict.PASS)
    assert line.step(30).result_id == 1
    line.say(acknowledged_id=1)
    assert signals(line.step()) == (2, False, True, False)


def test_the_first_of_two_results_counts() -> None:
    line = desk()
    line.trigger(1)
    line.handshake.offer(1, Verdict.REJECT)
    line.handshake.offer(1, Verdict.PASS)
    assert line.step().ng
    assert line.handshake.counts[What.LATE_RESULT] == 1


def test_an_overdue_result_stops_the_station_until_it_is_acknowledged() -> None:
    line = desk(capacity=2)
    line.trigger(1)
    line.handshake.offer(1, Verdict.PASS)
    assert line.step().ready
    answer = line.step(110)
    assert (answer.valid, answer.ready, answer.error) == (True, False, Fault.UNACKNOWLEDGED)
    assert line.handshake.counts[What.OVERDUE] == 1
    assert line.say(acknowledged_id=1).ready


def test_a_reset_takes_an_overdue_result_back() -> None:
    line = desk()
    line.trigger(1)
    line.handshake.offer(1, Verdict.PASS)
    line.step(110)
    answer = line.say(reset=True)
    assert (answer.valid, answer.ready) == (False, True)
    assert line.handshake.counts[What.UNACKNOWLEDGED] == 1


def test_an_overdue_result_is_skipped_where_that_is_set() -> None:
    line = desk(capacity=2, skip_unacknowledged=True, window_s=9.0)
    line.trigger(1)
    line.trigger(2)
    line.handshake.offer(1, Verdict.REJECT)
    line.handshake.offer(2, Verdict.PASS)
    assert signals(line.step(100)) == (1, False, True, False)
    assert not line.step(3).ng
    assert signals(line.step()) == (2, True, False, False)
    assert line.handshake.counts[What.UNACKNOWLEDGED] == 1


def test_a_plc_whose_heart_stops_gets_the_safe_state_and_its_parts_are_faults() -> None:
    line = desk(capacity=3)
    line.trigger(1)
    line.trigger(2)
    line.handshake.offer(1, Verdict.PASS)
    assert line.step().ok
    assert line.step(198, beat=0, gate_open=True).gate_open
    answer = line.step(3, beat=0, gate_open=True)
    assert answer == Answer(heartbeat=answer.heartbeat, error=Fault.PLC_LOST)
    assert line.whats()[-3:] == [What.PLC_LOST, What.UNACKNOWLEDGED, What.DROPPED]
    assert line.last(What.DROPPED).signal in (Signal.FAULT, Signal.NG)
    line.handshake.offer(2, Verdict.PASS)
    answer = line.step()
    assert (answer.ready, answer.valid) == (True, False)
    assert line.handshake.counts[What.LATE_RESULT] == 1


def test_a_trigger_that_is_still_up_when_the_plc_is_back_is_missed() -> None:
    line = desk()
    line.say(trigger=True, part_id=1)
    assert not line.step(250, beat=0).taken
    assert signals(line.step()) == (1, False, True, False)
    assert line.handshake.counts[What.MISSED] == 1


def test_a_plc_that_cannot_be_read_is_lost_after_its_limit() -> None:
    line = desk()
    for _ in range(199):
        line.now_s += CYCLE_S
        answer = line.handshake.step(None, line.now_s).answer
        assert (answer.ready, answer.error) == (False, Fault.NONE)
    assert line.handshake.step(None, line.now_s + 0.1).answer.error == Fault.PLC_LOST


def test_a_result_shown_into_a_broken_link_is_not_shown_again_after_its_deadline() -> None:
    line = desk()
    line.trigger(1)
    line.handshake.offer(1, Verdict.PASS)
    assert line.step().ok
    line.now_s += 0.5
    line.handshake.step(None, line.now_s)
    assert not line.step().valid
    assert line.handshake.counts[What.UNACKNOWLEDGED] == 1


def test_the_station_is_not_ready_before_the_plc_lives() -> None:
    line = Desk()
    line.handshake.load(1)
    assert line.step(5, beat=0) == Answer(heartbeat=1, error=Fault.PLC_LOST)
    assert line.step().ready


def test_the_heartbeat_changes_in_time_and_begins_anew() -> None:
    line = desk()
    seen = [line.step().heartbeat for _ in range(100)]
    assert 2 <= len(set(seen)) <= 4
    quick = desk(heartbeat_s=0.0)
    assert quick.step().heartbeat != quick.step().heartbeat
    quick.handshake._beat = 2**16 - 1
    assert quick.step().heartbeat == 0


def test_parts_in_flight_are_finished_when_the_line_stops() -> None:
    line = desk()
    line.trigger(1)
    assert not line.say(enabled=False).ready
    line.handshake.offer(1, Verdict.PASS)
    assert line.step().ok


def test_while_a_recipe_is_loaded_parts_are_taken_by_the_one_before_and_none_after_its_echo() -> None:
    line = desk(capacity=3)
    line.trigger(1)
    answer = line.say(recipe=2)
    assert line.last(What.RECIPE_ASKED).recipe == 2
    assert (answer.ready, answer.recipe) == (True, 1)
    line.trigger(2)
    line.handshake.load(2, window_s=0.4)
    assert line.step().recipe == 1  # two parts are being judged by the old one
    line.handshake.offer(1, Verdict.PASS)
    assert line.step().ok
    line.handshake.offer(2, Verdict.PASS)
    line.say(acknowledged_id=1)
    line.step()
    answer = line.step()
    assert (answer.result_id, answer.recipe, answer.ready) == (2, 2, True)
    assert line.last(What.RECIPE_CHANGED).recipe == 2
    line.trigger(3)
    taken = [event.part for event in line.events if event.what is What.TAKEN and event.part]
    assert [part.recipe for part in taken] == [1, 1, 2]
    assert taken[2].deadline_s - taken[2].since_s == pytest.approx(0.4)
    assert What.MISSED not in line.whats()


def test_a_part_still_being_judged_when_another_recipe_takes_over_is_a_fault() -> None:
    """A recipe does not wait for ever for a moment between two parts; none is judged by the old one after the echo."""
    line = desk(capacity=4, window_s=0.2)
    line.say(recipe=2)
    line.trigger(1)
    line.handshake.load(2)
    assert line.step().recipe == 1
    line.step(10)
    line.trigger(2)
    line.handshake.offer(1, Verdict.PASS)
    line.step()
    line.say(acknowledged_id=1)
    line.trigger(3)
    line.handshake.offer(3, Verdict.PASS)  # judged before the echo, and behind one that is not
    while line.step().recipe == 1:
        assert line.handshake.in_flight()
    line.handshake.offer(2, Verdict.PASS)  # too late: it counts for nothing
    answer = line.step()
    assert (signals(answer), answer.error) == ((2, False, False, True), Fault.RECIPE_CHANGED)
    assert line.last(What.LATE_RESULT).sequence == 2
    line.say(acknowledged_id=2)
    assert signals(line.step()) == (3, True, False, False)
    line.trigger(4)
    assert line.last(What.TAKEN).part.recipe == 2  # type: ignore[union-attr]
    assert What.LATE not in line.whats()


def test_a_recipe_is_echoed_when_it_is_loaded_and_asked_for_when_no_part_is_in_flight() -> None:
    line = desk(capacity=2, beside=False)
    line.trigger(1)
    answer = line.say(recipe=2)
    assert (answer.ready, answer.recipe, answer.busy) == (False, 0, True)
    assert What.RECIPE_ASKED not in line.whats()
    line.handshake.offer(1, Verdict.PASS)
    assert line.step().ok
    assert What.RECIPE_ASKED not in line.whats()
    assert line.say(acknowledged_id=1).recipe == 0
    assert line.last(What.RECIPE_ASKED).recipe == 2
    assert (line.step(50).recipe, line.step().ready) == (0, False)
    assert line.handshake.counts[What.RECIPE_ASKED] == 1
    line.handshake.load(2, window_s=0.4)
    answer = line.step()
    assert (answer.recipe, answer.ready) == (2, True)
    line.trigger(2)
    part = line.last(What.TAKEN).part
    assert part is not None
    assert part.recipe == 2
    assert part.deadline_s - part.since_s == pytest.approx(0.4)


@pytest.mark.parametrize("plc_asks", [0, 1])
def test_a_recipe_is_renewed_without_missing_a_part(plc_asks: int) -> None:
    line = desk(capacity=3)
    line.say(recipe=plc_asks)
    line.trigger(1)
    line.handshake.renew(1)
    answer = line.step(3)
    assert line.last(What.RECIPE_ASKED).recipe == 1
    assert line.handshake.counts[What.RECIPE_ASKED] == 1
    assert (answer.ready, answer.recipe) == (True, 1)
    line.handshake.load(1, window_s=0.5)
    line.step(8)
    line.trigger(2)
    while line.handshake.counts[What.RECIPE_CHANGED] < 2:
        assert line.step().recipe == 1
    assert [part.part_id for part in line.handshake.in_flight()] == [2], "it goes on: the number stays"
    line.handshake.offer(2, Verdict.PASS)
    line.say(acknowledged_id=1)
    assert signals(line.step()) == (2, True, False, False)
    assert What.MISSED not in line.whats()


def test_a_recipe_that_cannot_be_renewed_goes_on() -> None:
    line = desk()
    line.handshake.renew(1)
    line.step()
    line.handshake.refuse_recipe(1, Fault.RECIPE_FAILED)
    answer = line.step(3)
    assert (answer.ready, answer.recipe, answer.error) == (True, 1, Fault.NONE)
    assert line.handshake.counts[What.RECIPE_ASKED] == 1


def test_where_two_do_not_fit_a_recipe_is_renewed_between_two_parts() -> None:
    line = desk(capacity=2, beside=False)
    line.trigger(1)
    line.handshake.renew(1)
    assert (line.step().ready, line.step().recipe) == (False, 0)
    assert What.RECIPE_ASKED not in line.whats()
    line.handshake.offer(1, Verdict.PASS)
    line.step()
    line.say(acknowledged_id=1)
    assert line.last(What.RECIPE_ASKED).recipe == 1
    line.handshake.refuse_recipe(1, Fault.RECIPE_FAILED)
    assert line.step().error == Fault.RECIPE_FAILED
    line.handshake.renew(1)  # somebody has mended it
    line.step()
    assert line.handshake.counts[What.RECIPE_ASKED] == 2
    line.handshake.load(1)
    assert line.step().ready


def test_the_plcs_wish_for_another_recipe_takes_the_place_of_renewing() -> None:
    line = desk()
    line.say(recipe=2)
    line.handshake.renew(1)
    line.handshake.load(2)
    assert line.step(3).recipe == 2
    line.say(recipe=0)
    line.step(3)
    assert line.handshake.counts[What.RECIPE_ASKED] == 1, "the one that has left is not loaded again"


def test_an_unknown_recipe_is_a_fault_until_another_is_asked_for() -> None:
    line = desk()
    line.say(recipe=99)
    line.handshake.refuse_recipe(99)
    answer = line.step(5)
    assert (answer.ready, answer.recipe, answer.error) == (False, 0, Fault.RECIPE_UNKNOWN)
    assert line.handshake.counts[What.RECIPE_ASKED] == 1
    line.say(reset=True)
    assert line.handshake.counts[What.RECIPE_ASKED] == 2  # someone may have installed it
    line.handshake.refuse_recipe(99, Fault.RECIPE_FAILED)
    assert line.step().error == Fault.RECIPE_FAILED
    line.say(recipe=1)
    assert line.last(What.RECIPE_ASKED).recipe == 1
    line.handshake.load(1)
    assert line.step().ready


def test_a_recipe_asked_for_and_taken_back_while_parts_are_in_flight_is_not_loaded() -> None:
    line = desk(capacity=2, beside=False)
    line.trigger(1)
    line.say(recipe=2)
    answer = line.say(recipe=1)
    assert (answer.ready, answer.recipe) == (True, 1)
    assert What.RECIPE_ASKED not in line.whats()


@pytest.mark.parametrize("beside", [True, False])
def test_a_recipe_that_is_no_longer_asked_for_when_loaded_is_not_used(beside: bool) -> None:
    line = desk(beside=beside)
    line.say(recipe=2)
    line.say(recipe=3)
    line.handshake.load(2)
    answer = line.step()
    assert (answer.ready, answer.recipe) == (beside, beside * 1)
    assert line.last(What.RECIPE_UNWANTED).recipe == 2
    assert line.last(What.RECIPE_ASKED).recipe == 3


def test_without_a_recipe_nothing_is_taken() -> None:
    line = Desk()
    line.request = replace(line.request, recipe=0)
    answer = line.step(3)
    assert (answer.ready, answer.error) == (False, Fault.NO_RECIPE)


def test_what_waits_is_bounded() -> None:
    line = desk()
    line.trigger(1)
    for part_id in range(2, MOST_WAITING + 50):
        line.trigger(part_id)
    assert len(line.handshake._waiting) == MOST_WAITING
    assert line.handshake.counts[What.DROPPED] == 49


def test_a_station_whose_missed_parts_fill_the_queue_takes_none() -> None:
    line = desk(acknowledge_timeout_s=1e6)
    line.say(enabled=False)
    for part_id in range(1, MOST_WAITING + 1):
        assert line.trigger(part_id).taken
    assert not line.say(enabled=True).ready
    assert line.handshake.counts[What.DROPPED] == 0
    assert line.say(acknowledged_id=1).ready


@pytest.mark.parametrize(
    "setting",
    [
        {"window_s": 0.0},
        {"window_s": float("nan")},
        {"plc_timeout_s": -1.0},
        {"acknowledge_timeout_s": 0.0},
        {"most_gap_s": float("inf")},
        {"heartbeat_s": 2.0},
        {"capacity": 0},
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(setting))):
        replace(HandshakeConfig(window_s=0.2), **setting)  # type: ignore[arg-type]
