"""ZIP files that somebody sends, unpacked so that nothing of them leads out of their folder or fills the disk."""

import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sightline.errors import DatasetError, StoreError

_CHUNK_BYTES = 1 << 20
_MOST_DIRECTORY_BYTES = 32 << 20  # of the list of entries, before it is read
_LEFT_OUT = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")  # what file managers add
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may come out of one archive."""

    files: int = 50_000
    total_bytes: int = 20 << 30
    file_bytes: int = 256 << 20
    ratio: int = 200  # of a file's bytes to those it takes in the archive, where it has more than a megabyte


def unpack(archive: Path, folder: Path, bounds: Bounds | None = None) -> None:
    """Unpack a ZIP into an empty folder.

    Raises:
        DatasetError: it is none, is damaged or encrypted, names a place outside, holds links, or more than the bounds
            allow; the folder may then hold a part of it and is the caller's to remove.
        StoreError: the disk is full.
    """
    bounds = bounds or Bounds()
    try:
        _check_end(archive)
        with zipfile.ZipFile(archive) as file:
            entries = [entry for entry in file.infolist() if not _is_left_out(entry)]
            _check(entries, bounds)
            for entry in entries:
                if not entry.is_dir():
                    _extract(file, entry, folder)
    except _DAMAGE as error:
        raise DatasetError(f"{archive.name}: cannot be unpacked ({str(error)[:120]}); pack it again.") from error
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror}). Free some space on the disk.") from error


def _check_end(archive: Path) -> None:
    """See that the list of entries is small, before it is read."""
    with archive.open("rb") as file:
        if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            raise DatasetError(f"{archive.name}: is no ZIP file; pack the folder as ZIP.")
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 65_557))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    size = int.from_bytes(tail[at + 12 : at + 16], "little") if 0 <= at <= len(tail) - 22 else None
    if size is None:
        raise DatasetError(f"{archive.name}: is cut short; pack or send it again.")
    if size > _MOST_DIRECTORY_BYTES or b"PK\x06\x07" in tail[max(0, at - 20) : at]:
        raise DatasetError(f"{archive.name}: has too many files, or is larger than 4 GB; divide it.")


def _check(entries: list[zipfile.ZipInfo], bounds: Bounds) -> None:
    if len(entries) > bounds.files:
        raise DatasetError(f"the archive holds {len(entries)} files; the most is {bounds.files}. Divide it.")
    if (total := sum(entry.file_size for entry in entries)) > bounds.total_bytes:
        raise DatasetError(f"the archive unpacks to {total} bytes; the most is {bounds.total_bytes}. Divide it.")
    seen: set[str] = set()
    for entry in entries:
        if fault := _fault(entry, seen, bounds):
            raise DatasetError(f"the archive holds {entry.orig_filename[:80]!r}, {fault}; pack the folder anew.")
        seen.add(entry.filename)


def _fault(entry: zipfile.ZipInfo, seen: set[str], bounds: Bounds) -> str:
    """What is wrong with an entry; empty if nothing is."""
    name, kind = entry.orig_filename.replace("\\", "/"), stat.S_IFMT(entry.external_attr >> 16)
    outside = name.startswith("/") or ":" in name or "\0" in name or ".." in name.split("/")
    faults = (
        (outside, "whose name leads out of it"),
        (kind not in (0, stat.S_IFREG, stat.S_IFDIR), "which is a link or a device"),
        (bool(entry.flag_bits & 0x41), "which is encrypted"),
        (entry.filename in seen, "which is there twice"),
        (entry.file_size > bounds.file_bytes, f"which has {entry.file_size} bytes, more than {bounds.file_bytes}"),
        (
            entry.file_size > max(1 << 20, bounds.ratio * entry.compress_size),
            "which unpacks to far more than it takes",
        ),
    )
    return next((fault for found, fault in faults if found), "")


def _extract(file: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    target = folder.joinpath(*PurePosixPath(entry.filename.replace("\\", "/")).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with file.open(entry) as source, target.open("xb") as out:
        while chunk := source.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise DatasetError(f"the archive holds {entry.filename[:80]!r}, which is longer than it says.")
            out.write(chunk)


def _is_left_out(entry: zipfile.ZipInfo) -> bool:
    return any(part in _LEFT_OUT for part in entry.filename.split("/"))
