"""JSON and XML from anywhere, read with bounds; what is missing or of another kind is an error with its place."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, tostring
from xml.parsers import expat

from sightline.errors import DatasetError

MOST_BYTES = 512 << 20  # of one document; COCO's own largest has 450 MB
_MOST_DEPTH = 64  # of elements within elements; ours have 6
_HEAD_BYTES = 64 << 10
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One JSON object with its place for messages."""

    where: str
    values: dict[str, object]

    def has(self, key: str) -> bool:
        """Whether it is there and not null."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """A string; a number is taken as its digits."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int):
            self._wrong(key, "a text")
        return str(value)

    def number(self, key: str) -> float:
        return self._numbers(key, [self.values.get(key)])[0]

    def numbers(self, key: str, count: int | None = None) -> list[float]:
        """A list of finite numbers, of a given length if that is given."""
        found = self._numbers(key, self.items(key))
        if count not in (None, len(found)):
            self._wrong(key, f"a list of {count} numbers")
        return found

    def number_lists(self, key: str) -> list[list[float]]:
        """A list of lists of finite numbers."""
        return [Entry(self.where, {key: item}).numbers(key) for item in self.items(key)]

    def whole(self, key: str) -> int:
        number = self.number(key)
        if number != int(number):
            self._wrong(key, "a whole number")
        return int(number)

    def items(self, key: str) -> list[object]:
        value = self.values.get(key)
        if not isinstance(value, list):
            self._wrong(key, "a list")
        return value

    def entry(self, key: str) -> "Entry":
        return as_entry(f"{self.where}, {key}", self.values.get(key))

    def entries(self, key: str) -> "list[Entry]":
        return [as_entry(f"{self.where}, {key}[{at}]", item) for at, item in enumerate(self.items(key))]

    def _numbers(self, key: str, values: list[object]) -> list[float]:
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
                self._wrong(key, "a finite number")
        return [float(value) for value in values if isinstance(value, int | float)]

    def _wrong(self, key: str, wanted: str) -> NoReturn:
        found = json.dumps(self.values[key])[:60] if key in self.values else "missing"
        raise DatasetError(f'{self.where}: "{key}" is {found}; it must be {wanted}.')


def as_entry(where: str, value: object) -> Entry:
    if not isinstance(value, dict):
        raise DatasetError(f"{where}: is not an object in braces, as the format wants it.")
    return Entry(where, value)


@contextmanager
def placed_at(where: str) -> Iterator[None]:
    """Put the place in front of a DatasetError from within."""
    try:
        yield
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from error


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """A UTF-8 text file of at most `most` bytes; DatasetError where it is none."""
    content = _read(path, most + 1)
    if len(content) > most:
        raise DatasetError(f"{path}: is larger than {most >> 20} MiB; divide it.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: is not UTF-8 text; save it as UTF-8.") from error


def head(path: Path) -> str:
    """The beginning of a file as text, to tell its format by; empty where it cannot be read."""
    try:
        return _read(path, _HEAD_BYTES).decode("utf-8-sig", errors="replace").lstrip()
    except DatasetError:
        return ""


def read_json(path: Path) -> object:
    return _parsed(str(path), read_text(path))


def json_lines(path: Path) -> Iterator[Entry]:
    """Each line of a JSON Lines file; blank ones are left out."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield as_entry(where, _parsed(where, line))


def write_json(path: Path, document: object) -> None:
    path.write_bytes(_json(document))


def write_json_lines(path: Path, lines: Iterable[object]) -> None:
    path.write_bytes(b"".join(map(_json, lines)))


def read_xml(path: Path) -> Element:
    """The root of an XML document without a document type, and so without entities of its own.

    Raises:
        DatasetError: not XML, nested too deeply, or with a document type.
    """
    builder, depth = TreeBuilder(), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MOST_DEPTH:
            raise DatasetError(f"{path}: elements lie more than {_MOST_DEPTH} deep; no annotation tool writes that.")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: object) -> None:
        raise DatasetError(f"{path}: has a document type (<!DOCTYPE ...>), which is not read; remove it.")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    text = read_text(path)
    try:
        parser.Parse(text, True)
        return builder.close()
    except (expat.ExpatError, ParseError) as error:
        raise DatasetError(f"{path}: is not valid XML ({error}); export it again.") from error


def write_xml(path: Path, root: Element) -> None:
    """Raises DatasetError where a name holds a character that XML has no way to write."""
    content = tostring(root, encoding="unicode")
    if _NOT_XML.search(content):
        raise DatasetError(f"{path}: not written, as a label or a file name holds a control character; rename it.")
    path.write_bytes(b'<?xml version="1.0" encoding="utf-8"?>\n' + content.encode() + b"\n")


def attribute(element: Element, where: str, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise DatasetError(f'{where}: <{element.tag}> lacks "{name}".')
    return value


def finite(text: str | None, where: str) -> float:
    """A number written out; DatasetError with its place where it is none."""
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{where}: {str(text)[:40]!r} is not a number.")
    return value


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot be read ({reason}); check the path and its permissions.") from error


def _parsed(where: str, text: str) -> object:
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: is not valid JSON ({str(error)[:80]}); export it again.") from error
    return document


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond any float
        return False
