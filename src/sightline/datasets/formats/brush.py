"""Label Studio's masks: runs of equal bytes, packed into bits (`rle-pack` of thi.ng/umbrella).

32 bits say how many values follow, 5 the bits of a value less 1, four times 4 the bits of a length less 1. Then, for
each group: 1 bit whether one value is repeated, 2 bits which of the lengths is used, the length less 1, and the value
or values. The values are the red, green, blue and alpha bytes of the picture, row after row; alpha marks.
"""

from itertools import groupby

import numpy as np

from sightline.errors import DatasetError
from sightline.records import BoolArray

_CHANNELS = 4
_LENGTHS = (3, 4, 8, 16)  # bits, as Label Studio writes them
_VALUE_BITS = 8


def read_brush(packed: bytes, height: int, width: int) -> BoolArray:
    """(height, width) bool; DatasetError unless it is the mask of such a picture."""
    bits = _Bits(packed)
    count, value_bits = bits.take(32), bits.take(5) + 1
    lengths = [bits.take(4) + 1 for _ in range(4)]
    if count != height * width * _CHANNELS:
        raise DatasetError(f"a brush mask has {count} values; a picture of {width} x {height} has four in each pixel.")
    values = np.zeros(count, np.bool_)
    at = 0
    while at < count:
        repeated = bits.take(1)
        length = bits.take(lengths[bits.take(2)]) + 1
        if repeated:
            values[at : at + length] = bits.take(value_bits) > 0
        else:
            values[at : at + length] = [bits.take(value_bits) > 0 for _ in range(length)][: count - at]
        at += length
    marked: BoolArray = values.reshape(height, width, _CHANNELS)[:, :, _CHANNELS - 1]
    return marked


def write_brush(pixels: BoolArray) -> bytes:
    """What `read_brush` reads, and Label Studio shows."""
    groups = [f"{pixels.size * _CHANNELS:032b}", f"{_VALUE_BITS - 1:05b}", *(f"{bits - 1:04b}" for bits in _LENGTHS)]
    most = 1 << _LENGTHS[-1]
    for marked, run in groupby(pixels.ravel().tolist()):
        left = _CHANNELS * sum(1 for _ in run)
        while left:
            length = min(left, most)
            kind = next(at for at, bits in enumerate(_LENGTHS) if length <= 1 << bits)
            groups.append(f"1{kind:02b}{length - 1:0{_LENGTHS[kind]}b}{255 * marked:08b}")
            left -= length
    text = "".join(groups)
    size = -(-len(text) // 8)
    return int(text.ljust(8 * size, "0"), 2).to_bytes(size, "big")


class _Bits:
    """Bytes read bit by bit, the highest first."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._at = 0

    def take(self, count: int) -> int:
        """The next `count` bits as a number."""
        end = self._at + count
        if end > 8 * len(self._packed):
            raise DatasetError("a brush mask is cut short; export it again.")
        chunk = int.from_bytes(self._packed[self._at // 8 : -(-end // 8)], "big")
        self._at = end
        return chunk >> (-end % 8) & ((1 << count) - 1)
