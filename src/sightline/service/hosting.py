"""The current models of the plant, served: what is promoted or rolled back on any server is soon judged by here."""

import logging
from collections.abc import Mapping
from typing import Self

from sqlalchemy import select

from sightline.errors import InspectionError
from sightline.service.rounds import Rounds
from sightline.service.serving import Serving
from sightline.store.database import Database
from sightline.store.models import CURRENT, ModelFiles
from sightline.store.schema import Model

LOG = logging.getLogger(__name__)
_MOST = 1000  # names


class Hosting:
    """Follows the table of models; a model that cannot be loaded is told once, and the one before goes on judging."""

    def __init__(self, database: Database, files: ModelFiles, serving: Serving, *, every_s: float = 2.0) -> None:
        self.failed: Mapping[str, str] = {}  # name -> why its current version is not the one that judges
        self._database, self._files, self._serving = database, files, serving
        self._hosted: dict[str, int] = {}
        self._rounds = Rounds("hosting", self.follow, every_s)

    def start(self) -> Self:
        """Load what is current, and follow it from then on."""
        self.follow()
        self._rounds.start()
        return self

    def wake(self) -> None:
        """Look at once, as something was just promoted here."""
        self._rounds.wake()

    def close(self) -> None:
        self._rounds.close()

    def follow(self) -> None:
        """Look once; what cannot be reached now is tried again at the next look."""
        try:
            wanted = self._wanted()
        except InspectionError as error:
            LOG.warning("models: %s", error)
            return
        for name, (version, digest) in wanted.items():
            if self._hosted.get(name) != version:
                self._host(name, version, digest)
        for name in self._hosted.keys() - wanted.keys():
            self._let_go(name)
        self.failed = {
            name: why
            for name, why in self.failed.items()
            if name in wanted and self._hosted.get(name) != wanted[name][0]
        }

    def _wanted(self) -> dict[str, tuple[int, str]]:
        with self._database.reading() as session:
            rows = session.execute(
                select(Model.name, Model.version, Model.digest).where(Model.status == CURRENT).limit(_MOST)
            )
            return {name: (version, digest) for name, version, digest in rows}

    def _host(self, name: str, version: int, digest: str) -> None:
        try:
            self._serving.load(name, self._files.path_of(digest), version=version)
        except InspectionError as error:
            if self.failed.get(name) != str(error):
                LOG.error("model %s, version %d: %s", name, version, error)
            self.failed = {**self.failed, name: str(error)}
            return
        self._hosted[name] = version
        LOG.info("model %s, version %d, judges", name, version)

    def _let_go(self, name: str) -> None:
        try:
            self._serving.forget(name)
        except InspectionError as error:  # it is being loaded; at the next look
            LOG.warning("model %s: %s", name, error)
            return
        del self._hosted[name]
