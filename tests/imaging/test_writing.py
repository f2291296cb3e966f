"""Pictures come back as they were written; that files appear whole or not at all is shown in tests/test_files.py."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.errors import StoreError
from sightline.imaging.decode import decode, read_frame
from sightline.imaging.writing import png, write_png


def test_a_png_comes_back_as_it_was_written(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    write_png(tmp_path / "a.png", pixels)
    read = cv2.imread(str(tmp_path / "a.png"))
    assert read is not None
    np.testing.assert_array_equal(read[..., ::-1], pixels)


def test_a_grey_png_comes_back_as_it_was_written(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7), dtype=np.uint8)
    write_png(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), pixels)


@pytest.mark.parametrize("bits", [9, 10, 12, 15, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_cameras_depth_comes_back_with_its_values(tmp_path: Path, bits: int, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 2**bits, (9, 7, channels), dtype=np.uint16)
    pixels[0, 0], pixels[0, 1] = 0, 2**bits - 1
    write_png(tmp_path / "a.png", pixels, bits)
    frame = read_frame(tmp_path / "a.png")
    assert frame.bit_depth == bits
    np.testing.assert_array_equal(frame.pixels, pixels)
    shown = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert shown is not None
    assert shown.max() == 65_535, "white is white in other programs"


def test_a_file_that_says_less_than_it_has_is_taken_as_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (9, 7, 1), dtype=np.uint16)
    spread, plain = png(pixels, 12), png(pixels)
    said = plain[:33] + spread[33 : 33 + 13] + plain[33:]
    assert b"sBIT" in said
    frame = decode(said)
    assert frame.bit_depth == 16
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_a_picture_that_cannot_be_written_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    before = (tmp_path / "a.png").read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="The disk is full"):
        write_png(tmp_path / "a.png", np.ones((4, 4), np.uint8))
    assert (tmp_path / "a.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
