"""JPEG (ITU-T T.81): header and segment structure.

JPEG has no checksum. A file that ends early is found out by its missing end marker, and one whose scans are too
short for its size by counting; damage inside a scan that leaves every marker in place cannot be told from a picture.
"""

import re
import struct

from sightline.errors import FrameError
from sightline.imaging.headers import Declared, check_size, check_tail, cut_short
from sightline.imaging.tags import exif_orientation

_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # neither a stuffed byte nor a restart; linear on runs of 0xFF
_SOI, _EOI, _SOS, _APP1, _APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2
_SIZED = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive; Huffman coded
_UNUSUAL = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}  # lossless, hierarchical, arithmetic
_ALONE = {0x01, _SOI}  # markers without a length, out of place between segments
_MAX_SEGMENTS = 2000
_MAX_SCANS = 64  # every scan passes over the whole picture; encoders write about ten


class _Reader:
    """What the segments have told so far."""

    __slots__ = ("components", "height", "multiple", "orientation", "scan_bytes", "scans", "width")

    def __init__(self) -> None:
        self.width = self.height = self.components = self.scans = self.scan_bytes = 0
        self.orientation = 1
        self.multiple = False  # an index of further pictures (CIPA DC-007) announces that something follows

    def segment(self, marker: int, body: memoryview, limit: int) -> None:
        if marker in _SIZED:
            if self.components:
                raise FrameError("this JPEG declares its size twice. The file is damaged.")
            self._frame_header(body, limit)
        elif marker in _UNUSUAL:
            raise FrameError("this JPEG is lossless, hierarchical or arithmetic coded. Save it as an ordinary JPEG.")
        elif marker in _ALONE:
            raise FrameError(f"this JPEG has a marker 0x{marker:02X} where none can be. The file is damaged.")
        elif marker == _APP1 and bytes(body[:6]) == b"Exif\0\0":
            self.orientation = exif_orientation(body[6:])
        elif marker == _APP2 and bytes(body[:4]) == b"MPF\0":
            self.multiple = True
        elif marker == _SOS:
            self.scans += 1
            if not self.components or self.scans > _MAX_SCANS:
                raise FrameError(f"this JPEG has {self.scans} scans, of which {_MAX_SCANS} make sense. Save it again.")

    def _frame_header(self, body: memoryview, limit: int) -> None:
        precision, self.height, self.width, self.components = struct.unpack_from(">BHHB", body)
        check_size(self.width, self.height, limit)
        if precision != 8:
            raise FrameError(
                f"this JPEG has {precision} bits per channel, which cannot be read. Save it as PNG or TIFF."
            )
        if self.components == 4:
            raise FrameError("this JPEG has inks (CMYK), not light. Save it as RGB or grey.")
        if self.components not in (1, 3):
            raise FrameError(f"this JPEG has {self.components} channels. Save it as RGB or grey.")


def parse(data: memoryview, limit: int) -> Declared:
    """Check the structure of a JPEG; the decoder gets it up to its end marker.

    After that only padding may follow, or, where a multi-picture index announces them, further JPEGs
    (a phone's preview or depth map), which are ignored.
    """
    reader, position = _Reader(), 2
    for _ in range(_MAX_SEGMENTS):
        marker, position = _next_marker(data, position)
        if marker == _EOI:
            return _declared(data, position, reader)
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2:
            raise FrameError("this JPEG has a segment without a length. The file is damaged.")
        if position + length > len(data):
            raise cut_short("JPEG")
        reader.segment(marker, data[position + 2 : position + length], limit)
        position += length
        if marker == _SOS:
            found = _SCAN_END.search(data, position)
            if found is None:
                raise cut_short("JPEG")
            reader.scan_bytes += found.start() - position
            position = found.start()
    raise FrameError(f"this JPEG has more than {_MAX_SEGMENTS} segments. Save it again.")


def _next_marker(data: memoryview, position: int) -> tuple[int, int]:
    """The marker at `position` and where it ends; any number of 0xFF may come before it."""
    found = _MARKER.match(data, position)
    if found is None:
        if len(data) - position < 2:
            raise cut_short("JPEG")
        raise FrameError("this JPEG has no marker where a segment must begin. The file is damaged.")
    return data[found.end() - 1], found.end()


def _declared(data: memoryview, end: int, reader: _Reader) -> Declared:
    if not reader.scans:
        raise FrameError("this JPEG holds no scan, so there is no picture in it. Copy it again from its source.")
    blocks = -(-reader.width // 8) * -(-reader.height // 8)
    if reader.scan_bytes * 8 < blocks:  # the shortest Huffman code is one bit, and each block has a DC code
        raise cut_short("JPEG")
    if not (reader.multiple and re.match(rb"\0*\xff\xd8\xff", data[end:])):
        check_tail(data, end, "JPEG")
    return Declared(
        width=reader.width,
        height=reader.height,
        bit_depth=8,
        grey=reader.components == 1,
        orientation=reader.orientation,
        payload=data[:end],
    )
