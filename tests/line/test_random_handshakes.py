"""Ten thousand handshakes with a PLC that obeys no rule, and a witness that keeps a book of its own.

SIGHTLINE_SOAK_HANDSHAKES=1000000 walks further.
"""

import os
import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.devices.plc import Answer, Request
from sightline.line.events import Event, Part, Signal, Turn, What
from sightline.line.faults import Fault
from sightline.line.handshake import Handshake, HandshakeConfig
from sightline.records import Verdict

HANDSHAKES = int(os.environ.get("SIGHTLINE_SOAK_HANDSHAKES", "10000"))


@dataclass(kw_only=True)
class Witness:
    """Sees what goes in and what comes out, keeps a book of its own, and objects."""

    config: HandshakeConfig
    parts: dict[int, Part] = field(default_factory=dict)
    order: deque[int] = field(default_factory=deque)  # sequences announced and not ended
    judged: set[int] = field(default_factory=set)  # sequences that were TAKEN
    results: dict[int, Verdict] = field(default_factory=dict)  # the first that was offered, by sequence
    before: Answer = field(default_factory=Answer)
    shown: int | None = None
    current: int = 0
    ends: Counter[int] = field(default_factory=Counter)

    def see(self, request: Request | None, now_s: float, turn: Turn) -> None:
        for event in turn.events:
            self.note(event, request, now_s)
        answer = turn.answer
        assert answer.valid == (self.shown is not None)
        if answer.valid:
            assert self.shown is not None
            assert answer.result_id == self.parts[self.shown].part_id
            assert not self.before.valid or self.before.result_id == answer.result_id
            if answer.ok:
                assert self.shown in self.judged
                assert self.results[self.shown] is Verdict.PASS
        if self.before.valid and not answer.valid:
            assert {event.what for event in turn.events} & {What.ACKNOWLEDGED, What.UNACKNOWLEDGED}
        self.see_ready(request, answer)
        self.before = answer

    def see_ready(self, request: Request | None, answer: Answer) -> None:
        assert answer.recipe in (0, self.current)
        if answer.error == Fault.PLC_LOST:
            assert answer == Answer(heartbeat=answer.heartbeat, error=Fault.PLC_LOST)
        elif request is not None:
            assert answer.taken == request.trigger
            assert answer.taken_id == (request.part_id if request.trigger else 0)
        if answer.ready:
            assert request is not None
            assert request.enabled
            assert not request.trigger
            assert answer.recipe == self.current != 0
            assert self.config.beside or request.recipe in (0, self.current)
            waiting = [sequence for sequence in self.order if sequence in self.judged]
            showing = self.shown is not None and self.shown in self.judged
            assert len(waiting) + showing < self.config.capacity

    def note(self, event: Event, request: Request | None, now_s: float) -> None:
        part = event.part
        if event.what in (What.TAKEN, What.MISSED, What.REFUSED):
            assert part is not None
            assert request is not None
            assert request.trigger
            assert part.part_id == request.part_id
            assert part.sequence not in self.parts
            self.parts[part.sequence] = part
            self.order.append(part.sequence)
            if event.what is What.TAKEN:
                self.take(part, request)
        elif event.what is What.SHOWN:
            assert part is not None
            assert self.shown is None
            assert self.order.popleft() == part.sequence, "out of turn"
            assert event.signal is not Signal.OK or now_s <= part.deadline_s
            self.shown = part.sequence
            self.ends[part.sequence] += 1
        elif event.what is What.DROPPED:
            assert part is not None
            assert event.signal is not Signal.OK
            self.order.remove(part.sequence)
            self.ends[part.sequence] += 1
        elif event.what in (What.ACKNOWLEDGED, What.UNACKNOWLEDGED):
            assert part is not None
            assert self.shown == part.sequence
            if event.what is What.ACKNOWLEDGED:
                assert request is not None
                assert request.acknowledged_id == part.part_id
            self.shown = None
        elif event.what is What.RECIPE_ASKED and not self.config.beside:
            assert not self.judged & set(self.order), "a part is still being judged by the old recipe"
            self.current = 0
        elif event.what is What.RECIPE_CHANGED:
            assert event.recipe is not None
            self.current = event.recipe

    def take(self, part: Part, request: Request) -> None:
        assert self.before.ready
        assert request.enabled
        assert part.recipe == self.current != 0
        assert self.config.beside or request.recipe in (0, self.current)
        others = [self.parts[sequence].part_id for sequence in self.order if sequence != part.sequence]
        assert part.part_id not in others
        assert part.part_id != 0
        self.judged.add(part.sequence)


