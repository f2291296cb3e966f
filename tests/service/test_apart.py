"""Work in processes of their own: a crash, a kill or a hang ends one request, and the server goes on."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.apart_double import answer, crash, refuse, wait
from tests.service.server import PATIENCE_S, picture, sight, wait_for

from sightline.errors import BundleError, BusyError, FrameError, OptionError
from sightline.records import Verdict
from sightline.service.apart import Apart
from sightline.service.serving import Serving, State

GOOD, BAD = picture(60), picture(200)


@pytest.fixture
def apart() -> Iterator[Apart]:
    with Apart(restarts=1) as apart:
        yield apart


def test_it_is_another_process_which_stays_and_its_errors_come_back(apart: Apart) -> None:
    first, process = apart.run(answer, 7)
    assert (first, process != os.getpid()) == (7, True)
    with pytest.raises(OptionError, match="not this one"):
        apart.run(refuse)
    assert apart.run(answer, 8) == (8, process)
    assert apart.ended == 0


def test_a_crash_is_told_and_the_next_request_is_answered(apart: Apart) -> None:
    with pytest.raises(FrameError, match="ended by SIGSEGV"):
        apart.run(crash)
    assert apart.run(answer, 1)[0] == 1
    assert apart.ended == 1


def test_what_crashes_on_and_on_is_not_started_again_for_a_while(apart: Apart) -> None:
    for _ in range(2):
        with pytest.raises(FrameError):
            apart.run(crash)
    with pytest.raises(BusyError, match="1 processes that worked on pictures ended within 60 s"):
        apart.run(answer, 1)


def test_who_takes_too_long_is_killed_and_others_are_not(apart: Apart, tmp_path: Path) -> None:
    caught: list[Exception] = []

    def ask() -> None:
        try:
            apart.run(wait, tmp_path / "mark")
        except FrameError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for((tmp_path / "mark").exists)
    assert apart.run(answer, 2)[0] == 2
    assert thread.ident is not None
    apart.kill(thread.ident)
    thread.join(PATIENCE_S)
    assert "SIGKILL" in str(caught[0])


def test_a_process_that_is_killed_in_the_middle_of_a_picture_never_says_pass(apart: Apart, tmp_path: Path) -> None:
    with Serving(workers=2, apart=apart) as serving:
        serving.load("cap", sight(tmp_path / "cap.sight"))
        assert [serving.judge("cap", one).verdict for one in (GOOD, BAD)] == [Verdict.PASS, Verdict.REJECT]
        process = apart.run(answer, 0)[1]
        os.kill(process, signal.SIGSTOP)  # so that it is in the middle of the next one when it is killed
        killer = threading.Timer(0.3, os.kill, (process, signal.SIGKILL))
        killer.start()
        with pytest.raises(FrameError, match="not judged: the process that worked on it ended by SIGKILL"):
            serving.judge("cap", GOOD)
        assert serving.judge("cap", GOOD).verdict is Verdict.PASS
        assert serving.model("cap").state is State.READY
        with pytest.raises(FrameError, match=r"picture|format"):
            serving.judge("cap", b"no picture at all")


def test_a_file_that_was_changed_since_is_not_taken_for_the_model(apart: Apart, tmp_path: Path) -> None:
    path = sight(tmp_path / "cap.sight")
    with Serving(workers=1, apart=apart) as serving:
        serving.load("cap", path)
        sight(path, reject=20.0)
        assert serving.judge("cap", GOOD).threshold == 100.0, "it is loaded already"
        os.kill(apart.run(answer, 0)[1], signal.SIGKILL)
        with pytest.raises(FrameError):
            serving.judge("cap", GOOD)
        with pytest.raises(BundleError, match="was changed since"):
            serving.judge("cap", GOOD)
