"""Versions of models that are tried before they are current."""

import threading
from collections import OrderedDict

from sightline.errors import BusyError
from sightline.inspector import Inspector, load
from sightline.service.answer import Answer, Wish, answered
from sightline.store.models import KnownModel, ModelFiles

_MOST = 2  # that stay open
_WAIT_S = 30.0


class Candidates:
    """The last few that were asked; one picture is judged at a time, so that production goes first."""

    def __init__(self, files: ModelFiles, *, max_megapixels: float = 50.0) -> None:
        self._files, self._max_megapixels = files, max_megapixels
        self._turn = threading.Lock()
        self._open: OrderedDict[str, Inspector] = OrderedDict()

    def answer(self, known: KnownModel, picture: bytes, wish: Wish) -> Answer:
        """Judge a picture.

        Raises:
            BusyError: too many wait. BundleError, NotFoundError: the file cannot be used. FrameError: as `answered`.
        """
        if not self._turn.acquire(timeout=_WAIT_S):
            raise BusyError(f"{known.name} {known.version}: others are trying models. Try again shortly.")
        try:
            return answered(self._opened(known), picture, wish, known.name, known.version)
        finally:
            self._turn.release()

    def _opened(self, known: KnownModel) -> Inspector:
        inspector = self._open.pop(known.digest, None)
        if inspector is None:
            path = self._files.path_of(known.digest)
            inspector = load(path, threads=1, max_megapixels=self._max_megapixels)
        self._open[known.digest] = inspector
        while len(self._open) > _MOST:
            self._open.popitem(last=False)
        return inspector
