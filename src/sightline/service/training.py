"""Training as jobs, for clients that have words of their own for it."""

import time
from pathlib import Path

from sightline.service.jobs import Jobs
from sightline.service.protocols.lookout_projects import Progress
from sightline.store import jobs as queue
from sightline.store.database import Database

AUTHOR = "Lookout for Vision"


class JobTrainer:
    """Starts jobs that train, and tells how far they are."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database, self._jobs = database, jobs

    def start(self, kind: str, params: dict[str, str]) -> str:
        """As `Trainer.start`; data and output lie below the folder that jobs learn from. Errors as `Jobs.submit`."""
        root = self._jobs.site.data
        given = {
            "data": str(Path(params["data"]).relative_to(root)),
            "output": str(Path(params["output"]).relative_to(root)),
            "name": params["name"],
            "version": int(params["version"]),
            "test": True,
        }
        return self._jobs.submit(kind, given, author=AUTHOR, now_s=time.time())

    def progress(self, job: str) -> Progress:
        """Raises NotFoundError where the job was forgotten."""
        with self._database.reading() as session:
            told = queue.job(session, job)
        figures = (told.result or {}).get("figures", {})
        return Progress(state=told.state, message=told.message, figures=figures)
