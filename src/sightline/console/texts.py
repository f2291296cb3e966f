"""What the console says, in the languages that it knows; English is the key, so that a text is read where it stands.

A page writes `session.text("Shift report")`. The German ones are in german/, a file for each page. A function that
takes a text to be translated calls that parameter `english` or `title`, and so does a field of a record; a table of
texts is annotated `Texts`. tests/console/test_texts.py looks at what stands there, finds what is missing in German, and
texts that nothing says any more: words that come from the server (verdicts, states, names of parameters) are said by
its sources.
"""

from enum import StrEnum

from sightline.console.german import (
    admin,
    common,
    data,
    health,
    inspection,
    inspections,
    line,
    plant_words,
    quality,
    review,
    studies,
    trial,
    viewer,
)

Texts = dict[str, str]  # something -> English
GERMAN: dict[str, str] = {
    **admin.TEXTS,
    **common.TEXTS,
    **data.TEXTS,
    **health.TEXTS,
    **inspection.TEXTS,
    **inspections.TEXTS,
    **line.TEXTS,
    **plant_words.TEXTS,
    **quality.TEXTS,
    **review.TEXTS,
    **studies.TEXTS,
    **trial.TEXTS,
    **viewer.TEXTS,
}


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
