"""Every format, depth and kind of channel comes out with the pixels that went in, upright, in RGB order."""

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import FrameError, OptionError
from sightline.imaging.decode import decode, read_frame, read_size

GREY = np.array([[0, 50, 100, 255, 7], [1, 2, 3, 4, 8], [9, 8, 7, 6, 5]], np.uint8)
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)  # (3, 5, 3), no two channels alike
RGBA = np.dstack([RGB, GREY])
GREY_16 = GREY.astype(np.uint16) * 257 - GREY // 2  # the low byte carries something
RGB_16 = np.stack([GREY_16, GREY_16[::-1], 65535 - GREY_16], axis=-1)


def pillow(pixels: NDArray[np.generic], form: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def opencv(pixels: NDArray[np.generic], suffix: str) -> bytes:
    """Written by OpenCV, which takes BGR."""
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[1 if pixels.ndim == 2 else pixels.shape[2]]
    return cv2.imencode(suffix, np.ascontiguousarray(np.atleast_3d(pixels)[:, :, order]))[1].tobytes()


def tiff(pixels: NDArray[np.generic], photometric: str = "minisblack", **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric=photometric, **options)  # type: ignore[arg-type]
    return file.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    """By hand: `rows` have their filter bytes, `extra` chunks come before the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def raw_tiff(tags: dict[int, tuple[int, ...]], pixels: bytes, order: str = "<") -> bytes:
    """By hand: one strip at offset 8; tags are LONG, one value each, or several SHORT placed after the pixels."""
    entries, extra, behind = b"", b"", 8 + len(pixels)
    for tag, values in sorted({273: (8,), 279: (len(pixels),), **tags}.items()):
        if len(values) == 1:
            entries += struct.pack(f"{order}HHII", tag, 4, 1, values[0])
        else:
            entries += struct.pack(f"{order}HHII", tag, 3, len(values), behind + len(extra))
            extra += struct.pack(f"{order}{len(values)}H", *values)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(f"{order}H", len(entries) // 12)
    return magic + struct.pack(f"{order}I", behind + len(extra)) + pixels + extra + count + entries + bytes(4)


def grey_tags(width: int, height: int, bits: int) -> dict[int, tuple[int, ...]]:
    return {256: (width,), 257: (height,), 258: (bits,), 259: (1,), 262: (1,), 277: (1,), 278: (height,)}


PALETTE_PNG = png(3, 1, 8, 3, b"\0\0\1\0", chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60])))
PALETTE = tuple(value * 257 for value in [*range(256), *([7] * 256), *([9] * 256)])  # all reds, greens, blues
TILED_GREY, TILED_RGB = np.tile(GREY, (20, 13)), np.tile(RGB_16, (20, 13, 1))

LOSSLESS = [
    pytest.param(pillow(GREY, "PNG"), GREY, id="png-grey8"),
    pytest.param(pillow(GREY_16, "PNG"), GREY_16, id="png-grey16"),
    pytest.param(pillow(RGB, "PNG"), RGB, id="png-rgb8"),
    pytest.param(opencv(RGB_16, ".png"), RGB_16, id="png-rgb16"),
    pytest.param(pillow(RGBA, "PNG"), RGB, id="png-rgba8"),
    pytest.param(opencv(np.dstack([RGB_16, GREY_16]), ".png"), RGB_16, id="png-rgba16"),
    pytest.param(pillow(np.dstack([GREY, 255 - GREY]), "PNG"), GREY, id="png-grey-alpha8"),
    pytest.param(png(1, 1, 16, 4, b"\0\x12\x34\x80\x00"), np.array([[0x1234]], np.uint16), id="png-grey-alpha16"),
    pytest.param(png(4, 1, 1, 0, b"\0\xa0"), np.array([[255, 0, 255, 0]], np.uint8), id="png-grey1"),
    pytest.param(png(4, 1, 2, 0, b"\0\x1b"), np.array([[0, 85, 170, 255]], np.uint8), id="png-grey2"),
    pytest.param(png(2, 1, 4, 0, b"\0\x1f"), np.array([[17, 255]], np.uint8), id="png-grey4"),
    pytest.param(PALETTE_PNG, np.array([[[10, 20, 30], [40, 50, 60], [10, 20, 30]]], np.uint8), id="png-palette"),
    pytest.param(
        png(2, 1, 1, 3, b"\0\x40", chunk(b"PLTE", bytes([9, 9, 9, 200, 200, 200])) + chunk(b"tRNS", b"\0")),
        np.array([[9, 200]], np.uint8),
        id="png-palette-of-greys-transparent",
    ),
    pytest.param(
        png(2, 1, 8, 0, b"\0\x40\x50", chunk(b"tRNS", b"\0\x40") + chunk(b"gAMA", struct.pack(">I", 100_000))),
        np.array([[0x40, 0x50]], np.uint8),
        id="png-transparent-grey-with-gamma",
    ),
    pytest.param(pillow(GREY, "BMP"), GREY, id="bmp-grey8"),
    pytest.param(pillow(RGB, "BMP"), RGB, id="bmp-rgb8"),
    pytest.param(pillow(RGBA, "BMP"), RGB, id="bmp-rgba8"),
    pytest.param(opencv(RGB, ".bmp"), RGB, id="bmp-rgb8-opencv"),
    pytest.param(pillow(GREY > 6, "BMP"), np.uint8(255) * (GREY > 6), id="bmp-grey1"),
    pytest.param(pillow(RGB, "WEBP", lossless=True), RGB, id="webp-rgb8"),
    pytest.param(pillow(RGBA, "WEBP", lossless=True, exact=True), RGB, id="webp-rgba8"),
    pytest.param(tiff(GREY), GREY, id="tiff-grey8"),
    pytest.param(tiff(GREY_16), GREY_16, id="tiff-grey16"),
    pytest.param(tiff(GREY_16, byteorder=">"), GREY_16, id="tiff-grey16-big-endian"),
    pytest.param(tiff(GREY, "miniswhite"), 255 - GREY, id="tiff-white-is-zero8"),
    pytest.param(tiff(GREY_16, "miniswhite"), 65535 - GREY_16, id="tiff-white-is-zero16"),
    pytest.param(tiff(RGB, "rgb"), RGB, id="tiff-rgb8"),
    pytest.param(tiff(RGB_16, "rgb"), RGB_16, id="tiff-rgb16"),
    pytest.param(
        tiff(np.moveaxis(RGB, -1, 0).copy(), "rgb", planarconfig="separate"),
        RGB,
        id="tiff-rgb8-planes",
    ),
    pytest.param(
        tiff(np.moveaxis(RGB_16, -1, 0).copy(), "rgb", planarconfig="separate"),
        RGB_16,
        id="tiff-rgb16-planes",
    ),
    pytest.param(tiff(RGBA, "rgb", extrasamples=["unassalpha"]), RGB, id="tiff-rgba8"),
    pytest.param(tiff(np.dstack([RGB_16, GREY_16]), "rgb", extrasamples=["unassalpha"]), RGB_16, id="tiff-rgba16"),
    pytest.param(
        tiff(np.dstack([GREY_16, GREY_16[::-1]]), extrasamples=["unassalpha"], planarconfig="contig"),
        GREY_16,
        id="tiff-grey-alpha16",
    ),
    pytest.param(pillow(GREY > 6, "TIFF"), np.uint8(255) * (GREY > 6), id="tiff-grey1"),
    pytest.param(
        raw_tiff(grey_tags(3, 2, 4), b"\x01\xf0\x79\x20"),
        np.array([[0, 17, 255], [119, 153, 34]], np.uint8),
        id="tiff-grey4",
    ),
    pytest.param(raw_tiff(grey_tags(4, 1, 2), b"\x1b"), np.array([[0, 85, 170, 255]], np.uint8), id="tiff-grey2"),
    pytest.param(
        raw_tiff(grey_tags(2, 1, 8) | {262: (3,), 320: PALETTE}, b"\3\xc8"),
        np.array([[[3, 7, 9], [200, 7, 9]]], np.uint8),
        id="tiff-palette",
    ),
    *(
        pytest.param(tiff(pixels, kind, tile=(32, 16), compression=method), pixels, id=f"tiff-tiled-{kind}-{method}")
        for pixels, kind in ((TILED_GREY, "minisblack"), (TILED_RGB, "rgb"))
        for method in (None, "zlib")
    ),
    *(
        pytest.param(pillow(pixels, "TIFF", compression=method), pixels, id=f"tiff-{method}-{name}")
        for method in ("tiff_lzw", "tiff_adobe_deflate", "packbits")
        for pixels, name in ((GREY, "grey8"), (GREY_16, "grey16"), (RGB, "rgb8"))
    ),
    pytest.param(tiff(GREY_16, compression="zlib", predictor=True), GREY_16, id="tiff-predictor-grey16"),
    pytest.param(
        tiff(RGB, "rgb", compression="zlib", predictor=True, rowsperstrip=2),
        RGB,
        id="tiff-predictor-rgb8-strips",
    ),
    pytest.param(
        tiff(RGB_16, "rgb", compression="zlib", predictor=True, byteorder=">"),
        RGB_16,
        id="tiff-predictor-rgb16-big-endian",
    ),
]


@pytest.mark.parametrize(("data", "expected"), LOSSLESS)
def test_lossless_files_come_out_exactly(data: bytes, expected: NDArray[np.generic]) -> None:
    frame = decode(data, source="part.x")
    assert frame.pixels.dtype == expected.dtype
    assert frame.bit_depth == (8 if expected.dtype == np.uint8 else 16)
    assert frame.source == "part.x"
    np.testing.assert_array_equal(frame.pixels, expected if expected.ndim == 3 else expected[:, :, None])


def test_packed_12_bit_tiff_keeps_its_values_and_says_12() -> None:
    frame = decode(raw_tiff(grey_tags(3, 2, 12), bytes.fromhex("000001abc0fff8007ff0")))  # rows begin on a byte
    assert frame.bit_depth == 12
    assert frame.pixels[:, :, 0].tolist() == [[0, 1, 0xABC], [0xFFF, 0x800, 0x7FF]]


@pytest.mark.parametrize("shape", [(97, 101), (98, 101), (97, 100), (1, 7), (1, 1)])
def test_lzw_comes_out_exactly_whatever_the_number_of_bytes(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)  # fills tables of 12-bit codes
    np.testing.assert_array_equal(decode(pillow(noise, "TIFF", compression="tiff_lzw")).pixels[:, :, 0], noise)


def test_an_lzw_strip_longer_than_opencv_can_read_in_one_row_comes_out_exactly() -> None:
    ramp = np.arange(1501 * 1501, dtype=np.uint32).reshape(1501, 1501).astype(np.uint8)  # an odd 2.25 MB
    data = pillow(ramp, "TIFF", compression="tiff_lzw", tiffinfo={278: 1501})
    np.testing.assert_array_equal(decode(data).pixels[:, :, 0], ramp)


def test_unsupported_kinds_of_tiff_are_named() -> None:
    for pixels, kind in ((GREY.astype(np.float32), "floating-point"), (GREY.astype(np.int16), "signed")):
        with pytest.raises(FrameError, match=kind):
            decode(tiff(pixels))
    with pytest.raises(FrameError, match="32 bits"):
        decode(tiff(GREY.astype(np.uint32)))


FLAT_RED = np.zeros((16, 24, 3), np.uint8) + np.array([200, 30, 60], np.uint8)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pillow(FLAT_RED, "JPEG", quality=95), id="jpeg"),
        pytest.param(pillow(FLAT_RED, "JPEG", quality=95, progressive=True), id="jpeg-progressive"),
        pytest.param(pillow(FLAT_RED, "WEBP", quality=95), id="webp-lossy"),
        pytest.param(pillow(np.dstack([FLAT_RED, FLAT_RED[:, :, :1]]), "WEBP", quality=95), id="webp-lossy-alpha"),
    ],
)
def test_lossy_colours_come_out_in_rgb_order(data: bytes) -> None:
    frame = decode(data)
    assert frame.pixels.shape == (16, 24, 3)
    assert np.abs(frame.pixels.astype(int) - [200, 30, 60]).max() <= 4


def test_a_grey_jpeg_has_one_channel() -> None:
    frame = decode(pillow(np.full((9, 7), 77, np.uint8), "JPEG"))
    assert frame.pixels.shape == (9, 7, 1)
    assert np.abs(frame.pixels.astype(int) - 77).max() <= 1


# what EXIF 2.32 says of a stored [[1, 2, 3], [4, 5, 6]]: "the 0th row is the visual top/right/..., the 0th column ..."
UPRIGHT = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_orientation_is_applied(form: str, orientation: int) -> None:
    stored = np.kron(np.array([[1, 2, 3], [4, 5, 6]], np.uint8) * 40, np.ones((8, 8), np.uint8))
    exif = Image.Exif()
    exif[274] = orientation
    options: dict[str, object] = {"lossless": True} if form == "WEBP" else {}
    frame = decode(pillow(np.dstack([stored] * 3), form, exif=exif, **options))
    seen = np.rint(frame.pixels[4::8, 4::8, 0] / 40).astype(int)
    assert seen.tolist() == UPRIGHT[orientation]
    assert frame.pixels.flags.c_contiguous


def test_damaged_exif_does_not_spoil_a_picture() -> None:
    plain = pillow(FLAT_RED, "JPEG")
    block = b"Exif\0\0II*\0\xff\xff\xff\x7f"
    frame = decode(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:])
    assert frame.pixels.shape == (16, 24, 3)


def test_the_cap_is_inclusive_and_counts_pixels() -> None:
    data = pillow(np.zeros((100, 50), np.uint8), "PNG")
    assert decode(data, max_megapixels=0.005).height == 100
    with pytest.raises(FrameError, match=r"^a\.png: declares 50 x 100 pixels .*--max-megapixels"):
        decode(data, source="a.png", max_megapixels=0.0049)


@pytest.mark.parametrize("cap", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cap_that_is_no_positive_number_is_an_option_error(cap: float) -> None:
    with pytest.raises(OptionError, match="positive"):
        decode(PALETTE_PNG, max_megapixels=cap)


@pytest.mark.parametrize("orientation", [1, 2, 6])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_the_size_without_decoding_is_that_of_the_upright_picture(form: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options = {} if form == "BMP" else {"exif": exif}
    (tmp_path / "a").write_bytes(pillow(np.zeros((20, 30), np.uint8), form, **options))
    frame = read_frame(tmp_path / "a")
    assert read_size(tmp_path / "a") == (frame.height, frame.width)
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:20])
    with pytest.raises(FrameError, match=str(tmp_path / "a")):
        read_size(tmp_path / "a")


def test_a_file_reads_as_its_bytes_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "part.jpg"
    path.write_bytes(PALETTE_PNG)
    frame = read_frame(path)
    assert frame.source == str(path)
    assert frame.pixels[0, 1].tolist() == [40, 50, 60]


def test_paths_that_are_no_readable_file_get_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path, reason in (
        (tmp_path / "gone.png", "No such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe.png", "not a regular file"),
        (tmp_path / ("x" * 300), "too long"),
        (tmp_path / "nul\0.png", "null"),
    ):
        with pytest.raises(FrameError, match=reason) as caught:
            read_frame(path)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_gets_one_line(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(PALETTE_PNG)
    path.chmod(0)
    with pytest.raises(FrameError, match="Permission denied"):
        read_frame(path)


def test_a_file_too_large_for_the_cap_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(PALETTE_PNG)
        file.truncate((16 << 20) + 8 * 1000 + 1)  # sparse: one byte over what 0.001 megapixels can need
    with pytest.raises(FrameError, match="is larger than"):
        read_frame(path, max_megapixels=0.001)
