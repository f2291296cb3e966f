"""The job that brings pictures to where they belong by class and age, and clears away what belongs nowhere."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

from sightline.errors import OptionError
from sightline.service.job_task import Kind, Task
from sightline.store.database import Database
from sightline.store.shelf import SHARDS
from sightline.store.tiering import move, sweep

_AHEAD = 1000  # pictures that are taken to be still to do, as nobody has counted them


@dataclass(frozen=True, slots=True, kw_only=True)
class TieringOptions:
    """How much of it is done in one run."""

    most: int = 1_000_000  # pictures moved or removed; the next run does the rest
    shards: int = 16  # of 256 parts of the shelves, how many are swept; another part each hour
    dry_run: bool = False  # only tell what would be done

    def __post_init__(self) -> None:
        if self.most < 1 or not 0 <= self.shards <= len(SHARDS):
            raise OptionError(f"tiering: give most of 1 or more, and shards of 0 to {len(SHARDS)}.")


def _tiering(options: TieringOptions, task: Task) -> Mapping[str, Any]:
    now_s = time.time()
    with closing(Database(task.site.database)) as database:
        pictures = task.site.kept_pictures(database)
        done = move(
            pictures,
            now_s=now_s,
            most=options.most,
            dry_run=options.dry_run,
            progress=lambda number: task.progress("moving", number, number + _AHEAD),
        )
        for fault in done.faults:
            task.say(fault)
        first = int(now_s // 3600) * options.shards
        for number in range(options.shards):
            swept = sweep(pictures, (first + number) % len(SHARDS), dry_run=options.dry_run)
            done = replace(done, swept=done.swept + swept.swept)
            task.progress("sweeping", number + 1, options.shards)
    return asdict(done)


TIERING = Kind(
    name="tiering",
    told="move pictures by class and age, and remove what is over its time",
    options=TieringOptions,
    run=_tiering,
)
