"""YOLO's data.yaml, as far as data sets use YAML: texts, lists of texts, and the classes by number.

    path: ../part                 a text, in quotes or not
    train: images/train           or a list
    names: [crack, "dent, deep"]  or
    names:                        or
      0: crack                      - crack
      1: dent

Everything else that YAML knows (anchors, tags, texts over several lines) is refused where it concerns these keys, and
passed over where it does not.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.formats.documents import read_text
from sightline.errors import DatasetError

_MOST_BYTES = 8 << 20
_MOST_CLASSES = 100_000
_PLACES = ("train", "val", "validation", "test")
_KEY = re.compile(r"""(?P<key>[\w-]+|"[^"]*"|'[^']*')\s*:(?:\s+|$)(?P<rest>.*)""")
_QUOTED = r"""(?P<double>"(?:[^"\\]|\\.)*")|(?P<single>'(?:[^']|'')*')"""
_BARE = r"[^\s,\[\]{}\"'#&*!|>][^,\[\]{}]*"
_ITEM = re.compile(rf"\s*(?:(?P<number>\d{{1,6}})\s*:\s+)?(?:(?:{_QUOTED})\s*|(?P<bare>{_BARE}))(?:,|$)")
_SCALAR = re.compile(rf"(?:{_QUOTED})\s*(?:\s#.*)?$|(?P<bare>[^\[\]{{}}\"'#&*!|>].*)$")
_COMMENT = re.compile(r"\s#")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What data.yaml tells."""

    path: str  # of the data set, on whatever machine; empty if left out
    places: dict[str, tuple[str, ...]]  # train, val, validation or test -> folders or lists of pictures
    names: tuple[str, ...]  # of classes, by number


def settings(file: Path) -> Settings:
    """Read data.yaml; DatasetError with the line where it is not as above, or names no classes."""
    told: dict[str, dict[int, str]] = {}
    for line, key, rest, block in _sections(file):
        if key in (*_PLACES, "path", "names"):
            told[key] = _values(f"{file}, line {line}", rest, block)
    names = told.get("names", {})
    if "names" not in told or sorted(names) != list(range(len(names))):
        raise DatasetError(f'{file}: "names" must name the classes by number from 0 on, as in names: [crack, dent].')
    return Settings(
        path=told.get("path", {}).get(0, ""),
        places={key: tuple(told[key].values()) for key in _PLACES if key in told},
        names=tuple(names[number] for number in range(len(names))),
    )


def described(places: dict[str, str], names: tuple[str, ...]) -> str:
    """data.yaml with its keys; texts are quoted as in JSON, which YAML reads."""
    lines = ["path: .", *(f"{key}: {place}" for key, place in places.items())]
    lines += [
        "names:" if names else "names: []",
        *(f"  {number}: {json.dumps(name)}" for number, name in enumerate(names)),
    ]
    return "\n".join(lines) + "\n"


def _sections(file: Path) -> Iterator[tuple[int, str, str, list[str]]]:
    """(line, key, the rest of its line, the lines below that belong to it) of each key without indentation."""
    lines = read_text(file, _MOST_BYTES).splitlines()
    starts = [at for at, line in enumerate(lines) if line and not line[0].isspace() and line[0] not in "#-%]}"]
    for at, stop in zip(starts, [*starts, len(lines)][1:], strict=True):
        found = _KEY.match(lines[at])
        if found is None:
            raise DatasetError(f"{file}, line {at + 1}: is not a key with a colon and a blank.")
        block = [line for line in lines[at + 1 : stop] if line.strip() and not line.lstrip().startswith("#")]
        yield at + 1, found["key"].strip("\"'"), _without_comment(found["rest"]), block


def _without_comment(text: str) -> str:
    return "" if text.startswith("#") else text.strip()


def _values(where: str, rest: str, block: list[str]) -> dict[int, str]:
    """The texts by number, whichever way they are written; one text alone has the number 0."""
    if rest[:1] in ("[", "{"):
        return _in_brackets(where, " ".join([rest, *(line.strip() for line in block)]))
    if rest:
        if block:
            raise DatasetError(f"{where}: a text over several lines is not understood; write it in one.")
        return {0: _scalar(where, rest)}
    values: dict[int, str] = {}
    for line in block:
        number, text = len(values), line.strip()
        if found := re.match(r"(\d{1,6})\s*:\s+(.*)", text):
            number, text = int(found[1]), found[2]
        elif text.startswith("- "):
            text = text[2:].strip()
        else:
            raise DatasetError(f'{where}: "{text[:40]}" is not understood; write "- name" or "0: name".')
        _add(where, values, number, _scalar(where, text))
    return values


def _in_brackets(where: str, text: str) -> dict[int, str]:
    closing = "]" if text[0] == "[" else "}"
    inner, closed, after = text[1:].rpartition(closing)
    if not closed or (after.strip() and not after.strip().startswith("#")):
        raise DatasetError(f'{where}: the list has no "{closing}" at its end.')
    values: dict[int, str] = {}
    at = 0
    while inner[at:].strip():
        found = _ITEM.match(inner, at)
        if found is None or (closing == "}") != bool(found["number"]) or found.end() == at:
            raise DatasetError(f'{where}: "{inner[at : at + 40].strip()}" is not understood; put names in quotes.')
        _add(where, values, int(found["number"] or len(values)), _text(where, found))
        at = found.end()
    return values


def _add(where: str, values: dict[int, str], number: int, text: str) -> None:
    if number in values or len(values) >= _MOST_CLASSES:
        raise DatasetError(f"{where}: the number {number} occurs twice, or there are too many.")
    values[number] = text


def _scalar(where: str, text: str) -> str:
    found = _SCALAR.match(text)
    if found is None:
        raise DatasetError(f'{where}: "{text[:40]}" is not understood; put it in quotes.')
    return _text(where, found)


def _text(where: str, found: re.Match[str]) -> str:
    if found["double"]:
        try:
            return str(json.loads(found["double"]))
        except ValueError as error:
            raise DatasetError(f"{where}: {found['double'][:40]} is not understood; write it without \\.") from error
    if found["single"]:
        return found["single"][1:-1].replace("''", "'")
    return _COMMENT.split(found["bare"], maxsplit=1)[0].strip()
