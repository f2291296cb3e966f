"""Versions of models that are tried before they are current."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from sightline.service.answer import Answer, Nearest, Wish
from sightline.service.apart import Runner, here
from sightline.service.aside import Aside
from sightline.service.judging import Judge, resembled, tried
from sightline.store.models import KnownModel, ModelFiles

Args = TypeVarTuple("Args")
T = TypeVar("T")


class Candidates:
    """One picture is judged at a time, so that production goes first."""

    def __init__(self, files: ModelFiles, *, max_megapixels: float = 50.0, run: Runner = here) -> None:
        self._files, self._max_megapixels, self._run = files, max_megapixels, run
        self._aside = Aside(threads=1)

    async def answer(self, known: KnownModel, picture: bytes, wish: Wish) -> Answer:
        """Judge a picture.

        Raises:
            BusyError: too many wait. BundleError, NotFoundError: the file cannot be used. FrameError: as `answered`.
        """
        return await self._aside.run(f"{known.name} {known.version}", self._judged, tried, known, picture, wish)

    async def nearest(self, known: KnownModel, picture: bytes) -> Nearest:
        """What a picture looked most like; errors as `answer`."""
        return await self._aside.run(f"{known.name} {known.version}", self._judged, resembled, known, picture)

    def _judged(self, function: Callable[[Judge, *Args], T], known: KnownModel, *args: *Args) -> T:
        judge = Judge(
            name=known.name,
            version=known.version,
            path=self._files.path_of(known.digest),
            model_id=known.model_id,
            threads=1,
            max_megapixels=self._max_megapixels,
        )
        return self._run(function, judge, *args)
