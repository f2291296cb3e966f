"""What was said in English somewhere else, said again in German: known by its sentences, in which a place in braces is
whatever stands there."""

import re
from collections.abc import Callable, Mapping

_PLACE = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?( ?%)?")
_KINDS = {"count": r"[\d,]+"}  # of places that hold no other text
_AS_IT_IS = ("name", "other", "version", "who")  # places of what people named


class Sentences:
    """Those that are known."""

    def __init__(self, known: Mapping[str, str], word: Callable[[str], str]) -> None:
        """
        Args:
            known: English -> German.
            word: says what is none of them, as far as it can.
        """
        self._known = tuple((_pattern(english), german) for english, german in known.items())
        self._word = word

    def again(self, said: str) -> str:
        """The sentence in German; English where it is not known."""
        for pattern, german in self._known:
            if found := pattern.fullmatch(said):
                return german.format(**{name: self._within(name, value) for name, value in found.groupdict().items()})
        return self._word(said)

    def _within(self, place: str, value: str) -> str:
        if place in _AS_IT_IS:
            return value
        if _NUMBER.fullmatch(value):
            return value.translate(str.maketrans(",.", ".,"))
        return self.again(value)


def _pattern(english: str) -> re.Pattern[str]:
    pieces = _PLACE.split(english)  # by turns what is said, and the name of a place
    kinds = (
        f"(?P<{piece}>{_KINDS.get(piece, '.+?')})" if at % 2 else re.escape(piece) for at, piece in enumerate(pieces)
    )
    return re.compile("".join(kinds), re.DOTALL)
