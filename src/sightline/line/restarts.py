"""How often something may be started again before it is left alone."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True, eq=False)
class RestartBudget:
    """So many restarts within so long; what dies more often than that is broken, and starting it again hides it."""

    restarts: int = 5
    within_s: float = 60.0
    _times_s: deque[float] = field(default_factory=deque)

    def spend(self, now_s: float) -> bool:
        """Whether one more restart is allowed now; if so it is counted.

        Args:
            now_s: of a monotonic clock.
        """
        while self._times_s and now_s - self._times_s[0] >= self.within_s:
            self._times_s.popleft()
        if len(self._times_s) >= self.restarts:
            return False
        self._times_s.append(now_s)
        return True

    def renew(self) -> None:
        """Forget what was spent: a person has looked at it."""
        self._times_s.clear()
