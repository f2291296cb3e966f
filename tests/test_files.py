"""Files appear whole or not at all, and where they cannot, the message has the cure."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.errors import DatasetError, StoreError
from sightline.files import building, refuse_unwritable, write_bytes


def refusal(path: Path) -> str:
    """The message with which both functions refuse the path, seen to be one line that begins with it."""
    with pytest.raises(StoreError) as caught:
        refuse_unwritable(path)
    with pytest.raises(StoreError, match="cannot be written"):
        write_bytes(path, b"x")
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot be written (")
    assert message.isprintable()
    return message


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_current_folder_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_bytes(Path("a"), b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["disk full", "disk broken"])
def test_a_failed_write_keeps_the_old_file_and_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match=os.strerror(code)):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_renaming_keeps_the_old_file_and_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def fail(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(StoreError, match="No permission to write there: choose another folder"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "a", b"new")
    assert list(tmp_path.iterdir()) == []


def test_file_and_folder_are_synced_the_file_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    sync = os.fsync

    def watch(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append((kind, (tmp_path / "a").exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    write_bytes(tmp_path / "a", b"new")
    assert seen == [("file", False), ("folder", True)]


def test_a_missing_folder_is_named_with_its_cure(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone" / "a.png").endswith(
        "Its folder does not exist: make it first, or correct its name."
    )


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file" / "a.png").endswith("A part of the path is a file: correct it.")
    assert (tmp_path / "file").read_bytes() == b""


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert refusal(tmp_path / "a").endswith("A folder or a device has this name: choose another.")
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


@pytest.mark.parametrize("path", [Path(), Path("/"), Path("..")], ids=str)
def test_a_path_without_a_name_is_told(path: Path) -> None:
    assert "A folder or a device has this name" in refusal(path)


def test_a_device_is_not_replaced() -> None:
    assert "A folder or a device has this name" in refusal(Path(os.devnull))
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_name_that_is_too_long_is_told_before_any_work(tmp_path: Path) -> None:
    assert refusal(tmp_path / ("a" * 300)).endswith("Choose a shorter name.")


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert "No permission to write there" in refusal(tmp_path / "a")


def test_a_folder_that_may_not_be_entered_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "stat", deny)
    assert "No permission to write there" in refusal(tmp_path / "a")


def test_refusing_leaves_no_trace(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_two_processes_that_write_the_same_file_leave_one_of_the_two(tmp_path: Path) -> None:
    program = "import sys\nfrom pathlib import Path\nfrom sightline.files import write_bytes\n"
    program += "for _ in range(20): write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 100_000)\n"
    path = tmp_path / "a"
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), letter]) for letter in "xy"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert path.read_bytes() in (b"x" * 100_000, b"y" * 100_000)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_built_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with building(tmp_path / "new/set") as place:
        (place / "a").write_bytes(b"x")
        assert not (tmp_path / "new/set").exists()
    assert (tmp_path / "new/set/a").read_bytes() == b"x"
    with pytest.raises(ZeroDivisionError), building(tmp_path / "other"):
        raise ZeroDivisionError
    with pytest.raises(StoreError, match="cannot be written"), building(tmp_path / "other") as place:
        (place / "none/a").write_bytes(b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_folder_that_is_occupied_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with building(tmp_path / "set") as place:  # an empty one is as good as none
        (place / "a").touch()
    with pytest.raises(DatasetError, match="not empty"), building(tmp_path / "set"):
        pass
    with pytest.raises(DatasetError, match="not a folder"), building(tmp_path / "set/a"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