def wild(rng: random.Random, last: Request, answer: Answer, done: deque[int], wildness: float) -> Request:
    """What a PLC says next: mostly what it should, in a share of steps anything at all."""
    trigger = last.trigger != (answer.taken if last.trigger else rng.random() < 0.6)
    part_id = last.part_id if last.trigger else done[-1] + 1 if answer.ready or rng.random() < 0.2 else last.part_id
    request = replace(
        last,
        trigger=trigger,
        part_id=part_id,
        acknowledged_id=answer.result_id if answer.valid else last.acknowledged_id,
        heartbeat=(last.heartbeat + 1) % 2**16,
        enabled=True,
        reset=False,
        recipe=last.recipe if rng.random() < 0.98 else rng.choice((0, 1, 1, 2, 3)),
        encoder=rng.randrange(-(2**31), 2**31),
    )
    if rng.random() >= wildness:
        return request
    known = (0, answer.result_id, answer.result_id + 1, *done, last.acknowledged_id)
    return rng.choice(
        (
            replace(request, acknowledged_id=rng.choice(known)),
            replace(request, acknowledged_id=last.acknowledged_id),
            replace(request, acknowledged_id=last.acknowledged_id),
            replace(request, part_id=rng.choice(known)),
            replace(request, trigger=rng.random() < 0.5),
            replace(request, enabled=False),
            replace(request, reset=True),
            replace(request, heartbeat=last.heartbeat),
            replace(request, recipe=rng.randrange(4)),
        )
    )


def none_by_the_one_before(turn: Turn, handshake: Handshake) -> None:
    for event in turn.events:
        if event.what is What.RECIPE_CHANGED:
            assert {part.recipe for part in handshake.in_flight()} <= {event.recipe}, "after the echo"


def walk(seed: int, handshakes: int) -> Handshake:
    """Let a PLC that obeys no rule and a station that judges at random deal with each other."""
    rng = random.Random(seed)
    config = HandshakeConfig(
        window_s=0.15,
        capacity=rng.choice((1, 2, 5)),
        plc_timeout_s=0.5,
        heartbeat_s=0.05,
        acknowledge_timeout_s=0.3,
        skip_unacknowledged=rng.random() < 0.5,
        beside=rng.random() < 0.5,
    )
    handshake, witness, wildness = Handshake(config), Witness(config=config), rng.choice((0.0, 0.05, 0.4))
    request, answer, now_s = Request(recipe=1), Answer(), 0.0
    done: deque[int] = deque([1], maxlen=4)
    asked, silent_s, mute = 1, 0.0, False
    while len(witness.parts) < handshakes and now_s < handshakes:
        now_s += rng.choice((0.002, 0.005, 0.005, 0.01, 0.02)) if rng.random() < 0.99 else rng.choice((0.1, 0.3, 0.8))
        if asked and rng.random() < 0.3:
            witness.current = 0 if asked == 3 else witness.current
            (handshake.refuse_recipe if asked == 3 else handshake.load)(asked)
            asked = 0
        for part in handshake.in_flight():
            if rng.random() < 0.3:
                verdict = rng.choice((Verdict.PASS, Verdict.PASS, Verdict.REJECT, Verdict.REVIEW, Verdict.FAULT))
                witness.results.setdefault(part.sequence, verdict)
                handshake.offer(part.sequence, verdict)
        if witness.parts and rng.random() < 0.05:  # for a part that is done, or has its result
            stale = rng.choice(sorted(witness.parts)[-8:])
            if stale not in {part.sequence for part in handshake.in_flight()}:
                handshake.offer(stale, Verdict.PASS)
        last, request = request, wild(rng, request, answer, done, wildness)
        if wildness and rng.random() < 0.01:
            silent_s, mute = now_s + 0.7, rng.random() < 0.5
        if now_s < silent_s:  # a spell without acknowledgements, or without a heartbeat
            muted = replace(request, heartbeat=last.heartbeat)
            request = muted if mute else replace(request, acknowledged_id=last.acknowledged_id)
        given = None if rng.random() < 0.05 * wildness else request
        turn = handshake.step(given, now_s)
        witness.see(given, now_s, turn)
        none_by_the_one_before(turn, handshake)
        asked = next((event.recipe for event in turn.events if event.what is What.RECIPE_ASKED), asked) or 0
        if request.trigger and done[-1] != request.part_id:
            done.append(request.part_id)
        answer = turn.answer
    assert set(witness.ends.values()) <= {1}
    assert set(witness.parts) - set(witness.ends) == set(witness.order)
    return handshake


@settings(max_examples=max(20, HANDSHAKES // 50), deadline=None)
@given(st.integers(0, 2**32))
def test_no_plc_ever_sees_a_result_beside_another_parts_number(seed: int) -> None:
    walk(seed, 50)


def test_the_walk_comes_everywhere() -> None:
    counts: Counter[What] = Counter()
    for seed in range(40):
        counts += walk(seed, 50).counts
    assert set(counts) == set(What), set(What) - set(counts)
