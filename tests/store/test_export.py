"""The same rows in every format, in pieces, whatever they hold."""

import csv
import io
import json
import sys
from dataclasses import replace

import pytest
from tests.line.parts import outcome
from tests.store.lines import Teller

from sightline.errors import OptionError, StoreAway
from sightline.store import export as exporting
from sightline.store.database import Database
from sightline.store.export import Format, export
from sightline.store.ingest import ingest
from sightline.store.inspections import Filter

NOW_S = 1.8e9 + 1000


@pytest.fixture
def lines(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """25 records that are in the database; 10 rows are a piece."""
    monkeypatch.setattr(exporting, "AT_ONCE", 10)
    told = Teller().parts(25)
    ingest(database, told, now_s=NOW_S)
    return told


def test_csv_has_a_row_for_each_newest_first(database: Database, lines: list[str]) -> None:
    pieces = list(export(database, Filter(), Format.CSV))
    assert len(pieces) == 3
    rows = list(csv.DictReader(io.StringIO(b"".join(pieces).decode(), newline="")))
    assert [row["id"] for row in rows] == [json.loads(line)["id"] for line in reversed(lines)]
    assert rows[0] | {} == rows[0]
    assert (rows[0]["serial"], rows[0]["score"], rows[0]["at"]) == ("S25", "0.5", "2027-01-15T08:00:24.000+00:00")


def test_csv_holds_nothing_that_a_spreadsheet_computes(database: Database) -> None:
    tricky = replace(outcome(1, serial='=HYPERLINK("x")'), product='a,"b"\n')
    ingest(database, Teller(station="+1").tell(tricky), now_s=NOW_S)
    (row,) = csv.DictReader(io.StringIO(b"".join(export(database, Filter(), Format.CSV)).decode(), newline=""))
    assert (row["serial"], row["product"], row["station"]) == ('\'=HYPERLINK("x")', 'a,"b"\n', "'+1")


def test_json_lines_have_the_record_itself(database: Database, lines: list[str]) -> None:
    written = b"".join(export(database, Filter(verdict="REJECT"), Format.JSON_LINES)).decode().splitlines()
    rows = [json.loads(line) for line in written]
    assert [row["record"] for row in rows] == [json.loads(line) for line in reversed(lines) if '"REJECT"' in line]
    assert [row["number"] for row in rows] == [20, 10]


def test_parquet_holds_the_same(database: Database, lines: list[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    content = b"".join(export(database, Filter(), Format.PARQUET))
    table = parquet.read_table(io.BytesIO(content))
    rows = list(csv.DictReader(io.StringIO(b"".join(export(database, Filter(), Format.CSV)).decode())))
    assert table.column_names == list(rows[0])
    assert table.column("id").to_pylist() == [row["id"] for row in rows]
    assert table.column("late").to_pylist() == [False] * 25
    assert parquet.ParquetFile(io.BytesIO(content)).num_row_groups == 3


@pytest.mark.parametrize("form", list(Format))
def test_of_nothing_there_is_a_file_without_rows(database: Database, form: Format) -> None:
    if form is Format.PARQUET:
        pytest.importorskip("pyarrow")
    content = b"".join(export(database, Filter(), form))
    assert content.count(b"\n") == 1 if form is Format.CSV else bool(content) == (form is Format.PARQUET)


def test_parquet_without_pyarrow_names_the_cure(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OptionError, match="pip install pyarrow"):
        export(database, Filter(), Format.PARQUET)


def test_a_database_that_is_away_is_told_before_the_file_begins() -> None:
    away = Database("sqlite:////nowhere/plant.db")
    with pytest.raises(StoreAway):
        export(away, Filter(), Format.CSV)
    away.close()
