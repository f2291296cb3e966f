"""Versions of models that are tried before they are current."""

import threading

from sightline.errors import BusyError
from sightline.service.answer import Answer, Wish
from sightline.service.apart import Runner, here
from sightline.service.judging import Judge, tried
from sightline.store.models import KnownModel, ModelFiles

_WAIT_S = 30.0


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
            return self._run(tried, judge, picture, wish)
        finally:
            self._turn.release()
