"""What the console says, in the languages that it knows; English is the key, so that a text is read where it stands.

A page writes `session.text("Shift report")`. The German ones are in german/, a file for each page. A function that
takes a text to be translated calls that parameter `english` or `title`, and so does a field of a record; a table of
texts is annotated `Texts`. tests/console/test_texts.py looks at what stands there, finds what is missing in German, and
texts that nothing says any more: words that come from the server (verdicts, states, names of parameters) are said by
its sources.
"""

from sightline.console.german import (
    admin,
    common,
    data,
    health,
    inspection,
    inspections,
    line,
    models,
    new_product,
    plant_words,
    quality,
    review,
    settings,
    studies,
    trial,
    viewer,
)
from sightline.evaluation.german import nelson
from sightline.evaluation.wording import Language

Texts = dict[str, str]  # something -> English
GERMAN: dict[str, str] = {
    **admin.TEXTS,
    **common.TEXTS,
    **data.TEXTS,
    **health.TEXTS,
    **inspection.TEXTS,
    **inspections.TEXTS,
    **line.TEXTS,
    **models.TEXTS,
    **nelson.TEXTS,
    **new_product.TEXTS,
    **plant_words.TEXTS,
    **quality.TEXTS,
    **review.TEXTS,
    **settings.TEXTS,
    **studies.TEXTS,
    **trial.TEXTS,
    **viewer.TEXTS,
}
NAMES = {Language.ENGLISH: "English", Language.GERMAN: "Deutsch"}


def in_language(english: str, language: Language) -> str:
    """The text in a language; English where there is none."""
    return GERMAN.get(english, english) if language is Language.GERMAN else english
