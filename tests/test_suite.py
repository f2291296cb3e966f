"""What divides the tests among processes, and what these share."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from tests.conftest import LONG, ROOT, Once, longest_first


def test_a_folder_is_made_once_and_anew_where_making_it_failed(once: Once) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        once("things", fail)
    folder = once("things", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
    assert once("things", fail) == folder


def test_long_files_come_first_then_those_with_many_tests_each_in_its_order() -> None:
    names = [
        "tests/a.py::one",
        "tests/search/s.py::one",
        "tests/b.py::one",
        "tests/search/s.py::two",
        "tests/b.py::two",
    ]
    items = [cast("pytest.Item", SimpleNamespace(nodeid=name)) for name in names]
    longest_first(items)
    found = [item.nodeid.removeprefix("tests/") for item in items]
    assert found == ["search/s.py::one", "search/s.py::two", "b.py::one", "b.py::two", "a.py::one"]


def test_every_long_file_is_there() -> None:
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name in LONG if not any(name in file for file in files)] == []
