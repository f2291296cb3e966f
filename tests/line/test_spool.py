"""What is recorded is there, in order, once, unaltered; and is readable."""

import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.line.deadline import until
from tests.line.parts import outcome

from sightline.errors import StoreError
from sightline.line.events import Signal
from sightline.line.history import Damage, History, verify, verify_lines
from sightline.line.outcome import Ids, Kind, Outcome
from sightline.line.recorder import MOST_WAITING, Recorder, Recording
from sightline.line.spool import SCHEMA, Spool, integrity
from sightline.records import Verdict


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


def filled(path: Path, parts: int = 6) -> Path:
    spool = Spool(path, station="press 3")
    for number in range(1, parts + 1):
        spool.record([outcome(number)])
    spool.close()
    return path


def altered(path: Path, statement: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    return path


def test_records_come_back_in_order_and_with_everything(path: Path) -> None:
    spool = Spool(path, station="press 3")
    given_ = [outcome(1, serial="A1"), outcome(2, verdict=Verdict.REJECT), outcome(3, verdict=Verdict.FAULT)]
    spool.record(given_[:1])
    spool.record(given_[1:])
    history = History(path)
    rows = history.after(0, 10)
    assert [(row.sequence, row.id, row.part_id, row.verdict) for row in rows] == [
        (place, one.id, one.part_id, one.verdict) for place, one in enumerate(given_, 1)
    ]
    assert history.newest(2) == rows[:0:-1]
    assert history.of_serial("A1") == rows[:1]
    assert history.of_serial("") == []
    assert '"label":"dent"' in rows[1].document
    assert '"station":"press 3"' in rows[1].document
    assert '"durations_ms":{"model":12.346}' in rows[1].document
    history.close()
    spool.close()


def test_numbers_go_on_after_a_restart(path: Path) -> None:
    filled(path)
    spool = Spool(path, station="press 3")
    newest = History(path)
    last = newest.last()
    one = outcome(7, known_as=spool.ids.new())
    spool.record([one])
    assert (newest.last().sequence, last.sequence) == (7, 6)
    assert one.id > str(last.id)
    newest.close()
    spool.close()
    assert verify(path) is None


def test_an_outcome_given_twice_is_recorded_once(path: Path) -> None:
    spool = Spool(path, station="press 3")
    one, two = outcome(1), outcome(2)
    spool.record([one])
    spool.record([one, two, two])
    spool.close()
    history = History(path)
    assert [row.id for row in history.after(0, 10)] == [one.id, two.id]
    assert sum(count.parts for count in history.counts()) == 2
    history.close()


def test_counts_are_kept_apart_by_kind_verdict_and_lateness(path: Path) -> None:
    spool = Spool(path, station="press 3")
    spool.record([outcome(1), outcome(2), outcome(3, verdict=Verdict.FAULT), outcome(4, kind=Kind.CHALLENGE)])
    spool.record([outcome(5, late=True), outcome(6, unix_s=1.8e9 - 86_400)])
    spool.close()
    history = History(path)
    today = "2027-01-15"
    found = {(c.day, c.kind, c.verdict, c.cause, c.late): c.parts for c in history.counts()}
    assert found == {
        (today, Kind.PRODUCTION, Verdict.PASS, "", False): 2,
        (today, Kind.PRODUCTION, Verdict.PASS, "", True): 1,
        (today, Kind.PRODUCTION, Verdict.FAULT, "camera", False): 1,
        (today, Kind.CHALLENGE, Verdict.PASS, "", False): 1,
        ("2027-01-14", Kind.PRODUCTION, Verdict.PASS, "", False): 1,
    }
    assert {count.day for count in history.counts(today)} == {today}
    history.close()


@pytest.mark.parametrize(
    ("statement", "damage"),
    [
        pytest.param("DELETE FROM parts WHERE sequence = 1", (1, "the record is missing"), id="the first is gone"),
        pytest.param("DELETE FROM parts WHERE sequence = 3", (3, "the record is missing"), id="one is gone"),
        pytest.param("DELETE FROM parts WHERE sequence = 6", (6, "the record is missing"), id="the last is gone"),
        pytest.param("DELETE FROM parts", (1, "the record is missing"), id="all are gone"),
        pytest.param(
            "UPDATE parts SET document = replace(document, '0.5', '0.6') WHERE sequence = 2",
            (3, "it, or the record before it, was changed"),
            id="a score",
        ),
        pytest.param(
            "UPDATE parts SET document = replace(document, '0.5', '0.6') WHERE sequence = 6",
            (6, "the last record was changed"),
            id="the last score",
        ),
        pytest.param(
            "UPDATE parts SET verdict = 'REJECT' WHERE sequence = 2",
            (2, "its columns and its document differ"),
            id="a column",
        ),
        pytest.param(
            "UPDATE parts SET document = '{' WHERE sequence = 2", (2, "it is no record any more"), id="no document"
        ),
    ],
)
def test_whatever_is_changed_or_taken_out_is_found(path: Path, statement: str, damage: tuple[int, str]) -> None:
    assert verify(filled(path)) is None
    sequence, what = damage
    assert verify(altered(path, statement)) == Damage(sequence=sequence, what=what)


def test_an_export_is_verified_without_the_file(path: Path) -> None:
    history = History(filled(path))
    lines = [row.document for row in history.after(0, 10)]
    history.close()
    assert verify_lines(line + "\n" for line in lines) is None
    assert verify_lines(lines[2:]) is None
    assert verify_lines(lines[:2] + lines[3:]) == Damage(sequence=3, what="the record is missing")
    forged = [lines[0], lines[1].replace("PASS", "FAIL"), *lines[2:]]
    assert verify_lines(forged) == Damage(sequence=3, what="it, or the record before it, was changed")


def test_pruning_takes_old_records_that_may_go_and_keeps_the_chain(path: Path) -> None:
    spool = Spool(path, station="press 3")
    now = datetime.fromtimestamp(1.8e9, UTC)
    for days in (9, 8, 7, 1, 0):
        spool.record([outcome(days, unix_s=(now - timedelta(days=days)).timestamp())])
    assert spool.prune(through=2, before=now) == 2  # the plant server has no more
    assert spool.prune(through=5, before=now - timedelta(days=3)) == 1
    assert spool.prune(through=5, before=now - timedelta(days=3)) == 0
    assert verify(path) is None
    history = History(path)
    assert [row.sequence for row in history.after(0, 10)] == [4, 5]
    assert sum(count.parts for count in history.counts()) == 5
    history.close()
    spool.close()
    Spool(path, station="press 3").close()
    assert verify(altered(path, "DELETE FROM parts WHERE sequence = 4")) == Damage(
        sequence=4, what="the record is missing"
    )


def test_a_half_made_file_is_brought_up_to_date(path: Path) -> None:
    altered(path, "CREATE TABLE counts (day TEXT)")
    altered(path, "DROP TABLE counts")
    filled(path)
    altered(path, "PRAGMA user_version = 0")  # as after an interruption before the version was written
    filled(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
    assert verify(path) is None
    assert integrity(path) == "ok"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: path.write_bytes(b"no database" * 100), "no record of a station", id="another file"),
        pytest.param(lambda path: path.mkdir(), "folder", id="a folder"),
        pytest.param(lambda path: altered(path, "PRAGMA user_version = 99"), "newer Sightline", id="newer"),
    ],
)
def test_what_is_no_record_is_refused(path: Path, make, message: str) -> None:  # type: ignore[no-untyped-def]
    make(path)
    with pytest.raises(StoreError, match=message) as refused:
        Spool(path, station="press 3")
    assert str(refused.value).startswith(f"{path}: ")


