"""What a station's worker says of pictures."""

import queue
from contextlib import closing
from pathlib import Path

from tests.line.deadline import until

from sightline.line.judge import Judge, JudgeState, Patience
from sightline.line.messages import Judged
from sightline.line.worker import Work
from sightline.records import Frame


def judged(model: Path, *frames: Frame) -> list[Judged]:
    """Of each, in their order; fails where the worker died of one."""
    answers: queue.SimpleQueue[Judged] = queue.SimpleQueue()
    judge = Judge("top", Work(model=model), lambda _, answer: answers.put(answer), Patience(judge_s=60.0))
    with closing(judge):
        until(lambda: judge.state is not JudgeState.LOADING, 90.0)
        said = []
        for number, frame in enumerate(frames):
            assert judge.submit(number, frame), judge.reason
            said.append(answers.get(timeout=90.0))
        assert judge.counts.restarts == 0
    return said
