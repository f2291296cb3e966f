"""TOML read into records by their fields: every error at once, each with file, line, key and cure.

A field's type says what is expected: text, numbers, true or false, paths, a choice (`StrEnum`), a record for a table, a
tuple for a list; `Annotated` with `Within` adds a range. A field without a default must be there, a key without a field
must not. What only several values together can break is the record's `__post_init__`, which raises OptionError.
"""

import difflib
import math
import re
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from sightline.errors import OptionError

MOST_BYTES = 1_000_000
MOST_ERRORS = 50  # told at once
Key = tuple[str | int, ...]
Record = TypeVar("Record")
Parse = Callable[[Mapping[str, object], str], object]  # a table and its place -> its record; raises OptionError

_BARE = r'(?:[A-Za-z0-9_-]+|"[^"\n]*"|\'[^\'\n]*\')'
_DOTTED = rf"{_BARE}(?:\s*\.\s*{_BARE})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """A range that a number must be in, both ends included unless `open_low`."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high and not (self.open_low and number == self.low)  # false for NaN

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'above' if self.open_low else 'at least'} {self.low:g}"
        return f"{'above' if self.open_low else 'from'} {self.low:g} {'up ' if self.open_low else ''}to {self.high:g}"


Share = Annotated[float, Within(low=0, high=1)]
NotNegative = Annotated[float, Within(low=0)]
Positive = Annotated[float, Within(low=0, open_low=True)]


class Existing:
    """Marks the path of a file that must be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """Marks a field whose table somebody else understands: `Annotated[object, Parsed(by="camera")]`."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value that does not stand in the file."""

    place: str  # what it is told by in messages
    value: object


class TomlFile:
    """One file being read; gathers what is wrong with it. Lives as long as the reading does."""

    def __init__(self, path: Path, parsers: Mapping[str, Parse], text: str | None = None) -> None:
        """
        Args:
            text: what the file says, where neither it nor the files that it names are on this machine.
        """
        self.path = path
        self._parsers = parsers
        self._text = text
        self._errors: dict[int, list[str]] = {}
        self._lines: dict[Key, int] = {}
        self._given: Mapping[Key, Given] = {}

    def read(self, record: type[Record], given: Mapping[Key, "Given"] = MappingProxyType({})) -> Record:
        """The whole file as one record; paths in it are relative to its folder.

        Args:
            given: what was said elsewhere, by an option or the environment, and takes the place of what the file says.

        Raises:
            OptionError: everything that is wrong with it, one line for each.
        """
        text = _text(self.path) if self._text is None else self._text
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise OptionError(f"{self.path}: is no TOML: {error}. Look there and just before.") from error
        self.locate(text)
        self._given = given
        for key, one in given.items():
            _put(table, key, one.value)
        found = self._record(table, record, ())
        if self._errors:
            told = [message for _, messages in sorted(self._errors.items()) for message in messages]
            more = [f"{self.path}: and {len(told) - MOST_ERRORS} more."] if len(told) > MOST_ERRORS else []
            raise OptionError("\n".join(told[:MOST_ERRORS] + more))
        assert found is not None
        return found

    def locate(self, text: str) -> None:
        """Note where each key stands, for `place`."""
        self._lines = _lines(text)

    def place(self, key: Key) -> str:
        """`press.toml, line 12: views[0].camera`; the line of the nearest key above where it has none of its own."""
        for length in range(len(key), 0, -1):
            if key[:length] in self._given:
                return self._given[key[:length]].place
        return f"{self.path}, line {self._line(key)}: {_dotted(key)}".removesuffix(": ")

    def _line(self, key: Key) -> int:
        return next((self._lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self._lines), 1)

    def _refuse(self, key: Key, message: str) -> None:
        self._errors.setdefault(self._line(key), []).append(f"{self.place(key)}: {message}")

    def _record(self, table: Mapping[str, object], record: type[Record], at: Key) -> Record | None:
        """None where something in it was refused."""
        known: dict[str, Field[Any]] = {field.name: field for field in fields(record)}  # type: ignore[arg-type]
        hints = get_type_hints(record, include_extras=True)
        before = sum(map(len, self._errors.values()))
        for key in table.keys() - known.keys():
            self._unknown((*at, key), list(known))
        values = {}
        for name, field in known.items():
            if name in table:
                values[name] = self._value(table[name], hints[name], (*at, name))
            elif field.default is MISSING and field.default_factory is MISSING:
                self._refuse((*at, name), f"is missing; give {_expected(hints[name])}.")
        if sum(map(len, self._errors.values())) > before:
            return None
        try:
            return record(**values)
        except OptionError as error:
            self._refuse(at, str(error))
            return None

    def _unknown(self, key: Key, known: list[str]) -> None:
        near = difflib.get_close_matches(str(key[-1]), known, 1)
        cure = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
        self._refuse(key, f"there is no such key; {cure}")

    def _value(self, value: object, hint: Any, key: Key) -> Any:
        hint, marks = _bare(hint)
        for mark in marks:
            if isinstance(mark, Parsed):
                return self._parsed(value, mark, key)
        origin, arguments = get_origin(hint) or hint, get_args(hint)
        if origin is tuple and isinstance(value, list):
            return tuple(self._value(item, arguments[0], (*key, place)) for place, item in enumerate(value))
        if is_dataclass(origin) and isinstance(value, Mapping):
            return self._record(value, origin, key)  # type: ignore[arg-type]
        found = self._scalar(value, origin)
        within = next((mark for mark in marks if isinstance(mark, Within)), None)
        if isinstance(found, Path) and Existing in marks and self._text is None and not found.is_file():
            self._refuse(key, f"{found} is no file; correct the path, which counts from the recipe's folder.")
        elif found is None or (within and found not in within):
            self._refuse(key, f"is {_shown(value)}; give {_expected(Annotated[hint, *marks] if marks else hint)}.")
        return found

    def _scalar(self, value: object, kind: Any) -> Any:
        """The value as this kind; None where it is none."""
        if isinstance(value, bool):
            return value if kind is bool else None
        if kind is float and isinstance(value, int | float):
            return float(value) if math.isfinite(value) else None
        if kind is Path and isinstance(value, str) and value:
            return self.path.parent / value
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return next((choice for choice in kind if choice.value == value), None)
        return value if kind in (int, str) and isinstance(value, kind) else None

    def _parsed(self, value: object, mark: Parsed, key: Key) -> object:
        if not isinstance(value, Mapping):
            self._refuse(key, f"is {_shown(value)}; give a table.")
            return None
        parse = self._parsers.get(mark.by)
        if parse is None:
            return dict(value)
        try:
            return parse(value, self.place(key))
        except OptionError as error:
            self._errors.setdefault(self._line(key), []).append(str(error))
            return None


