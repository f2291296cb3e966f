"""What is marked in the picture of a part."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Something marked in a picture; all lengths in px of the picture at full size, from its left top corner."""

    kind: str  # box, polygon or brush
    points: tuple[tuple[float, float], ...]  # box: two opposite corners; polygon: its corners; brush: one stroke
    label: str = ""
    width: float = 0.0  # of a brush's stroke
    id: str = ""  # of a stored label; empty: a new one
