"""Stations' records for the tests, as they are on the wire."""

from dataclasses import dataclass

from tests.line.parts import outcome

from sightline.line.outcome import FIRST, Outcome, content, digest, document
from sightline.records import Verdict


@dataclass(slots=True)
class Teller:
    """A station that writes its records down, one after the other."""

    station: str = "line-1"
    sequence: int = 0
    previous: str = FIRST

    def tell(self, *outcomes: Outcome) -> list[str]:
        """The lines of these parts, each chained to the one before."""
        return [self._line(one) for one in outcomes]

    def parts(self, count: int, *, unix_s: float = 1.8e9, every_s: float = 1.0) -> list[str]:
        """Lines of good and bad parts: every tenth is rejected."""
        first = self.sequence + 1
        return self.tell(
            *(
                outcome(
                    number,
                    verdict=Verdict.REJECT if number % 10 == 0 else Verdict.PASS,
                    unix_s=unix_s + (number - first) * every_s,
                    serial=f"S{number}",
                )
                for number in range(first, first + count)
            )
        )

    def _line(self, one: Outcome) -> str:
        self.sequence += 1
        line = document(content(one), self.sequence, self.previous, self.station)
        self.previous = digest(line)
        return line
