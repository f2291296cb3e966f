"""What the server says in English is known by its sentences: they are read from its sources with `ast`."""

import ast
import math
import re
from pathlib import Path
from string import Formatter

import pytest

from sightline.console.german import answers
from sightline.console.heard import heard
from sightline.console.threshold_figures import guaranteed, scores_of
from sightline.errors import OptionError
from sightline.evaluation.periods import Calendar, Step
from sightline.evaluation.wording import Language
from sightline.service.alert_rules import Latency, told_span

PACKAGE = Path(__file__).resolve().parent.parent.parent / "src" / "sightline"
PLACE = re.compile(r"\{\w+\}")


def sentences() -> set[str]:
    """Every text of the sources, with `{}` for what is put in."""
    found = set()
    for path in (one for one in PACKAGE.rglob("*.py") if one.parent.name != "german"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                pieces = (one.value if isinstance(one, ast.Constant) else "{}" for one in node.values)
                found.add("".join(map(str, pieces)))
    return found


def test_every_sentence_that_is_known_is_said_somewhere() -> None:
    said = sentences()
    assert sorted(one for one in answers.TEXTS if PLACE.sub("{}", one) not in said) == []


def test_what_stands_in_an_english_sentence_stands_in_the_german_one() -> None:
    may_go = {"what", "name"}  # what a German sentence says by itself
    for english, german in (answers.TEXTS | answers.PIECES).items():
        there, here = ({name for _, name, _, _ in Formatter().parse(one) if name} for one in (english, german))
        assert here <= there <= here | may_go, english


@pytest.mark.parametrize(
    ("said", "german"),
    [
        (
            "31 of 1,200 parts rejected in 15 minutes (2.6%); usual are 9 of 1200 (0.8%).",
            "31 von 1.200 Teilen in 15 Minuten Ausschuss (2,6%); üblich sind 9 von 1200 (0,8%).",
        ),
        (
            f"has not reported for {told_span(7_300)}. Check the station and its network.",
            "hat sich seit 2 Stunden nicht gemeldet. Prüfen Sie die Station und ihr Netz.",
        ),
        (
            "ada may not do this: the right to manage is missing.",
            "ada darf das nicht: das Recht führen fehlt.",
        ),
        ("study 1.5: is closed; make a new one.", "Die Studie 1.5 ist beendet; machen Sie eine neue."),
        ("model cap: there is no current version.", "Modell cap: es gibt keine aktuelle Version."),
        ("job 3: is done already.", "Der Auftrag 3 ist schon fertig."),
        ("2 pictures occur with different labels", "2 Bilder kommen vor mit verschiedenen Klassen"),
        ("something that nobody knows 1.5", "something that nobody knows 1.5"),
    ],
)
def test_a_sentence_is_said_again_in_german(said: str, german: str) -> None:
    assert heard(said, Language.GERMAN) == german
    assert heard(said, Language.ENGLISH) == said


def test_what_cannot_be_proven_is_told_in_german() -> None:
    told = guaranteed(scores_of([("good", 1.0), ("scratch", 2.0)]), 0.99)
    assert isinstance(told, str)
    assert heard(told, Language.GERMAN).endswith("Mindestens 299 Beispiele, alle erkannt, braucht der Nachweis.")


def test_a_refusal_is_told_in_german() -> None:
    with pytest.raises(OptionError) as refused:
        Calendar().periods(5.0, 1.0, Step.HOUR)
    assert heard(str(refused.value), Language.GERMAN) == "Geben Sie einen Beginn und ein Ende danach an."
    with pytest.raises(OptionError) as refused:
        Latency(p99_ms=math.inf)
    assert heard(str(refused.value), Language.GERMAN).startswith("p99_ms ist inf; geben Sie eine Zahl von 0 bis")
