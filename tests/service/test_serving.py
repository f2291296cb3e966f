"""Models by name: swapped without a gap, never PASS in doubt, and no picture takes the server down."""

import asyncio
import resource
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.server import PATIENCE_S, picture, sight, wait_for

from sightline.errors import BundleError, BusyError, ConflictError, FrameError, NotFoundError, OptionError
from sightline.records import Verdict
from sightline.service import serving as module
from sightline.service.answer import Answer, Wish, answered
from sightline.service.serving import Serving, State

GOOD, BAD = picture(60), picture(200)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with Serving(workers=2, queue=4) as serving:
        serving.load("cap", sight(tmp_path / "cap.sight"))
        yield serving


def test_it_judges_from_threads_and_from_event_loops(serving: Serving) -> None:
    assert serving.judge("cap", GOOD).verdict is Verdict.PASS
    assert asyncio.run(serving.judge_soon("cap", BAD)).verdict is Verdict.REJECT
    assert serving.figures().judged == 3  # the blank picture of loading among them


@pytest.mark.parametrize(("score", "surer"), [(99, "pass"), (100, "reject"), (255, "reject")])
def test_confidence_is_one_half_at_the_threshold_and_grows_away_from_it(
    serving: Serving, score: int, surer: str
) -> None:
    answer = serving.answer("cap", picture(score))
    assert answer.is_anomalous == (surer == "reject")
    assert 0.5 <= answer.confidence <= 1
    assert serving.answer("cap", picture(255)).confidence > 0.9 > serving.answer("cap", picture(101)).confidence
    assert serving.answer("cap", GOOD).confidence > 0.9


def test_a_mask_holds_the_defect_and_nothing_else(serving: Serving) -> None:
    mask = serving.answer("cap", BAD, Wish(mask=True)).mask
    assert mask is not None
    assert mask.labels == ("anomaly",)
    assert mask.shares == (64 / (48 * 64),)
    plain = serving.answer("cap", GOOD, Wish(mask=True)).mask
    assert plain is not None
    assert plain.labels == ()


def test_what_is_not_loaded_says_so(serving: Serving, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="'lid': is not known; there is cap"):
        serving.judge("lid", GOOD)
    serving.stop("cap")
    with pytest.raises(ConflictError, match="is stopped"):
        serving.judge("cap", GOOD)
    assert serving.start("cap").state is State.READY
    assert serving.current() == "cap"
    serving.load("lid", sight(tmp_path / "lid.sight"))
    with pytest.raises(OptionError, match="name one of cap, lid"):
        serving.current()
    serving.forget("lid")
    assert [served.name for served in serving.models()] == ["cap"]


def test_a_swap_drops_nothing(serving: Serving, tmp_path: Path) -> None:
    done, versions = threading.Event(), list[int]()

    def ask() -> None:
        while not done.is_set():
            versions.append(serving.answer("cap", GOOD).version)

    asking = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for thread in asking:
        thread.start()
    wait_for(lambda: len(versions) > 10)
    stricter = sight(tmp_path / "stricter.sight", reject=55)
    serving.load("cap", stricter, version=2)
    assert serving.judge("cap", GOOD).verdict is Verdict.REJECT
    seen = len(versions)
    wait_for(lambda: len(versions) > seen + 10)
    done.set()
    for thread in asking:
        thread.join(PATIENCE_S)
    assert set(versions) == {1, 2}
    assert serving.figures().refused == 0


def test_a_model_that_does_not_judge_does_not_take_the_place_of_one_that_does(serving: Serving, tmp_path: Path) -> None:
    broken = sight(tmp_path / "nan.sight", [("Div", ["grey", "zero"], "map"), ("ReduceMax", ["map"], "score")])
    with pytest.raises(BundleError, match="does not judge"):
        serving.load("cap", broken, version=2)
    assert serving.model("cap").version == 1
    assert serving.judge("cap", GOOD).verdict is Verdict.PASS
    (tmp_path / "torn.sight").write_bytes((tmp_path / "cap.sight").read_bytes()[:999])
    with pytest.raises(BundleError):
        serving.load("lid", tmp_path / "torn.sight")
    assert serving.model("lid").state is State.FAILED
    with pytest.raises(ConflictError, match="is failed"):
        serving.judge("lid", GOOD)


def test_a_bomb_is_refused_at_once_and_costs_no_memory(serving: Serving) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1 << 20))
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, data, b"IEND")
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with pytest.raises(FrameError, match=r"900\.0 megapixels"):
        serving.judge("cap", bomb)
    assert time.monotonic() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    assert serving.judge("cap", GOOD).verdict is Verdict.PASS


def test_a_model_that_hangs_is_a_fault_and_is_given_up_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def hang(inspector: object, given: bytes, wish: Wish, name: str, version: int) -> Answer:
        let_go.wait(PATIENCE_S)
        raise FrameError("too late")

    with Serving(workers=1, hang_s=0.02) as serving:
        serving.load("cap", sight(tmp_path / "cap.sight"))
        monkeypatch.setattr(module, "answered", hang)
        try:
            verdicts = list[Verdict | None]()
            while serving.model("cap").state is State.READY and len(verdicts) < 20:
                verdicts.append(_verdict(serving))
            assert set(verdicts) <= {Verdict.FAULT, None}
            assert "stuck 3 times" in serving.model("cap").reason
            monkeypatch.setattr(module, "answered", answered)
            serving.start("cap")
            assert serving.judge("cap", GOOD).verdict is Verdict.PASS
        finally:
            let_go.set()


def _verdict(serving: Serving) -> Verdict | None:
    try:
        return serving.judge("cap", GOOD, timeout_s=0.05).verdict
    except BusyError:
        return None


def test_an_error_nobody_foresaw_is_a_fault(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(inspector: object, given: bytes, wish: Wish, name: str, version: int) -> Answer:
        raise ZeroDivisionError

    died = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: died.set())
    monkeypatch.setattr(module, "answered", fail)
    inspection = serving.judge("cap", GOOD)
    assert inspection.verdict is Verdict.FAULT
    assert inspection.fault is not None
    assert "ZeroDivisionError" in inspection.fault
    assert died.wait(PATIENCE_S)
