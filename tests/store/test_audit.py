"""The audit trail: whatever is done to it behind its back is found, in the database and in an export."""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sightline.errors import StoreError
from sightline.store.audit import FIRST, check_export, export, note, verify
from sightline.store.database import Database

ROWS = 5
COLUMNS = ("at_s", "who", "action", "subject", "before", "after", "signed", "previous", "digest")


def fill(database: Database, rows: int = ROWS) -> None:
    for number in range(rows):
        with database.writing() as session:
            note(session, who="Ada", action="promote", subject=f"model:cap/{number}", before=None, after={"a": number})


def exported(database: Database) -> list[str]:
    file = io.StringIO()
    assert not export(database, file).number
    return file.getvalue().splitlines(keepends=True)


def test_a_trail_that_nobody_touched_is_whole(database: Database) -> None:
    assert verify(database).digest == FIRST
    fill(database)
    checked = verify(database)
    assert (checked.rows, checked.number, checked.damage) == (ROWS, 0, "")


def test_several_rows_of_one_transaction_are_chained(database: Database) -> None:
    with database.writing() as session:
        for number in range(3):
            note(session, who="Ada", action="make", subject=f"user:{number}", before=None, after=None)
    assert verify(database).rows == 3


def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    fill(database, 1)
    with suppress(StoreError), database.writing() as session:
        note(session, who="Ada", action="make", subject="user:1", before=None, after=None)
        raise StoreError("disk full")
    fill(database, 1)
    assert verify(database).rows == 2


def test_any_text_can_be_noted(database: Database) -> None:
    with database.writing() as session:
        note(session, who="A\0\ud800" * 300, action="x" * 99, subject="\n" * 999, before="\0\ud800", after=float("inf"))
    checked = check_export(exported(database))
    assert (checked.rows, checked.number) == (1, 0)


@pytest.mark.parametrize("column", COLUMNS)
def test_an_edited_row_is_found(database: Database, column: str) -> None:
    number = 3
    fill(database)
    with database.writing() as session:
        value = {"at_s": 12.5, "signed": True}.get(column, "other")
        session.execute(text(f"UPDATE audit SET {column} = :value WHERE number = :n"), {"value": value, "n": number})
    assert number <= verify(database).number <= number + 1


@pytest.mark.parametrize("number", range(1, ROWS + 1))
def test_a_removed_row_is_found(database: Database, number: int) -> None:
    fill(database)
    with database.writing() as session:
        session.execute(text("DELETE FROM audit WHERE number = :n"), {"n": number})
    assert verify(database).number == number


def test_a_row_put_in_is_found(database: Database) -> None:
    fill(database)
    with database.writing() as session:
        session.execute(
            text(
                "INSERT INTO audit SELECT number + 1, at_s, who, action, subject, before, after, signed, digest, digest"
                f" FROM audit WHERE number = {ROWS}"
            )
        )
    assert verify(database).number == ROWS + 1


def test_a_chain_sealed_anew_is_found_by_an_export_kept_elsewhere(database: Database) -> None:
    fill(database)
    lines = exported(database)
    assert not verify(database, lines).number
    with database.writing() as session:
        session.execute(text("DELETE FROM audit"))
        session.execute(text("DELETE FROM facts"))
    fill(database)
    assert not verify(database).number
    assert verify(database, lines).number


def swap(rows: list[dict[str, Any]], place: int) -> None:
    rows[place - 1], rows[place] = rows[place], rows[place - 1]


CHANGES: dict[str, Callable[[list[dict[str, Any]], int], object]] = {
    "removed": lambda rows, place: rows.pop(place),
    "doubled": lambda rows, place: rows.insert(place, dict(rows[place])),
    "swapped": swap,
    **{
        f"edited {column}": lambda rows, place, column=column: rows[place].update(  # type: ignore[misc]
            {column: not rows[place].get(column) if column == "signed" else f"{rows[place].get(column)}x"}
        )
        for column in ("number", *COLUMNS)
    },
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.sampled_from(sorted(CHANGES)), place=st.integers(0, ROWS - 1))
def test_whatever_is_changed_in_an_export_is_found(lines: list[str], change: str, place: int) -> None:
    rows = [json.loads(line) for line in lines]
    CHANGES[change](rows, place if change != "swapped" else max(place, 1))
    assert check_export(json.dumps(row) for row in rows).number


@pytest.fixture
def lines(database: Database) -> list[str]:
    fill(database)
    return exported(database)


def test_an_export_verifies_by_itself(lines: list[str]) -> None:
    checked = check_export(lines)
    assert (checked.rows, checked.number) == (ROWS, 0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda lines: lines[:-1], "cut short", id="cut"),
        pytest.param(lambda lines: [*lines, lines[0]], "after the end", id="added"),
        pytest.param(lambda lines: ["[" * 100_000], "line 1: is no row", id="nested"),
        pytest.param(lambda lines: ["PNG"], "line 1: is no row", id="no JSON"),
    ],
)
def test_what_is_no_export_is_refused(lines: list[str], spoil: Callable[[list[str]], list[str]], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        check_export(spoil(lines))


def test_many_who_note_at_once_make_one_chain(database: Database) -> None:
    other = Database(database.engine.url.render_as_string(hide_password=False))  # as another server has it
    threads = [Thread(target=fill, args=(one,)) for one in (database, other, database, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    checked = verify(database)
    assert (checked.rows, checked.number) == (4 * ROWS, 0)
