"""Raw frames: worked by hand, byte by byte."""

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.errors import FrameError
from sightline.imaging.raw import PixelFormat, decode_raw

# PFNC: byte 0 is the low 8 bits of pixel 0; byte 1 its high 4, and above them the low 4 of pixel 1; byte 2 the rest
PACKED_ABC_DEF = bytes([0xBC, 0xFA, 0xDE])


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


@pytest.mark.parametrize(
    ("pixel_format", "data", "values", "bit_depth"),
    [
        ("Mono8", bytes([0, 1, 254, 255]), [[0, 1], [254, 255]], 8),
        ("Mono10", words(0, 1, 512, 1023), [[0, 1], [512, 1023]], 10),
        ("Mono12", words(0, 1, 2048, 4095), [[0, 1], [2048, 4095]], 12),
        ("Mono16", words(0, 1, 256, 65535), [[0, 1], [256, 65535]], 16),
        # 1, 2, 513, 1023 of ten bits each, lowest first: 01 | 08 | 10 | e0 | ff
        ("Mono10p", bytes([0x01, 0x08, 0x10, 0xE0, 0xFF]), [[1, 2], [513, 1023]], 10),
        ("Mono10Packed", bytes([0xAB, 0x21, 0xCD, 0x00, 0x30, 0xFF]), [[0x2AD, 0x336], [0, 1023]], 10),
        ("Mono12Packed", bytes([0xAB, 0xFC, 0xDE, 0x00, 0xF1, 0xFF]), [[0xABC, 0xDEF], [0x001, 0xFFF]], 12),
        ("Mono12p", PACKED_ABC_DEF + bytes([0x01, 0xF0, 0xFF]), [[0xABC, 0xDEF], [0x001, 0xFFF]], 12),
    ],
)
def test_mono_values_come_out_as_declared(
    pixel_format: str, data: bytes, values: list[list[int]], bit_depth: int
) -> None:
    frame = decode_raw(data, pixel_format=PixelFormat(pixel_format), width=2, height=2, source="cam 1")
    assert frame.pixels[:, :, 0].tolist() == values
    assert frame.pixels.dtype == (np.uint8 if bit_depth == 8 else np.uint16)
    assert (frame.bit_depth, frame.source, frame.pixels.shape) == (bit_depth, "cam 1", (2, 2, 1))


def test_packed_lines_follow_each_other_within_a_byte() -> None:
    # 3 x 3 = 9 pixels, 108 bits, 14 bytes with half a byte unused
    data = PACKED_ABC_DEF * 4 + bytes([0x23, 0x01])
    frame = decode_raw(data, pixel_format=PixelFormat.MONO12P, width=3, height=3)
    assert frame.pixels[:, :, 0].tolist() == [[0xABC, 0xDEF, 0xABC], [0xDEF, 0xABC, 0xDEF], [0xABC, 0xDEF, 0x123]]


