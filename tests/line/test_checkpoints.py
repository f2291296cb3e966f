"""The write-ahead log of the records: large from the start, and emptied beside the commits."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.line.deadline import until
from tests.line.parts import outcome

from sightline.line.checkpoints import LOG_PAGES, Checkpoints, checkpoint, grow_log
from sightline.line.history import History
from sightline.line.spool import Spool, integrity

WANTED_BYTES = LOG_PAGES * 4096


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "records.db", station="press-1")) as spool:
        yield spool


def log_bytes(spool: Spool) -> int:
    return spool.path.with_name(f"{spool.path.name}-wal").stat().st_size


def test_the_log_is_grown_once_and_commits_write_over_it(spool: Spool) -> None:
    grow_log(spool.path)
    grown = log_bytes(spool)
    assert grown >= WANTED_BYTES
    for number in range(50):
        spool.record([outcome(number)])
        grow_log(spool.path)
    assert log_bytes(spool) == grown
    assert spool.path.stat().st_size < 100_000  # nothing of what filled the log is in the file
    assert integrity(spool.path) == "ok"


def test_a_disk_with_little_room_keeps_it(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = log_bytes(spool)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=9 * WANTED_BYTES))
    grow_log(spool.path)
    assert log_bytes(spool) == before


def test_a_checkpoint_carries_all_over_and_the_log_starts_anew(spool: Spool) -> None:
    grow_log(spool.path)
    for number in range(200):
        spool.record([outcome(number)])
    small = spool.path.stat().st_size
    assert checkpoint(spool.path)
    assert spool.path.stat().st_size > small
    grown = log_bytes(spool)
    spool.record([outcome(200)])
    assert log_bytes(spool) == grown


def test_a_reader_holds_up_a_checkpoint_and_no_commit(spool: Spool) -> None:
    spool.record([outcome(1)])
    with closing(sqlite3.connect(spool.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM parts").fetchone()
        spool.record([outcome(2)])
        assert not checkpoint(spool.path)
    assert checkpoint(spool.path)


def test_beside_a_station_it_grows_and_empties_the_log_by_itself(spool: Spool) -> None:
    with closing(Checkpoints(spool.path, every_s=0.01)):
        until(lambda: log_bytes(spool) >= WANTED_BYTES)
        for number in range(100):
            spool.record([outcome(number)])
        until(lambda: spool.path.stat().st_size > 40_000)
    with closing(History(spool.path)) as history:
        assert len(history.after(0, 1000)) == 100


def test_records_that_are_gone_are_not_made_anew_by_it(spool: Spool) -> None:
    spool.close()
    spool.path.unlink()
    with pytest.raises(sqlite3.OperationalError):
        checkpoint(spool.path)
    with closing(Checkpoints(spool.path, every_s=0.01)) as checkpoints:
        assert checkpoints._thread.is_alive()
    assert not spool.path.exists()
