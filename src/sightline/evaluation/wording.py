"""What is said in which language, and how that language writes numbers; English is the key, so it is read where it is.

A text's German stands in a table of its own, for the reports in german/, for the console in its own folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NOTHING = "\u2013"
SPACE = "\u00a0"  # not torn from its number at the end of a line
_THIN = "\u202f"


class Language(StrEnum):
    """Languages that people are spoken to in."""

    ENGLISH = "en"
    GERMAN = "de"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a report is worded."""

    language: Language = Language.ENGLISH
    texts: Mapping[str, str] = field(default_factory=dict)  # English -> the language; what is missing stays English

    def say(self, english: str, /, **values: object) -> str:
        """The text; `{name}` in it becomes the value of that name."""
        found = self.texts.get(english, english)
        return found.format(**values) if values else found

    def number(self, value: float, digits: int = 0) -> str:
        """`1 234.5`, in German `1.234,5`."""
        point, group = (",", ".") if self.language is Language.GERMAN else (".", _THIN)
        return f"{value:,.{digits}f}".translate(str.maketrans(",.", group + point))

    def share(self, count: float, total: float, digits: int = 2) -> str:
        """`98.50 %` of 197 of 200; a dash of none."""
        return f"{self.number(100 * count / total, digits)}{SPACE}%" if total else NOTHING

    def counted(self, count: int, one: str, many: str) -> str:
        """`1 part` or `2 parts`."""
        return f"{self.number(count)} {self.say(one if count == 1 else many)}"

    def tick(self, shown: str) -> str:
        """A number at an axis, which has no groups."""
        return shown.replace(".", ",") if self.language is Language.GERMAN else shown


ENGLISH = Wording()
