"""The current models of the plant, served: what is promoted or rolled back on any server is soon judged by here."""

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from sqlalchemy import select

from sightline.errors import BundleError, ConflictError, InspectionError, NotFoundError
from sightline.service.rounds import Rounds
from sightline.service.serving import Served, Serving, State
from sightline.store import models
from sightline.store.database import Database
from sightline.store.models import CURRENT, Change, KnownModel, ModelFiles, Upload
from sightline.store.schema import Model

LOG = logging.getLogger(__name__)
_MOST = 1000  # names


class Hosting:
    """Follows the table of models; a model that cannot be loaded is told once, and the one before goes on judging."""

    def __init__(
        self,
        database: Database,
        files: ModelFiles,
        serving: Serving,
        *,
        every_s: float = 2.0,
        again_s: float = 60.0,  # after which a model that was stuck or stopped is loaded again
    ) -> None:
        self.failed: Mapping[str, str] = {}  # name -> why its current version is not the one that judges
        self._database, self._files, self._serving = database, files, serving
        self._again_s = again_s
        self._hosted: dict[str, int] = {}
        self._lock = threading.Lock()
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

    def known(self, name: str, version: int | None = None) -> KnownModel | None:
        """A version of the plant, by default the current one; None: there is none."""
        try:
            return models.one(self._database, name, version)
        except NotFoundError:
            return None

    def highest(self, name: str) -> int:
        """The number of the plant's latest version; 0: there is none."""
        return models.highest(self._database, name)

    def hosts(self, name: str) -> bool:
        """Whether what judges by this name is of the plant, and not a file that the server was started with."""
        return name in self._hosted

    def bring(self, name: str, version: int, path: Path, by: str) -> None:
        """Take a file in as this version of the plant, unless it is; ConflictError where that is another."""
        upload = Upload(name=name, author=by, note="Lookout for Vision", version=version)
        known = models.add(self._database, self._files, path, upload, now_s=time.time())
        if known.version != version:
            raise ConflictError(f"model {name}/{version}: is version {known.version} of the plant. Promote that one.")

    def host(self, name: str, version: int, change: Change) -> None:
        """Make a version the current one, where it is not yet, and load it before this returns.

        Raises:
            NotFoundError, ConflictError: as `models.promote`.
            BundleError: it is the current one now, and cannot be loaded; the one before goes on judging.
        """
        current = self.known(name)
        if current is None or current.version != version:
            current = models.promote(self._database, name, version, change, now_s=time.time())
        with self._lock:
            why = "" if self._judges(name, version) else self._host(name, version, current.digest)
            others = {other: told for other, told in self.failed.items() if other != name}
            self.failed = others | ({name: why} if why else {})
        if why:
            raise BundleError(why)

    def end(self, name: str, version: int, change: Change) -> None:
        """Let the current version be so no more, and let go of it; errors as `models.retire`."""
        models.retire(self._database, name, version, change)
        with self._lock:
            if name in self._hosted:
                self._let_go(name)

    def follow(self) -> None:
        """Look once; what cannot be reached now is tried again at the next look."""
        with self._lock:
            try:
                wanted = self._wanted()
            except InspectionError as error:
                LOG.warning("models: %s", error)
                return
            tended = {name: self._tended(name, version, digest) for name, (version, digest) in wanted.items()}
            for name in self._hosted.keys() - wanted.keys():
                self._let_go(name)
            self.failed = {name: why for name, why in tended.items() if why}

    def _wanted(self) -> dict[str, tuple[int, str]]:
        with self._database.reading() as session:
            rows = session.execute(
                select(Model.name, Model.version, Model.digest).where(Model.status == CURRENT).limit(_MOST)
            )
            return {name: (version, digest) for name, version, digest in rows}

    def _tended(self, name: str, version: int, digest: str) -> str:
        """Why this version is not the one that judges, having tried; empty: it is."""
        if self._judges(name, version):
            return ""
        served = self._served(name)
        if self._hosted.get(name) == version and served is not None and served.version == version:
            why = f"model {name}, version {version}: is {served.state} ({served.reason or 'by somebody'})"
            if time.time() < served.since_s + self._again_s:  # what was stuck would be so again at once
                self._tell(name, why)
                return why
        return self._host(name, version, digest)

    def _judges(self, name: str, version: int) -> bool:
        served = self._served(name)
        hosted = self._hosted.get(name) == version
        return hosted and served is not None and (served.version, served.state) == (version, State.READY)

    def _served(self, name: str) -> Served | None:
        return next((served for served in self._serving.models() if served.name == name), None)

    def _host(self, name: str, version: int, digest: str) -> str:
        """Load it; why it could not be, or nothing."""
        try:
            self._serving.load(name, self._files.path_of(digest), version=version)
        except InspectionError as error:
            why = f"model {name}, version {version}: {error}"
            self._tell(name, why)
            return why
        self._hosted[name] = version
        LOG.info("model %s, version %d, judges", name, version)
        return ""

    def _tell(self, name: str, why: str) -> None:
        if self.failed.get(name) != why:  # once
            LOG.error("%s", why)

    def _let_go(self, name: str) -> None:
        try:
            self._serving.forget(name)
        except NotFoundError:  # somebody else did
            LOG.info("model %s: is gone already", name)
        except InspectionError as error:  # it is being loaded; at the next look
            LOG.warning("model %s: %s", name, error)
            return
        del self._hosted[name]
