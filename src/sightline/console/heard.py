"""What the server said in English, said again in the reader's language: german/answers.py knows its sentences."""

import re
from functools import cache

from sightline.console.german import answers
from sightline.console.texts import in_language
from sightline.evaluation.wording import Language

_PLACE = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?( ?%)?")
_KINDS = {"count": r"[\d,]+"}  # of places that hold no other text
_AS_IT_IS = ("name", "other", "version", "who")  # places of what people named


def heard(said: str, language: Language) -> str:
    """The sentence in the reader's language; English where it is not known."""
    if language is Language.ENGLISH:
        return said
    for pattern, german in _sentences():
        if found := pattern.fullmatch(said):
            places = found.groupdict()
            return german.format(**{name: _within(name, value, language) for name, value in places.items()})
    return in_language(said, language)


def _within(place: str, value: str, language: Language) -> str:
    if place in _AS_IT_IS:
        return value
    if _NUMBER.fullmatch(value):
        return value.translate(str.maketrans(",.", ".,"))
    return heard(value, language)


@cache
def _sentences() -> tuple[tuple[re.Pattern[str], str], ...]:
    known = answers.TEXTS | answers.PIECES
    return tuple((_pattern(english), german) for english, german in known.items())


def _pattern(english: str) -> re.Pattern[str]:
    pieces = _PLACE.split(english)  # by turns what is said, and the name of a place
    kinds = (
        f"(?P<{piece}>{_KINDS.get(piece, '.+?')})" if at % 2 else re.escape(piece) for at, piece in enumerate(pieces)
    )
    return re.compile("".join(kinds), re.DOTALL)
