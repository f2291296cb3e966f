"""What the console says, in the languages that it knows; English is the key, so that a text is read where it stands.

A page writes `session.text("Shift report")`. The German ones are in german/, a file for each page; tests/console/test_texts.py finds texts
that are missing there, and those that nothing says any more.
"""

from enum import StrEnum

from sightline.console.german import common, models, new_product

GERMAN: dict[str, str] = {**common.TEXTS, **models.TEXTS, **new_product.TEXTS}


class Language(StrEnum):
    """Languages of the console."""

    ENGLISH = "en"
    GERMAN = "de"


NAMES = {Language.ENGLISH: "English", Language.GERMAN: "Deutsch"}


def in_language(english: str, language: Language) -> str:
    """The text in a language; English where there is none."""
    return GERMAN.get(english, english) if language is Language.GERMAN else english


def language_of(chosen: str, accepted: str) -> Language:
    """
    Args:
        chosen: by the person, or empty.
        accepted: the browser's Accept-Language (RFC 9110 section 12.5.4).
    """
    if chosen in tuple(Language):
        return Language(chosen)
    wanted: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            weight = 0.0
        wanted.append((weight, tag.partition("-")[0].lower()))
    known = [(weight, tag) for weight, tag in wanted if tag in tuple(Language) and weight > 0]
    return Language(max(known, key=lambda pair: pair[0])[1]) if known else Language.ENGLISH
