"""What the server adds to decoding and judging, in this process and with processes of their own that judge."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from tests.service.server import PATIENCE_S, application, plant_in, running, sight

from sightline.service.apart import Apart
from sightline.service.plant import Plant
from sightline.service.serving import Serving

# promised are 5 ms at p95 on a quiet machine; tests share theirs: the processor's time, and a wider limit
MOST_MS = 15.0
ROUNDS, MOST_ROUNDS = 30, 300


@pytest.fixture(params=["here", "apart"])
def plant(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    with ExitStack() as opened:
        plant = opened.enter_context(plant_in(tmp_path))
        if request.param == "apart":
            plant.serving = opened.enter_context(Serving(workers=1, apart=opened.enter_context(Apart())))
        with monkeypatch.context() as patched:  # models with a thread each: several spin while they wait for work
            patched.setattr("os.cpu_count", lambda: 1)
            plant.serving.load("cap", sight(tmp_path / "cap.sight"))
        yield plant


def test_the_server_adds_a_few_milliseconds_to_a_picture_of_500_kb(plant: Plant) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 900), np.uint8)
    picture = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    assert 400_000 < len(picture) < 600_000
    with running(application(plant)) as url, httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        asked, judged = spent_ms(
            lambda: client.post("/api/v1/inspect", content=picture).raise_for_status(),
            lambda: plant.serving.judge("cap", picture),
        )
    print(f"processor's ms in this process: {asked:.2f} with the server and its client, {judged:.2f} without")
    assert asked - judged <= MOST_MS


def spent_ms(asking: Callable[[], object], judging: Callable[[], object]) -> tuple[float, float]:
    """Of the processor by this process, the least of all times: what else runs on the machine only adds to it.

    In turns, as the processor's own pace changes by the second; and for longer where it is a busy one.
    """
    least = [spent_s(work) for work in (asking, judging)]
    for turn in range(MOST_ROUNDS):
        if turn >= ROUNDS and 1e3 * (least[0] - least[1]) <= MOST_MS:
            break
        least = [min(before, spent_s(work)) for before, work in zip(least, (asking, judging), strict=True)]
    return least[0] * 1e3, least[1] * 1e3


def spent_s(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
