"""Progress bars on standard error, one per stage of long work."""

import sys
from types import TracebackType
from typing import Self

from tqdm import tqdm


class Bars:
    """Shows the stages that a function reports as (stage, done, total); silent where nobody looks on."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._disabled = quiet or not sys.stderr.isatty()
        self._stage = ""
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._disabled:
            return
        if self._bar is None or stage != self._stage:
            self._close()
            self._stage = stage
            self._bar = tqdm(total=total, desc=stage, file=sys.stderr, leave=False, unit="", dynamic_ncols=True)
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        if done >= total:  # at once, so that what is printed next begins on a line of its own
            self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