def test_a_station_without_its_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Its folder does not exist"):
        Spool(tmp_path / "none" / "records.db", station="press 3")


def test_nothing_is_recorded_after_closing(path: Path) -> None:
    spool = Spool(path, station="press 3")
    spool.close()
    spool.close()
    with pytest.raises(StoreError, match="is closed"):
        spool.record([outcome()])


@given(times=st.lists(st.integers(-5, 5), min_size=2, max_size=50))
def test_ids_ascend_whatever_the_clock_does(times: list[int]) -> None:
    now = 10**12
    steps = iter(times)
    ids = Ids(clock_ns=lambda: (now + next(steps)) * 1_000_000)
    made = [ids.new() for _ in times]
    assert all(first < second for first, second in pairwise(made))


def test_ids_ascend_when_many_fall_into_a_millisecond() -> None:
    ids = Ids(clock_ns=lambda: 10**18)
    made = [ids.new() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert Ids(made[-1], clock_ns=lambda: 0).new() > made[-1]
    assert {(one[14], one[19] in "89ab") for one in made} == {("7", True)}


@pytest.mark.parametrize("wrong", [{"durations_ms": {"model": float("nan")}}, {"unix_s": 1e300}, {"serial": "\ud800"}])
def test_what_cannot_be_written_down_is_refused_and_the_next_is_recorded(path: Path, wrong: dict[str, object]) -> None:
    spool = Spool(path, station="press 3")
    with pytest.raises(StoreError, match="cannot be recorded"):
        spool.record([outcome(1), replace(outcome(2), **wrong)])  # type: ignore[arg-type]
    spool.record([outcome(3)])
    spool.close()
    history = History(path)
    assert [(row.sequence, row.part_id) for row in history.after(0, 10)] == [(1, 3)]
    history.close()


def test_what_is_held_is_told_once_and_becomes_a_record_when_it_is_complete(path: Path) -> None:
    threads = threading.active_count()
    spool = Spool(path, station="press 3")
    recorder = Recorder(spool)
    given_ = [outcome(number) for number in range(1, 201)]
    told: list[str] = []

    def all_told() -> bool:
        told.extend(recording.outcome.id for recording in recorder.finished() if recording.error is None)
        return len(told) >= len(given_)

    for one in given_:
        recorder.hold(one)
    until(all_told)
    assert told == [one.id for one in given_]
    with closing(History(path)) as history:
        assert history.newest() == []
    for one in given_:
        recorder.complete(replace(one, told=Signal.OK))
    assert recorder.close() == recorder.close() == 0
    spool.close()
    with closing(History(path)) as history:
        rows = history.after(0, 1000)
    assert [row.id for row in rows] == told
    assert {json.loads(row.document)["told"] for row in rows} == {"ok"}
    assert verify(path) is None
    assert threading.active_count() == threads


def test_what_a_crash_left_held_becomes_a_record_of_which_nobody_knows_what_was_told(path: Path) -> None:
    spool = Spool(path, station="press 3")
    done, held = outcome(1), outcome(2)
    spool.record([done], [held])
    spool.record([], [held])
    spool.close()
    spool = Spool(path, station="press 3")
    spool.record([replace(held, told=Signal.OK)], [held])
    spool.close()
    with closing(History(path)) as history:
        assert [(row.id, json.loads(row.document)["told"]) for row in history.after(0, 10)] == [
            (done.id, None),
            (held.id, None),
        ]
    assert verify(path) is None
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM held").fetchone() == (0,)


def test_what_the_disk_refuses_is_told_and_recorded_when_the_disk_is_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(path, station="press 3")
    recorder = Recorder(spool, retry_s=0.01)
    record, broken = spool.record, [True]

    def failing(outcomes: Sequence[Outcome], held: Sequence[Outcome] = ()) -> None:
        if broken[0]:
            raise StoreError("the disk is full.")
        record(outcomes, held)

    monkeypatch.setattr(spool, "record", failing)
    given_ = [outcome(number) for number in range(1, MOST_WAITING + 400)]
    for one in given_:
        recorder.hold(one)
    told: list[Recording] = []

    def refuses() -> bool:
        told.extend(recorder.finished())
        return bool(told) and "full" in recorder.failing

    until(refuses)
    assert all(recording.error for recording in told)
    refused = {recording.outcome.id for recording in told}
    for one in given_:
        if one.id in refused:
            recorder.complete(replace(one, verdict=Verdict.FAULT, score=None, cause="not_recorded"))
    broken[0] = False
    until(lambda: not recorder.failing and not recorder.waiting)
    again = {recording.outcome.id for recording in recorder.finished() if recording.error is None}
    assert again | refused == {one.id for one in given_}
    for one in given_:
        recorder.complete(one)
    assert recorder.close() == 0
    spool.close()
    with closing(History(path)) as history:
        rows = history.after(0, 10_000)
    assert sorted(row.part_id for row in rows) == list(range(1, MOST_WAITING + 400))
    assert all((row.verdict is Verdict.FAULT) == (row.id in refused) for row in rows)


def test_a_disk_that_does_not_keep_up_is_a_reason_to_judge_no_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(path, station="press 3")
    recorder, go_on = Recorder(spool), threading.Event()
    monkeypatch.setattr(spool, "record", lambda *_: go_on.wait(60))
    for number in range(MOST_WAITING):
        recorder.complete(outcome(number))
    assert "wait for the disk" in recorder.failing
    go_on.set()
    until(lambda: not recorder.failing)
    recorder.close()
    spool.close()


def test_every_key_of_a_record_is_documented(path: Path) -> None:
    history = History(filled(path, 1))
    (row,) = history.newest()
    history.close()
    page = (Path(__file__).resolve().parents[2] / "docs" / "store-and-forward.md").read_text("utf-8")
    content = json.loads(row.document)
    keys = {*content, *content["views"][0]}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []
