"""What a plant does by itself: an hourly job that moves and clears pictures."""

import logging
import time
from collections.abc import Callable
from typing import Self

from sightline.errors import InspectionError
from sightline.service.job_storage import TIERING
from sightline.service.jobs import Jobs
from sightline.service.rounds import Rounds
from sightline.store import jobs as queue
from sightline.store.database import Database

LOG = logging.getLogger(__name__)
EVERY_S = 3600.0
AUTHOR = "upkeep"
_LOOK_S = 60.0


class Upkeep:
    """Starts the job when none was begun for an hour, nor waits or runs, by whichever server looks first."""

    def __init__(self, database: Database, jobs: Jobs, *, clock: Callable[[], float] = time.time) -> None:
        self._database, self._jobs, self._clock = database, jobs, clock
        self._rounds = Rounds("upkeep", self._round, _LOOK_S)

    def start(self) -> Self:
        self._rounds.start()
        return self

    def close(self) -> None:
        self._rounds.close()

    def look(self) -> bool:
        """Start the job if it is due; whether it was. Two servers may both, which does no harm.

        Raises:
            StoreError: the database cannot be asked. BusyError: too many jobs wait.
        """
        now_s = self._clock()
        with self._database.reading() as session:
            latest = queue.jobs(session, kind=TIERING.name, limit=1)
        if latest and (latest[0].ended_s is None or latest[0].created_s > now_s - EVERY_S):
            return False
        self._jobs.submit(TIERING.name, {}, author=AUTHOR, now_s=now_s)
        return True

    def _round(self) -> None:
        try:
            self.look()
        except InspectionError as error:
            LOG.warning("upkeep: %s", error)
