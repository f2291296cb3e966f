"""Long work waits for its turn without a thread, and never takes those that other requests are answered by."""

import threading
from pathlib import Path

import pytest
from anyio import create_task_group, run, sleep, to_thread

from sightline.errors import BusyError
from sightline.service.answer import Wish
from sightline.service.aside import Aside
from sightline.service.candidates import Candidates
from sightline.store.models import KnownModel, ModelFiles
from sightline.store.shelf import Shelf

MANY = 41  # requests at once: one more than the threads that routes share
KNOWN = KnownModel(
    id=1,
    name="cap",
    version=2,
    model_id="abc",
    digest="0" * 64,
    graph="",
    size_bytes=1,
    status="candidate",
    method="patchcore",
    figures={},
    note="",
    author="ada",
    created_s=0.0,
)


def test_models_that_are_tried_leave_threads_to_others_and_go_one_at_a_time(tmp_path: Path) -> None:
    begun, done, let_go = list[int](), list[int](), threading.Event()

    def slow(*_: object) -> None:
        begun.append(1)
        let_go.wait(60)
        done.append(1)

    (tmp_path / "00").mkdir()
    files = ModelFiles(Shelf(str(tmp_path)), tmp_path)
    path = files._shelf.path_of(KNOWN.digest)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

    async def ask() -> None:
        candidates = Candidates(files, run=slow)  # type: ignore[arg-type]
        async with create_task_group() as asked:
            for _ in range(MANY):
                asked.start_soon(candidates.answer, KNOWN, b"", Wish())
            while not begun or candidates._aside._turns.statistics().tasks_waiting < MANY - 1:
                await sleep(0.01)
            assert await to_thread.run_sync(lambda: len(begun)) == 1
            with pytest.raises(BusyError, match="cap 2: others are at it"):
                await candidates.answer(KNOWN, b"", Wish())
            let_go.set()

    run(ask)
    assert len(done) == MANY


def test_who_does_not_get_a_turn_in_time_is_told() -> None:
    let_go = threading.Event()

    async def ask() -> None:
        aside = Aside(threads=1, wait_s=0.05)
        async with create_task_group() as asked:
            asked.start_soon(aside.run, "model cap", let_go.wait, 60)
            await sleep(0)
            with pytest.raises(BusyError, match="model cap"):
                await aside.run("model cap", len, "abc")
            let_go.set()
        assert await aside.run("model cap", len, "abc") == 3

    run(ask)


def test_what_the_work_raises_comes_through_and_the_turn_is_free_again() -> None:
    async def ask() -> None:
        aside = Aside(threads=1)
        with pytest.raises(ValueError, match="invalid literal"):
            await aside.run("model cap", int, "x")
        assert await aside.run("model cap", int, "7") == 7

    run(ask)
