"""What collected pictures are like, measured once and kept while there is room."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from sightline.datasets.dataset import GOOD, Sample
from sightline.datasets.oddities import Measured, Odd, oddities
from sightline.datasets.survey import look_of
from sightline.errors import FrameError, NotFoundError
from sightline.imaging.decode import decode
from sightline.imaging.fitness import measure
from sightline.service.apart import Runner, here
from sightline.store.pictures import Pictures

MOST = 2_000  # pictures compared with each other
_KEPT = 4_000  # of some 3 KB


class Looks:
    """Measurements of pictures by digest; threads may share it."""

    def __init__(self, pictures: Pictures, *, run: Runner = here) -> None:
        self._pictures, self._run = pictures, run
        self._kept: OrderedDict[str, Measured] = OrderedDict()
        self._lock = threading.Lock()

    def oddities(self, digests: Sequence[str]) -> dict[str, tuple[Odd, ...]]:
        """What is odd about each of the first MOST of these among the others; one that cannot be read is left out."""
        measured = {digest: self._measured(digest) for digest in dict.fromkeys(digests[:MOST])}
        there = {digest: found for digest, found in measured.items() if found is not None}
        return dict(zip(there, oddities(list(there.values())), strict=True))

    def _measured(self, digest: str) -> Measured | None:
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
        try:
            content = self._pictures.read(digest)
            found = self._run(_measured, content, digest, self._pictures.max_megapixels)
        except (FrameError, NotFoundError):
            return None
        with self._lock:
            self._kept[digest] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


def _measured(content: bytes, digest: str, max_megapixels: float) -> Measured:
    frame = decode(content, source=digest[:12], max_megapixels=max_megapixels)
    figures = measure(frame)
    look = look_of(Sample(path=Path(digest), label=GOOD), frame, bytes.fromhex(digest))
    return Measured(look=look, sharpness=figures.sharpness, saturated_share=figures.saturated_share)
