"""Inspections as CSV, JSON lines or Parquet, piece by piece: memory stays the same, however many there are.

Newest first, so that what comes in meanwhile disturbs nothing; each piece is read in a transaction of its own, so that
a slow receiver holds up nobody.
"""

import csv
import io
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sightline.errors import OptionError
from sightline.store.database import Database
from sightline.store.inspections import Filter, Place, Summary, documents, scan

AT_ONCE = 1_000  # rows of a piece
_TYPES = {  # column -> type in Parquet
    **{"id": "string", "number": "int64", "at": "string", "at_s": "float64", "station": "string", "sequence": "int64"},
    **{"product": "string", "serial": "string", "part_number": "int64", "recipe": "int32", "kind": "string"},
    **{"verdict": "string", "judged": "string", "told": "string"},
    **{"score": "float64", "label": "string", "cause": "string", "late": "bool_"},
    **{"total_ms": "float64", "station_clock_s": "float64", "received_s": "float64"},
    **{"lot": "string", "tool": "string"},
}
_COMPUTED = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet takes for a formula

_Piece = tuple[Summary, ...]


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"  # the columns' names first; a text that a spreadsheet would compute gets an apostrophe before it
    JSON_LINES = "jsonl"  # with the whole record
    PARQUET = "parquet"


MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON_LINES: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}


def export(database: Database, chosen: Filter, form: Format) -> Iterator[bytes]:
    """The file's content in pieces; the first is read before this returns, so that a fault shows before a file begins.

    Raises:
        OptionError: Parquet needs pyarrow, which is not installed. StoreAway, StoreError: the database cannot be read.
    """
    pieces = _pieces(database, chosen)
    if form is Format.CSV:
        content = _csv(pieces)
    elif form is Format.JSON_LINES:
        content = _json_lines(database, pieces)
    else:
        content = _parquet(pieces, _arrow())
    first = next(content, b"")
    return itertools.chain((first,), content)


def _pieces(database: Database, chosen: Filter) -> Iterator[_Piece]:
    before: Place | None = None
    while True:
        with database.reading() as session:
            found = scan(session, chosen, before=before, limit=AT_ONCE)
        yield found.items
        if found.next is None:
            return
        before = found.next


def _csv(pieces: Iterator[_Piece]) -> Iterator[bytes]:
    head = True
    for piece in pieces:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
        if head:
            writer.writerow(_TYPES)
            head = False
        writer.writerows([cell(value) for value in _row(summary).values()] for summary in piece)
        yield text.getvalue().encode()


def _json_lines(database: Database, pieces: Iterator[_Piece]) -> Iterator[bytes]:
    for piece in pieces:
        with database.reading() as session:
            records = documents(session, [summary.id for summary in piece])
        yield "".join(
            f'{json.dumps(_row(summary))[:-1]}, "record": {records[summary.id]}}}\n' for summary in piece
        ).encode()


def _parquet(pieces: Iterator[_Piece], arrow: Any) -> Iterator[bytes]:  # pyarrow has no types
    from pyarrow import parquet

    schema = arrow.schema([(name, getattr(arrow, type_)()) for name, type_ in _TYPES.items()])
    file = _Drained()
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for piece in pieces:
            if piece:
                writer.write_table(arrow.Table.from_pylist([_row(summary) for summary in piece], schema=schema))
            yield file.drain()
    yield file.drain()


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise OptionError("Parquet: needs pyarrow. Run: pip install pyarrow, or take csv or jsonl.") from error
    return pyarrow


class _Drained(io.RawIOBase):
    """A file that is only written to, and emptied now and then; it knows how far it has come."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, content: Any) -> int:
        self._waiting.append(bytes(content))
        self._written += len(self._waiting[-1])
        return len(self._waiting[-1])

    def drain(self) -> bytes:
        content = b"".join(self._waiting)
        self._waiting.clear()
        return content


def _row(summary: Summary) -> dict[str, object]:
    at = datetime.fromtimestamp(summary.at_s, UTC).isoformat(timespec="milliseconds")
    return {name: at if name == "at" else getattr(summary, name) for name in _TYPES}


def cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_COMPUTED) else value
