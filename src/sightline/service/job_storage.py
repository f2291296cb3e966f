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
from sightline.store.tiering import Progress, move, sweep

_AT_ONCE = 1000  # pictures between two signs of life


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
        done = move(pictures, now_s=now_s, most=min(_AT_ONCE, options.most), dry_run=options.dry_run)
        while done.more and not options.dry_run and done.failed == 0 and _handled(done) < options.most:
            most = min(_AT_ONCE, options.most - _handled(done))
            done = _sum(done, move(pictures, now_s=now_s, most=most))
            task.progress("moving", _handled(done), _handled(done) + _AT_ONCE * done.more)
        first = int(now_s // 3600) * options.shards
        for number in range(options.shards):
            swept = sweep(pictures, (first + number) % len(SHARDS), dry_run=options.dry_run)
            done = replace(_sum(done, swept), more=done.more)
            task.progress("sweeping", number + 1, options.shards)
    return asdict(done)


def _handled(done: Progress) -> int:
    return done.moved + done.removed


def _sum(one: Progress, other: Progress) -> Progress:
    """Of two runs; what is held is counted anew by each, and whether there is more is told by the later one."""
    return Progress(
        moved=one.moved + other.moved,
        removed=one.removed + other.removed,
        freed_bytes=one.freed_bytes + other.freed_bytes,
        moved_bytes=one.moved_bytes + other.moved_bytes,
        failed=one.failed + other.failed,
        held=max(one.held, other.held),
        swept=one.swept + other.swept,
        faults=(*one.faults, *other.faults)[:10],
        more=other.more,
    )


TIERING = Kind(
    name="tiering",
    told="move pictures by class and age, and remove what is over its time",
    options=TieringOptions,
    run=_tiering,
)
