"""The mark of a synthetic picture: it may be learnt from, and must never be tested with.

A picture is marked twice, as either mark can be lost: its name begins with `synthetic_`, which outlives encoding and
conversion, and the PNG holds a text chunk right after its header, which outlives renaming. The chunk also says from
which real pictures it was made, by the SHA-256 of their files: they must not be tested with either once the synthetic
one is learnt from.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from sightline.datasets.dataset import Dataset, Sample
from sightline.errors import DatasetError

NAME_PREFIX = "synthetic_"
_KEYWORD = b"Sightline synthetic\0"
_HEADER_END = 33  # of a PNG: the signature and the IHDR chunk
_MOST_CHUNK_BYTES = 4096


def marked(png: bytes, sources: Sequence[str]) -> bytes:
    """The same PNG with the mark; `sources` are SHA-256 of the real pictures' files, in hexadecimal."""
    body = b"tEXt" + _KEYWORD + json.dumps({"sources": list(sources)}).encode("ascii")
    assert len(body) <= _MOST_CHUNK_BYTES, "a picture is made from a few others"
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:_HEADER_END] + chunk + png[_HEADER_END:]


def is_named_synthetic(path: Path) -> bool:
    """Whether the name says so; the file is not opened."""
    return path.name.lower().startswith(NAME_PREFIX)


def is_synthetic(path: Path) -> bool:
    """Whether the name or the file says so; a file that cannot be read says nothing."""
    return is_named_synthetic(path) or _chunk(path) is not None


def sources_of(path: Path) -> tuple[str, ...]:
    """SHA-256 of the files of the real pictures from which it was made; empty where the file does not tell."""
    try:
        found = json.loads(_chunk(path) or b"{}")["sources"]
    except (ValueError, KeyError, TypeError):  # altered by another program
        return ()
    return tuple(str(source) for source in found) if isinstance(found, list) else ()


def refuse_synthetic(tested: Iterable[Sample], *, opened: bool = True) -> None:
    """Raise DatasetError if a synthetic picture is among those that are to be tested with.

    Args:
        opened: look into the files too, 4 KB of each; False: names only.
    """
    says = is_synthetic if opened else is_named_synthetic
    for sample in tested:
        if says(sample.path):
            raise DatasetError(
                f"{sample.path}: is synthetic, but is in {sample.split} and to be tested with, where only real "
                "pictures prove anything. Leave it in train, and test with real ones."
            )


def bound_to_training(dataset: Dataset) -> frozenset[Path]:
    """Pictures that no other split may hold: synthetic ones, and the real ones from which they were made."""
    synthetic = {sample.path for sample in dataset.samples if is_synthetic(sample.path)}
    sources = {source for path in synthetic for source in sources_of(path)}
    if not sources:
        return frozenset(synthetic)
    real = (sample.path for sample in dataset.samples if sample.path not in synthetic)
    return frozenset(synthetic | {path for path in real if file_digest(path) in sources})


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; raises DatasetError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions.") from error


def _chunk(path: Path) -> bytes | None:
    """The mark's text, if the file is a PNG that carries one where we put it."""
    try:
        if not path.is_file():  # opening a pipe would block
            return None
        with path.open("rb") as file:
            head = file.read(_HEADER_END + 8 + _MOST_CHUNK_BYTES)
    except (OSError, ValueError):  # ValueError: a null character in the path
        return None
    start = _HEADER_END + 8
    if len(head) < start or head[_HEADER_END + 4 : start] != b"tEXt" or not head.startswith(_KEYWORD, start):
        return None
    (length,) = struct.unpack_from(">I", head, _HEADER_END)
    return head[start + len(_KEYWORD) : start + length]
