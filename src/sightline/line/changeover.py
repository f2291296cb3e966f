"""From one recipe to the next: the one asked for is loaded while the one before works, and takes its place at once."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sightline.errors import DeviceError, OptionError
from sightline.line.setup import Load, Setup
from sightline.line.view import Seen

LOG = logging.getLogger("sightline.line")


@dataclass(slots=True, kw_only=True, eq=False)
class _Loading:
    recipe: int
    thread: threading.Thread
    setup: Setup | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A recipe that cannot be had."""

    recipe: int
    reason: str


class Changeover:
    """The recipe at work, the one that is coming, and those that go when their last part has gone.

    The station's thread uses it; loading and closing, which take seconds, have threads of their own.
    """

    def __init__(self, load: Load, tell: Callable[[Seen], None], woken: Callable[[], None], *, beside: bool) -> None:
        """
        Args:
            woken: called when something has come of a recipe asked for, from another thread.
            beside: models of two recipes have room in memory; else one goes before the next comes.
        """
        self._load, self._tell, self._woken, self._beside = load, tell, woken, beside
        self.setup: Setup | None = None  # at work
        self._loading: _Loading | None = None
        self._ready: Setup | None = None  # loaded, and not at work yet
        self._leaving: list[Setup] = []
        self._closing: list[threading.Thread] = []

    @property
    def blocks(self) -> bool:
        """A recipe is being loaded, and no other can be at work meanwhile."""
        return self._loading is not None and self.setup is None

    def begin(self, recipe: int) -> Setup:
        """Load the first recipe, on this thread. Raises OptionError and DeviceError where it cannot be had."""
        self._ready = self._load(recipe, self._tell)
        return self._ready

    def ask(self, recipe: int) -> None:
        """Begin to load; `loaded` says what came of it."""
        assert self._loading is None, "the handshake asks for one after another"
        former = None
        if not self._beside:
            former, self.setup = self.setup, None

        def work() -> None:
            try:
                if former is not None:
                    former.close()
                loading.setup = self._load(recipe, self._tell)
            except (OptionError, DeviceError) as error:
                loading.error = str(error)
            self._woken()

        loading = _Loading(recipe=recipe, thread=threading.Thread(target=work, name=f"recipe {recipe}", daemon=True))
        self._loading = loading
        loading.thread.start()

    def loaded(self) -> Setup | Refused | None:
        """What came of the recipe asked for, once; None: nothing yet."""
        loading = self._loading
        if loading is None or loading.thread.is_alive():
            return None
        self._loading = None
        if loading.setup is None:
            return Refused(recipe=loading.recipe, reason=loading.error or "it could not be loaded")
        self._ready = loading.setup
        return loading.setup

    def change(self) -> Setup:
        """Put the one that was loaded to work."""
        setup, self._ready = self._ready, None
        assert setup is not None, "only what was loaded is put to work"
        if self.setup is not None:
            self._leaving.append(self.setup)
        self.setup = setup
        LOG.info("recipe %d, %s, is at work", setup.recipe, setup.product)
        self._aside(setup.begin, f"begin {setup.recipe}")
        return setup

    def give_up(self) -> None:
        """Another is asked for than was loaded."""
        if self._ready is not None:
            self._leaving.append(self._ready)
            self._ready = None

    def release(self, in_use: Callable[[Setup], bool]) -> None:
        """Close those that no part is judged by any more."""
        if not self._leaving:
            return
        done = [setup for setup in self._leaving if not in_use(setup)]
        self._leaving = [setup for setup in self._leaving if in_use(setup)]
        for setup in done:
            self._aside(setup.close, f"end {setup.recipe}")

    def close(self) -> None:
        """Close all of them; returns when that is done."""
        if self._loading is not None:
            self._loading.thread.join()
            self.loaded()
        for setup in (*self._leaving, self._ready, self.setup):
            if setup is not None:
                setup.close()
        self._leaving, self._ready, self.setup = [], None, None
        for thread in self._closing:
            thread.join()

    def _aside(self, work: Callable[[], None], name: str) -> None:
        self._closing = [thread for thread in self._closing if thread.is_alive()]
        thread = threading.Thread(target=work, name=f"recipe: {name}", daemon=True)
        self._closing.append(thread)
        thread.start()
