"""What the server said in English, said again in the reader's language: german/answers.py knows its sentences."""

from functools import cache

from sightline.console.german import answers
from sightline.console.texts import in_language
from sightline.evaluation.sentences import Sentences
from sightline.evaluation.wording import Language


def heard(said: str, language: Language) -> str:
    """The sentence in the reader's language; English where it is not known."""
    return said if language is Language.ENGLISH else _german().again(said)


@cache
def _german() -> Sentences:
    return Sentences(answers.TEXTS | answers.PIECES, lambda said: in_language(said, Language.GERMAN))
