"""Versions of models that are tried before they are current."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from sightline.errors import BusyError
from sightline.explaining import why_not
from sightline.inspector import Inspector, load
from sightline.service.answer import Answer, Nearest, Wish, answered, nearest_of
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
        with self._turn_of(known) as inspector:
            return answered(inspector, picture, wish, known.name, known.version)

    def nearest(self, known: KnownModel, picture: bytes) -> Nearest:
        """What a picture looked most like; errors as `answer`."""
        with self._turn_of(known) as inspector:
            if inspector.bundle.exemplars is None:
                return Nearest(reason=why_not(inspector.bundle))  # of many products, it could not even judge
            frame = inspector.frame(picture)
            return nearest_of(inspector, frame, inspector.inspect(frame))

    @contextmanager
    def _turn_of(self, known: KnownModel) -> Iterator[Inspector]:
        if not self._turn.acquire(timeout=_WAIT_S):
            raise BusyError(f"{known.name} {known.version}: others are trying models. Try again shortly.")
        try:
            yield self._opened(known)
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
