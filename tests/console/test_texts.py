"""What the console says is there in German: read from the sources with `ast`; texts.py has the rule."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from string import Formatter
from typing import get_args

from sightline.console import german
from sightline.console.form import in_words
from sightline.console.texts import GERMAN
from sightline.evaluation.german import nelson
from sightline.service.alert_rules import RULE_KINDS
from sightline.service.job_kinds import KINDS
from sightline.service.settings import explained
from sightline.store.jobs import State

PACKAGE = Path(__file__).resolve().parent.parent.parent / "src" / "sightline"
CONSOLE = PACKAGE / "console"
NAMES = ("english", "title")  # of parameters and fields that take a text to be translated


def trees(folder: Path) -> list[ast.Module]:
    paths = (path for path in sorted(folder.rglob("*.py")) if path.parent.name != "german")
    return [ast.parse(path.read_text("utf-8"), str(path)) for path in paths]


def takers(parsed: list[ast.Module]) -> dict[str, tuple[int, int | None]]:
    """Functions, methods and records with such a parameter: from which place on they take texts, and up to which."""
    found: dict[str, tuple[int, int | None]] = {"text": (0, 1), "in_language": (0, 1)}
    for node in (node for tree in parsed for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in found:
            names = [one.arg for one in (*node.args.posonlyargs, *node.args.args) if one.arg not in ("self", "cls")]
            place = next((place for place, name in enumerate(names) if name in NAMES), None)
            if place is not None:
                found[node.name] = place, place + 1
            elif node.args.vararg is not None and node.args.vararg.arg in NAMES:
                found[node.name] = len(names), None
    return found


def said(parsed: list[ast.Module]) -> Iterator[str]:
    """Every text that is to be translated, as far as it stands there."""
    known = takers(parsed)
    for node in (node for tree in parsed for node in ast.walk(tree)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            start, end = known.get(name, (0, 0))
            named = [word.value for word in node.keywords if word.arg in NAMES]
            for given in (*node.args[start:end], *(named if name in known or name[:1].isupper() else ())):
                yield from literals(given)
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "Texts" and node.value is not None:
            assert isinstance(node.value, ast.Dict)
            for value in node.value.values:
                yield from literals(value)


def literals(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may come to: itself, or what a condition chooses from."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search("[a-z]{2}", node.value):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from literals(value)


def words(parsed: list[ast.Module]) -> Iterator[str]:
    """All that the sources hold as text, and the names of fields in words: what comes from data is among it."""
    for node in (node for tree in parsed for node in ast.walk(tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (node.value.strip(), node.value.capitalize())  # stages of a job are shown with a capital
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            named = node.target.id.split("_")
            yield from (" ".join(named).capitalize(), " ".join(named[:-1]).capitalize())


def written_for_the_browser() -> Iterator[str]:
    """All that stands between quotation marks in the console's scripts, which get their texts with their page."""
    for script in CONSOLE.rglob("*.js"):
        for mark in "\"'`":
            yield from re.findall(f"{mark}([^{mark}\n]*){mark}", script.read_text("utf-8"))


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_text_is_there_in_german() -> None:
    assert sorted({text for text in said(trees(CONSOLE)) if text not in GERMAN}) == []


def test_every_word_of_the_servers_jobs_rules_and_settings_is_there_in_german() -> None:
    jobs = [(kind.name, kind.told, kind.options) for kind in KINDS.values()]
    rules = [(name, (kind.limits.__doc__ or "").strip(), kind.limits) for name, kind in RULE_KINDS.items()]
    shown = {"others", *get_args(State)}  # rare defects together
    for name, told, options in (*jobs, *rules):
        shown |= {name, told, *(in_words(field.name)[0] for field in fields(options))}
    shown |= {setting.told for setting in explained()}
    assert sorted(shown - GERMAN.keys()) == []


def test_nothing_is_there_in_german_that_is_never_said() -> None:
    heard = {*words(trees(PACKAGE)), *written_for_the_browser()}
    assert sorted(text for text in GERMAN if text not in heard) == []


def test_a_text_means_the_same_on_every_page() -> None:
    pages = [import_module(f"{german.__name__}.{page.name}") for page in iter_modules(german.__path__)]
    said = [nelson.TEXTS, *(page.TEXTS for page in pages if hasattr(page, "TEXTS"))]
    assert len(said) > 10
    meant: dict[str, set[str]] = {}
    for texts in said:
        for english, translated in texts.items():
            meant.setdefault(english, set()).add(translated)
    assert {english: found for english, found in meant.items() if len(found) > 1} == {}


def test_values_stand_in_the_german_text_as_in_the_english_one() -> None:
    assert {english for english, german in GERMAN.items() if places(english) != places(german)} == set()


def test_texts_are_found_where_the_rule_says() -> None:
    tree = ast.parse(
        "def tile(session, title, value): ...\n"
        "def table(session, *english): ...\n"
        "_NAMES: Texts = {'a': 'Alpha'}\n"
        "session.text('One' if x else 'Two'); tile(session, 'Three', 'no'); table(s, 'Four', 'Five')\n"
        "Item(path='/', title='Six'); in_language('Seven', language)\n"
        "ui.label('no'); row('no', title)"
    )
    assert sorted(said([tree])) == ["Alpha", "Five", "Four", "One", "Seven", "Six", "Three", "Two"]
