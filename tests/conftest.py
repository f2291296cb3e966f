"""Where the real images and teachers lie, for the tests that need them."""

import faulthandler
import multiprocessing
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

Once = Callable[[str, Callable[[Path], None]], Path]
ROOT = Path(__file__).resolve().parent.parent
LONG = (  # that take more than ten seconds, the longest first; one of another kind among those that need the plant
    *("browser/test_accessibility", "cli/test_demo", "browser/", "service/operations/test_jobs", "line/test_station"),
    *("line/test_promises", "search/", "models/test_gradient", "cli/test_auto", "service/test_serve", "test_locating"),
    *("backbone/test_backbone_programs", "cli/test_train", "devices/plcs/test_plc_fuzz", "test_project"),
)
LEFT = pytest.StashKey[list[str]]()


def _shared_folder() -> Path:
    return Path(os.environ.get("SIGHTLINE_SHARED") or ROOT.parent / "shared")


def _reason_to_skip(folder: Path) -> str | None:
    if (folder / "data").is_dir():
        return None
    return f"{folder}: no real images here. Set SIGHTLINE_SHARED to the folder that holds data/ and teachers/."


@pytest.hookimpl(trylast=True)  # pytest itself puts those with one fixture together, over the files' borders
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        longest_first(items)
    reason = _reason_to_skip(_shared_folder())
    if reason is None:
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason=reason))


def longest_first(items: list[pytest.Item]) -> None:
    """Bring the files in the order in which processes are to take them, which then end at about the same time."""
    counts = Counter(_file(item) for item in items)

    def turn(item: pytest.Item) -> tuple[int, int, str]:
        file = _file(item)
        place = next((at for at, name in enumerate(LONG) if name in file), len(LONG))
        return place, -counts[file], file

    items.sort(key=turn)


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with data/ and teachers/; the test is skipped where there is none."""
    folder = _shared_folder()
    reason = _reason_to_skip(folder)
    if reason is not None:
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """`once(name, make)`: a folder that `make` fills once for all processes of a run; only read it."""
    own = tmp_path_factory.getbasetemp()
    base = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = base / f"once-{name}", base / f"once-{name}.done"
        with FileLock(base / f"once-{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what one that failed has left
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """What a test leaves running fails the run here, by name, rather than hanging it at its end."""
    left = [thread.name for thread in threading.enumerate() if _holds_up(thread)]
    left += [process.name for process in multiprocessing.active_children()]
    if hasattr(session.config, "workeroutput"):  # one of several processes: the one that has them tells
        session.config.workeroutput["left"] = left
    elif left or session.config.stash.get(LEFT, []):
        print(f"\nleft running by tests: {', '.join(left + session.config.stash.get(LEFT, []))}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    faulthandler.dump_traceback_later(60, exit=True)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of the processes that tests were divided among has ended."""
    node.config.stash[LEFT] = node.config.stash.get(LEFT, []) + getattr(node, "workeroutput", {}).get("left", [])


def _holds_up(thread: threading.Thread) -> bool:
    """Whether the process would wait for it at its end."""
    return not thread.daemon and thread is not threading.main_thread()
