"""Where the real images and teachers lie, for the tests that need them."""

import faulthandler
import multiprocessing
import os
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


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
    left = [thread.name for thread in threading.enumerate() if not thread.daemon and thread.name != "MainThread"]
    left += [process.name for process in multiprocessing.active_children()]
    if left:
        print(f"\nleft running by tests: {', '.join(left)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    faulthandler.dump_traceback_later(60, exit=True)
