"""Versions of models that are tried before they are current."""

import threading
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from sightline.errors import BusyError
from sightline.service.answer import Answer, Nearest, Wish
from sightline.service.apart import Runner, here
from sightline.service.judging import Judge, resembled, tried
from sightline.store.models import KnownModel, ModelFiles

_WAIT_S = 30.0
Args = TypeVarTuple("Args")
T = TypeVar("T")


class Candidates:
    """One picture is judged at a time, so that production goes first."""

    def __init__(self, files: ModelFiles, *, max_megapixels: float = 50.0, run: Runner = here) -> None:
        self._files, self._max_megapixels, self._run = files, max_megapixels, run
        self._turn = threading.Lock()

    def answer(self, known: KnownModel, picture: bytes, wish: Wish) -> Answer:
        """Judge a picture.

        Raises:
            BusyError: too many wait. BundleError, NotFoundError: the file cannot be used. FrameError: as `answered`.
        """
        return self._in_turn(tried, known, picture, wish)

    def nearest(self, known: KnownModel, picture: bytes) -> Nearest:
        """What a picture looked most like; errors as `answer`."""
        return self._in_turn(resembled, known, picture)

    def _in_turn(self, function: Callable[[Judge, *Args], T], known: KnownModel, *args: *Args) -> T:
        if not self._turn.acquire(timeout=_WAIT_S):
            raise BusyError(f"{known.name} {known.version}: others are trying models. Try again shortly.")
        try:
            judge = Judge(
                name=known.name,
                version=known.version,
                path=self._files.path_of(known.digest),
                model_id=known.model_id,
                threads=1,
                max_megapixels=self._max_megapixels,
            )
            return self._run(function, judge, *args)
        finally:
            self._turn.release()
