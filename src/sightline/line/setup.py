"""A recipe at work, and how the station comes by one."""

from collections.abc import Callable
from dataclasses import dataclass

from sightline.line.fusion import Fuse
from sightline.line.view import Seen, View


def _nothing() -> None:
    """Where one recipe after another can have the same cameras."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setup:
    """A recipe at work."""

    product: str
    recipe: int
    views: tuple[View, ...]
    fuse: Fuse
    window_s: float  # from the trigger to the last moment at which the PLC can be told
    reserve_s: float = 0.03  # of it, for the record and the loop
    review_passes: bool = False  # what is in doubt is let pass
    audit_share: float = 0.0  # of passed parts, that people look at as well
    challenge_serials: frozenset[str] = frozenset()  # of parts known to be bad
    stop_on_missed_challenge: bool = True
    begin: Callable[[], None] = _nothing  # when the recipe before is no longer at work: open what only one can have

    def close(self) -> None:
        for view in self.views:
            view.close()


Load = Callable[[int, Callable[[Seen], None]], Setup]