def test_a_stride_skips_the_padding_of_each_line() -> None:
    packed = (PACKED_ABC_DEF + bytes([0x23, 0x01]) + b"\xee" * 3) * 2  # 3 px in 5 bytes, lines of 8
    frame = decode_raw(packed, pixel_format=PixelFormat.MONO12P, width=3, height=2, stride=8)
    assert frame.pixels[:, :, 0].tolist() == [[0xABC, 0xDEF, 0x123]] * 2
    plain = decode_raw(b"\1\2\3\xee\4\5\6", pixel_format=PixelFormat.MONO8, width=3, height=2, stride=4)
    assert plain.pixels[:, :, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    wide = decode_raw(words(1, 2, 0xEEEE, 3, 4, 0xEEEE), pixel_format=PixelFormat.MONO16, width=2, height=2, stride=6)
    assert wide.pixels[:, :, 0].tolist() == [[1, 2], [3, 4]]


def test_colours_come_out_in_their_order() -> None:
    frame = decode_raw(bytes(range(12)), pixel_format=PixelFormat.RGB8, width=2, height=2)
    assert frame.pixels.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
    padded = decode_raw(b"\1\2\3\xee\4\5\6", pixel_format=PixelFormat.RGB8, width=1, height=2, stride=4)
    assert padded.pixels.tolist() == [[[1, 2, 3]], [[4, 5, 6]]]


def test_a_packed_mosaic_is_the_unpacked_one() -> None:
    values = np.arange(64, dtype=np.uint16) * 64
    pairs = values.reshape(-1, 2)
    packed = np.stack([pairs[:, 0] & 255, pairs[:, 0] >> 8 | (pairs[:, 1] & 15) << 4, pairs[:, 1] >> 4], axis=1)
    one = decode_raw(packed.astype(np.uint8).tobytes(), pixel_format=PixelFormat.BAYER_RG12P, width=8, height=8)
    other = decode_raw(values.astype("<u2").tobytes(), pixel_format=PixelFormat.BAYER_RG12, width=8, height=8)
    assert np.array_equal(one.pixels, other.pixels)


def mosaic(first_colours: str, colour: str, value: int, dtype: type[np.generic]) -> NDArray[np.generic]:
    """8 x 8 as a camera with this filter sees a scene of one pure colour."""
    below = {"R": "G", "B": "G"}.get(first_colours[0], "B" if first_colours[1] == "R" else "R")
    last = {"RG": "B", "BG": "R", "GR": "G", "GB": "G"}[first_colours]
    cell = np.array([list(first_colours), [below, last]])
    return np.where(np.tile(cell, (4, 4)) == colour, value, 0).astype(dtype)


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("first_colours", ["RG", "GR", "GB", "BG"])
@pytest.mark.parametrize("colour", ["R", "G", "B"])
def test_a_pure_colour_through_the_mosaic_stays_pure_and_keeps_its_range(
    first_colours: str, colour: str, bits: int
) -> None:
    value = (1 << bits) - 1
    data = mosaic(first_colours, colour, value, np.uint8 if bits == 8 else np.uint16).tobytes()
    frame = decode_raw(data, pixel_format=PixelFormat(f"Bayer{first_colours}{bits}"), width=8, height=8)
    assert frame.pixels.shape == (8, 8, 3)
    assert frame.bit_depth == bits
    expected = [value if channel == colour else 0 for channel in "RGB"]
    assert (frame.pixels == expected).all()


def test_the_first_pixels_colour_is_taken_from_the_format_name() -> None:
    data = np.zeros((8, 8), np.uint8)
    data[::2, ::2] = 200  # only where the first pixel of the first row lies
    for name, channel in (("BayerRG8", 0), ("BayerBG8", 2)):
        frame = decode_raw(data.tobytes(), pixel_format=PixelFormat(name), width=8, height=8)
        assert [int(frame.pixels[..., c].max()) for c in range(3)] == [200 if c == channel else 0 for c in range(3)]


def test_the_frame_owns_its_pixels() -> None:
    buffer = bytearray([1, 2, 3, 4])
    frame = decode_raw(memoryview(buffer), pixel_format=PixelFormat.MONO8, width=2, height=2)
    buffer[:] = b"\xff\xff\xff\xff"
    assert frame.pixels[:, :, 0].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("pixel_format", "size", "width", "height", "stride", "reason"),
    [
        pytest.param("Mono8", 3, 2, 2, None, "3 bytes, but 2 x 2 px of Mono8 are 4", id="too-few"),
        pytest.param("Mono8", 5, 2, 2, None, "5 bytes", id="too-many"),
        pytest.param("Mono12p", 8, 2, 2, None, "are 6", id="not-packed"),
        pytest.param("Mono16", 4, 2, 2, None, "are 8", id="half"),
        pytest.param("Mono16", 8, 2, 2, 3, "stride of 3 bytes", id="stride-too-short"),
        pytest.param("Mono8", 0, 0, 2, None, "0 x 2", id="no-width"),
        pytest.param("Mono8", 0, -1, -1, None, "-1 x -1", id="negative"),
        pytest.param("Mono8", 0, 60_000, 60_000, None, "--max-megapixels", id="too-large"),
        pytest.param("BayerRG8", 4, 2, 2, None, "4 x 4", id="mosaic-too-small"),
    ],
)
def test_bytes_that_do_not_fit_the_declaration_get_one_line(
    pixel_format: str, size: int, width: int, height: int, stride: int | None, reason: str
) -> None:
    with pytest.raises(FrameError, match=reason) as caught:
        decode_raw(
            bytes(size),
            pixel_format=PixelFormat(pixel_format),
            width=width,
            height=height,
            stride=stride,
            source="cam 1",
        )
    assert str(caught.value).startswith("cam 1: ")


@pytest.mark.parametrize(("pixel_format", "top"), [("Mono10", 1023), ("Mono12", 4095), ("BayerGB12", 4095)])
def test_a_value_above_the_declared_depth_is_refused_and_the_highest_is_not(pixel_format: str, top: int) -> None:
    for value, fits in ((top, True), (top + 1, False)):
        data = words(*[0] * 15, value)
        if fits:
            decode_raw(data, pixel_format=PixelFormat(pixel_format), width=4, height=4)
            continue
        with pytest.raises(FrameError, match=f"value of {value}.*ends at {top}"):
            decode_raw(data, pixel_format=PixelFormat(pixel_format), width=4, height=4)
