"""Directories of tags, the structure that TIFF files and EXIF blocks share (TIFF 6.0, section 2)."""

import struct
from dataclasses import dataclass

from sightline.errors import FrameError

ORIENTATION = 274
_MAX_ENTRIES = 512  # a well-filled directory has about 30
_CODES = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT, LONG: every number that decides how pixels are laid out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Directory:
    """One directory; values are read when asked for, so that an absurd count costs nothing."""

    data: memoryview
    order: str  # "<" or ">"
    entries: dict[int, tuple[int, int, int]]  # tag -> (type, count, offset of the values)
    following: int  # offset of the next directory, 0 if this is the last

    def numbers(self, tag: int, *, most: int) -> tuple[int, ...]:
        """All values of a tag, () if it is absent.

        Raises FrameError if it has more than `most`, is not a number, or lies outside the data.
        """
        if tag not in self.entries:
            return ()
        kind, count, offset = self.entries[tag]
        if kind not in _CODES or count > most:
            raise FrameError(f"tag {tag} has {count} values of type {kind}; at most {most} numbers make sense here.")
        return struct.unpack_from(f"{self.order}{count}{_CODES[kind]}", self.data, offset)

    def number(self, tag: int, default: int) -> int:
        values = self.numbers(tag, most=1)
        return values[0] if values else default


def byte_order(data: memoryview) -> str:
    """'<' or '>' of a TIFF header, '' if it is none."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]), "")


def first_directory(data: memoryview) -> int:
    """Offset of the first directory of a TIFF header."""
    return int(struct.unpack_from(f"{byte_order(data)}I", data, 4)[0])


def read_directory(data: memoryview, offset: int) -> Directory:
    """The directory at `offset`; struct.error if it reaches outside the data."""
    order = byte_order(data)
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    if count > _MAX_ENTRIES:
        raise FrameError(f"a tag directory declares {count} entries. The file is damaged.")
    entries = {}
    for start in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, start)
        inline = length * struct.calcsize(_CODES.get(kind, "Q")) <= 4
        entries[tag] = (kind, length, start + 8 if inline else struct.unpack_from(f"{order}I", data, start + 8)[0])
    (following,) = struct.unpack_from(f"{order}I", data, offset + 2 + 12 * count)
    return Directory(data=data, order=order, entries=entries, following=following)


def valid_orientation(directory: Directory) -> int:
    """EXIF orientation 1..8; 1 for the 0 and other nonsense that cameras write."""
    value = directory.number(ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def exif_orientation(block: memoryview) -> int:
    """Orientation from an EXIF block (a TIFF header and its directory, perhaps after "Exif"); 1 if absent or damaged.

    Damaged metadata does not make a picture unfit to judge, so this never raises.
    """
    block = block[6:] if bytes(block[:6]) == b"Exif\0\0" else block
    if not byte_order(block):
        return 1
    try:
        return valid_orientation(read_directory(block, first_directory(block)))
    except (FrameError, struct.error):
        return 1