def place_in(path: Path, key: Key) -> str:
    """As `TomlFile.place`, for what only the files show that a file names. Raises OptionError: it cannot be read."""
    file = TomlFile(path, {})
    file.locate(_text(path))
    return file.place(key)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise OptionError(f"{path}: is larger than {MOST_BYTES} bytes; that is no recipe.")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise OptionError(f"{path}: cannot be read ({reason}). Check the path.") from error


def _put(table: dict[str, Any], key: Key, value: object) -> None:
    """Where the file has no table on the way, its own mistake is told instead."""
    for name in key[:-1]:
        inner = table.setdefault(str(name), {})
        if not isinstance(inner, dict):
            return
        table = inner
    table[str(key[-1])] = value


def _lines(text: str) -> dict[Key, int]:
    """Where each key stands, which `tomllib` does not tell; keys of inline tables have their table's line."""
    found: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _resolved(header[2], counts)
            if header[1] == "[[":
                found.setdefault(table, number)
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            names = _names(key[1])
            for length in range(1, len(names) + 1):
                found.setdefault((*table, *names[:length]), number)
    return found


def _resolved(dotted: str, counts: Mapping[Key, int]) -> Key:
    """A header's names, with the number of the newest item wherever one names a list of tables."""
    key: Key = ()
    names = _names(dotted)
    for place, name in enumerate(names):
        key = (*key, name)
        if key in counts and place < len(names) - 1:
            key = (*key, counts[key])
    return key


def _names(dotted: str) -> list[str]:
    return [name.strip("\"'") for name in re.findall(_BARE, dotted)]


def _dotted(key: Key) -> str:
    text = ""
    for name in key:
        text += f"[{name}]" if isinstance(name, int) else f".{name}" if text else str(name)
    return text


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without `| None`, which TOML cannot say, and without its marks; and those."""
    marks: tuple[Any, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            hint, *found = get_args(hint)
            marks += tuple(found)
        elif isinstance(hint, types.UnionType) or get_origin(hint) is types.UnionType or type(None) in get_args(hint):
            hint = next(kind for kind in get_args(hint) if kind is not types.NoneType)
        else:
            return hint, marks


def _expected(hint: Any) -> str:
    kind, marks = _bare(hint)
    within = next((f" {mark}" for mark in marks if isinstance(mark, Within)), "")
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return f"one of {', '.join(kind)}"
    names = {str: "text", bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}
    return names.get(kind, "a list" if get_origin(kind) is tuple else "a table") + within


def _shown(value: object) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
