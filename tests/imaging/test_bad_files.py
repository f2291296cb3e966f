"""Whatever the bytes: a frame or one FrameError line, soon, and without much memory."""

import io
import resource
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import FrameError
from sightline.imaging.decode import decode

NOISE = np.random.default_rng(7).integers(0, 256, (60, 80, 3), dtype=np.uint8)
MAX_SECONDS, MAX_BYTES = 0.05, 64 << 20


def saved(form: str, pixels: NDArray[np.uint8] = NOISE, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


PNG, JPEG, BMP, TIFF = saved("PNG"), saved("JPEG"), saved("BMP"), saved("TIFF")
PROGRESSIVE = saved("JPEG", progressive=True)
WEBP, WEBP_LOSSLESS = saved("WEBP"), saved("WEBP", lossless=True)
DEFLATED = saved("TIFF", compression="tiff_adobe_deflate")
LZW = saved("TIFF", compression="tiff_lzw")
WHOLE = {
    "png": PNG, "jpeg": JPEG, "progressive": PROGRESSIVE, "bmp": BMP, "tiff": TIFF, "webp": WEBP,
    "webp-lossless": WEBP_LOSSLESS, "tiff-deflate": DEFLATED, "tiff-lzw": LZW,
}  # fmt: skip
GIF = saved("GIF", NOISE[:, :, 0])


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(side: int, depth: int) -> bytes:
    """A valid PNG, all black, of some hundred kilobytes: inflated in pieces so that building it is cheap too."""
    squeeze = zlib.compressobj(9)
    rows = [squeeze.compress(bytes(100 * (1 + side * depth // 8))) for _ in range(side // 100)]
    header = struct.pack(">IIBBBBB", side, side, depth, 0, 0, 0, 0)
    data = b"".join(rows) + squeeze.flush()
    return PNG[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def patched(data: bytes, at: int, form: str, *values: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, at, *values)
    return bytes(changed)


def tiff_tag(data: bytes, tag: int, value: int) -> bytes:
    """The same TIFF with one tag of its first directory set to a single LONG."""
    (offset,) = struct.unpack_from("<I", data, 4)
    for entry in range(struct.unpack_from("<H", data, offset)[0]):
        start = offset + 2 + 12 * entry
        if struct.unpack_from("<H", data, start)[0] == tag:
            return patched(data, start + 2, "<HII", 4, 1, value)
    raise AssertionError(f"no tag {tag}")


SOF = JPEG.index(b"\xff\xc0")
IHDR_BAD_CRC = patched(PNG, 16, ">II", 80, 61)
EMPTY_IDAT = (
    PNG[:8]
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 7000, 7000, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0" * 100))
    + chunk(b"IEND", b"")
)
SCANS = PROGRESSIVE[PROGRESSIVE.index(b"\xff\xda") : -2]
SCAN = JPEG.index(b"\xff\xda") + 14
HTML = b"<html><script>alert(1)</script></html>"
ZIP = b"PK\x03\x04" + bytes(30) + b"PK\x05\x06" + bytes(18)
ANIMATED_PNG, ANIMATED_WEBP, PAGES = io.BytesIO(), io.BytesIO(), io.BytesIO()
for sink, kind in ((ANIMATED_PNG, "PNG"), (ANIMATED_WEBP, "WEBP"), (PAGES, "TIFF")):
    Image.fromarray(NOISE).save(sink, kind, save_all=True, append_images=[Image.fromarray(255 - NOISE)])


def link(data: bytes, page: int) -> int:
    """Where the first or second directory of a TIFF says where the next one lies."""
    at = 4
    for _ in range(page):
        (offset,) = struct.unpack_from("<I", data, at)
        at = offset + 2 + 12 * struct.unpack_from("<H", data, offset)[0]
    return at


SECOND = struct.unpack_from("<I", PAGES.getvalue(), link(PAGES.getvalue(), 1))[0]
THUMBNAIL = patched(PAGES.getvalue(), SECOND + 2, "<HHII", 254, 4, 1, 1)  # its first tag becomes NewSubfileType
ENDLESS = patched(THUMBNAIL, link(THUMBNAIL, 2), "<I", SECOND)

BAD = {
    "empty": (b"", "it is empty"),
    "one-byte": (b"\x89", "not a PNG"),
    "random": (np.random.default_rng(1).bytes(100_000), "not a PNG"),
    "text": (b"score,label\n0.1,good\n", "not a PNG"),
    "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "not a PNG"),
    "html": (HTML, "not a PNG"),
    "zip": (ZIP, "not a PNG"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "not a PNG"),
    "pickle": (b"\x80\x04\x95\x10\0\0\0\0\0\0\0cos\nsystem\n", "not a PNG"),
    "gif": (GIF, "not a PNG"),
    "numpy": (b"\x93NUMPY\x01\x00", "not a PNG"),
    "png-bomb-900-megapixels": (png_bomb(30_000, 1), r"30000 x 30000 pixels \(900\.0 megapixels\)"),
    "png-bomb-169-megapixels": (png_bomb(13_000, 8), r"13000 x 13000 .*--max-megapixels"),
    "png-long-side": (patched(PNG, 16, ">II", 70_000, 1), "at most 65535"),
    "png-no-width": (patched(PNG, 16, ">II", 0, 60), "0 x 60"),
    "png-declares-49-megapixels-holds-none": (EMPTY_IDAT, "cut short"),
    "png-bad-checksum": (IHDR_BAD_CRC, "checksum"),
    "png-damaged-pixels": (PNG[:-100] + bytes([PNG[-100] ^ 1]) + PNG[-99:], "checksum"),
    "png-then-zip": (PNG + ZIP, "after the end"),
    "png-then-html": (PNG + HTML, "after the end"),
    "png-crumbs": (PNG[:33] + chunk(b"tEXt", b"") * 200_000 + PNG[33:], "chunks"),
    "png-bad-colour-type": (patched(PNG, 24, ">BB", 16, 3), "colour type 3 with 16 bits"),
    "png-unknown-critical-chunk": (PNG[:33] + chunk(b"CgBI", b"1234") + PNG[33:], "CgBI"),
    "png-animated": (ANIMATED_PNG.getvalue(), "animated"),
    "jpeg-bomb": (patched(JPEG, SOF + 5, ">HH", 65_000, 65_000), "65000 x 65000"),
    "jpeg-no-height": (patched(JPEG, SOF + 5, ">HH", 0, 80), "80 x 0"),
    "jpeg-12-bit": (patched(JPEG, SOF + 4, ">B", 12), "12 bits"),
    "jpeg-lossless": (patched(JPEG, SOF + 1, ">B", 0xC3), "lossless"),
    "jpeg-inks": (patched(JPEG, SOF + 9, ">B", 4), "CMYK"),
    "jpeg-then-html": (JPEG + HTML, "after the end"),
    "jpeg-then-jpeg": (JPEG + JPEG, "after the end"),
    "jpeg-much-padding": (JPEG + bytes(5000), "after the end"),
    "jpeg-two-sizes": (JPEG[:SOF] + JPEG[SOF : SOF + 19] + JPEG[SOF:], "twice"),
    "jpeg-scan-too-short": (patched(JPEG, SOF + 5, ">HH", 6000, 8000)[: SCAN + 200] + b"\xff\xd9", "cut short"),
    "jpeg-crumbs": (b"\xff\xd8" + b"\xff\xe5\0\x02" * 300_000 + JPEG[2:], "segments"),
    "jpeg-fill-bytes": (JPEG[:SCAN] + b"\xff" * 1_000_000, "cut short"),
    "jpeg-many-scans": (PROGRESSIVE[:-2] + SCANS * 50 + b"\xff\xd9", "scans"),
    "jpeg-only-markers": (b"\xff\xd8\xff\xd9", "no scan"),
    "bmp-bomb": (patched(BMP, 18, "<ii", 40_000, -40_000), "40000 x 40000"),
    "bmp-lowest-height": (patched(BMP, 18, "<ii", 1, -(2**31)), "65535"),
    "bmp-run-length": (patched(BMP, 30, "<I", 1), "uncompressed"),
    "bmp-then-zip": (BMP + ZIP, "after the end"),
    "bmp-unknown-header": (patched(BMP, 14, "<I", 41), "header of 41"),
    "tiff-bomb": (tiff_tag(tiff_tag(TIFF, 256, 60_000), 257, 60_000), "60000 x 60000"),
    "tiff-big": (b"II+\0\x08\0\0\0" + bytes(8), "BigTIFF"),
    "tiff-directory-outside": (patched(TIFF, 4, "<I", 0xFFFFFFF0), "header is cut short"),
    "tiff-rows-missing": (tiff_tag(TIFF, 257, 600), "cut short|blocks"),
    "tiff-inks": (tiff_tag(TIFF, 262, 5), "CMYK"),
    "tiff-ccitt": (tiff_tag(TIFF, 259, 4), "method 4"),
    "tiff-pages": (PAGES.getvalue(), "several pages"),
    "tiff-endless-pages": (ENDLESS, "more than 16 pages"),
    "tiff-lzw-damaged": (LZW[:3000] + b"\xff" * 40 + LZW[3040:], "damaged"),
    "tiff-deflate-damaged": (DEFLATED[:3000] + bytes([DEFLATED[3000] ^ 255]) + DEFLATED[3001:], "damaged"),
    "webp-bomb": (patched(WEBP_LOSSLESS, 21, "<I", 0x0FFFFFFF), "16384 x 16384"),
    "webp-then-zip": (WEBP + ZIP, "after the end"),
    "webp-animated": (ANIMATED_WEBP.getvalue(), "animated"),
    "webp-without-picture": (b"RIFF" + struct.pack("<I", 12) + b"WEBPICCP\0\0\0\0", "holds no picture"),
}  # fmt: skip
for _name, _data in WHOLE.items():
    for _share in (0.02, 0.3, 0.7, 0.99):
        BAD[f"{_name}-cut-at-{_share}"] = (_data[: int(len(_data) * _share)], "cut short|header|not a PNG")
    BAD[f"{_name}-cut-by-one"] = (_data[:-1], "cut short|header")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_line_soon_and_in_little_memory(name: str) -> None:
    data, reason = BAD[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()  # the time it takes, not the time other programs take from it
    with pytest.raises(FrameError, match=reason) as caught:
        decode(data, source="lot 7/part.png")
    spent = time.process_time() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    message = str(caught.value)
    assert message.startswith("lot 7/part.png: ")
    assert "\n" not in message
    assert len(message) < 250
    assert spent < MAX_SECONDS
    assert grown < MAX_BYTES
    assert _traced_peak(lambda: decode(data)) < MAX_BYTES


def _traced_peak(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(FrameError):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_files_of_this_corpus_are_good(name: str) -> None:
    assert decode(WHOLE[name]).pixels.shape == NOISE.shape


@pytest.mark.parametrize("data", [JPEG + bytes(4096), JPEG + b"\r\n", PNG + bytes(512)], ids=["block", "line", "png"])
def test_a_little_padding_is_no_reason_to_refuse(data: bytes) -> None:
    assert decode(data).pixels.shape == NOISE.shape


def test_a_phones_second_picture_is_ignored_when_it_is_announced() -> None:
    index = b"\xff\xe2" + struct.pack(">H", 10) + b"MPF\0" + bytes(4)
    np.testing.assert_array_equal(decode(JPEG[:2] + index + JPEG[2:] + JPEG).pixels, decode(JPEG).pixels)


def test_a_compressed_comment_is_never_inflated() -> None:
    bomb = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(30 << 20)))
    np.testing.assert_array_equal(decode(PNG[:33] + bomb + PNG[33:]).pixels, NOISE)


def test_a_thumbnail_page_is_not_a_second_picture() -> None:
    np.testing.assert_array_equal(decode(THUMBNAIL).pixels, NOISE)


SMALL = {
    form: saved(form, NOISE[:9, :11].copy(), **options)
    for form, options in {"PNG": {}, "JPEG": {}, "BMP": {}, "WEBP": {"lossless": True}}.items()
}
SMALL |= {
    f"TIFF {method}": saved("TIFF", NOISE[:9, :11].copy(), compression=method)
    for method in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
}


@pytest.mark.parametrize("form", SMALL)
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6), keep=st.floats(0, 1)
)
def test_a_mutated_file_is_a_frame_or_a_frame_error(form: str, edits: list[tuple[int, int]], keep: float) -> None:
    changed = bytearray(SMALL[form])
    for at, value in edits:
        changed[at % min(len(changed), 200 if at % 3 else len(changed))] = value  # most of them in the header
    if keep < 0.1:
        del changed[int(len(changed) * keep * 10) :]
    try:
        frame = decode(bytes(changed), max_megapixels=1)
    except FrameError:
        return
    assert frame.pixels.size <= 3_000_000


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    start=st.sampled_from(
        [b"", PNG[:8], PNG[:33], JPEG[:3], b"BM", b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0\x02\0", WEBP[:16]]
    ),
    rest=st.binary(max_size=300),
)
def test_made_up_bytes_are_a_frame_error(start: bytes, rest: bytes) -> None:
    with pytest.raises(FrameError):
        decode(start + rest, max_megapixels=1)
