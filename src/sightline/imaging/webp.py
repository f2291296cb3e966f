"""WebP (RFC 9649): header and chunk structure."""

import struct

from sightline.errors import FrameError
from sightline.imaging.headers import Declared, check_size, check_tail, cut_short
from sightline.imaging.tags import exif_orientation

_MAX_CHUNKS = 64
_ANIMATED = 0x02


def parse(data: memoryview, limit: int) -> Declared:
    """Check the structure of a still WebP; only the chunk with the picture goes on to the decoder."""
    (riff_size,) = struct.unpack_from("<I", data, 4)
    end = 8 + riff_size
    if end > len(data):
        raise cut_short("WebP")
    chunks = _chunks(data, end)
    check_tail(data, end, "WebP")
    if "ANIM" in chunks or "ANMF" in chunks or ("VP8X" in chunks and chunks["VP8X"][0] & _ANIMATED):
        raise FrameError("this WebP is animated. Give one still picture per file.")
    name = "VP8 " if "VP8 " in chunks else "VP8L"
    if name not in chunks:
        raise FrameError("this WebP holds no picture. The file is damaged.")
    body = chunks[name]
    width, height = _lossy_size(body) if name == "VP8 " else _lossless_size(body)
    check_size(width, height, limit)
    if "VP8X" in chunks and (width, height) != _canvas(chunks["VP8X"]):
        raise FrameError("this WebP declares two different sizes. The file is damaged.")
    padded = bytes(body) + b"\0" * (len(body) % 2)
    chunk = name.encode() + struct.pack("<I", len(body)) + padded
    return Declared(
        width=width,
        height=height,
        bit_depth=8,
        grey=False,
        orientation=exif_orientation(chunks.get("EXIF", data[:0])),
        payload=memoryview(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk),
    )


def _chunks(data: memoryview, end: int) -> dict[str, memoryview]:
    """Bodies by name; of chunks with the same name the first."""
    chunks: dict[str, memoryview] = {}
    position = 12
    for _ in range(_MAX_CHUNKS):
        if position + 8 > end:
            return chunks
        name, length = bytes(data[position : position + 4]), struct.unpack_from("<I", data, position + 4)[0]
        if position + 8 + length > end:
            raise cut_short("WebP")
        chunks.setdefault(name.decode("latin-1"), data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    raise FrameError(f"this WebP has more than {_MAX_CHUNKS} chunks. Give one still picture per file.")


def _canvas(body: memoryview) -> tuple[int, int]:
    low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", body, 4)
    return low_w + (high_w << 16) + 1, low_h + (high_h << 16) + 1


def _lossy_size(body: memoryview) -> tuple[int, int]:
    start, width, height = struct.unpack_from("<3x3sHH", body)
    if start != b"\x9d\x01\x2a":
        raise FrameError("this WebP has no key frame. The file is damaged.")
    return width & 0x3FFF, height & 0x3FFF


def _lossless_size(body: memoryview) -> tuple[int, int]:
    signature, bits = struct.unpack_from("<BI", body)
    if signature != 0x2F:
        raise FrameError("this WebP has no lossless signature. The file is damaged.")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
