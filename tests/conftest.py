"""Where the real images and teachers lie, for the tests that need them."""

import faulthandler
import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEFT = pytest.StashKey[list[str]]()


def _shared_folder() -> Path:
    return Path(os.environ.get("SIGHTLINE_SHARED") or ROOT.parent / "shared")


def _reason_to_skip(folder: Path) -> str | None:
    if (folder / "data").is_dir():
        return None
    return f"{folder}: no real images here. Set SIGHTLINE_SHARED to the folder that holds data/ and teachers/."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = _reason_to_skip(_shared_folder())
    if reason is None:
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with data/ and teachers/; the test is skipped where there is none."""
    folder = _shared_folder()
    reason = _reason_to_skip(folder)
    if reason is not None:
        pytest.skip(reason)
    return folder


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
