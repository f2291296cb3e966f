import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.errors import StoreError
from sightline.files import write_bytes
from sightline.imaging.writing import write_png


def test_a_png_comes_back_as_it_was_written(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    write_png(tmp_path / "a.png", pixels)
    read = cv2.imread(str(tmp_path / "a.png"))
    assert read is not None
    np.testing.assert_array_equal(read[..., ::-1], pixels)


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


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


def test_an_interrupt_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "a", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone/a.png: cannot be written .* Make the folder"):
        write_bytes(tmp_path / "gone" / "a.png", b"x")


def test_a_file_in_the_place_of_a_folder_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="part of the path is a file"):
        write_bytes(tmp_path / "file" / "a.png", b"x")


def test_a_folder_in_the_place_of_the_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(StoreError, match="folder has this name"):
        write_bytes(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
