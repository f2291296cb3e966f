"""CSV tables as spreadsheets write them: a header, UTF-8 with or without byte order mark, any line ends."""

import csv
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import DatasetError


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    line: int  # in the file, the header being 1; the last one of a cell with line breaks
    cells: dict[str, str]  # column -> text without surrounding blanks


def read_table(path: Path, required: frozenset[str], optional: frozenset[str]) -> list[Row]:
    """The rows below the header; blank lines are left out.

    Raises:
        DatasetError: not UTF-8, a missing, unknown or repeated column, or a row of another length than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            _check_columns(path, columns, required, optional)
            return [_row(path, reader.line_num, columns, cells) for cells in reader if any(map(str.strip, cells))]
    except UnicodeDecodeError as error:
        raise DatasetError(f'{path}: is not UTF-8 text; save it as "CSV UTF-8".') from error
    except csv.Error as error:
        raise DatasetError(f"{path}: is not a valid CSV ({error}); save it again as comma-separated values.") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions.") from error


def _check_columns(path: Path, columns: list[str], required: frozenset[str], optional: frozenset[str]) -> None:
    expected = f"the header must name {', '.join(sorted(required))}"
    expected += f" and may name {', '.join(sorted(optional))}" if optional else ""
    for fault, names in (
        ("lacks", sorted(required.difference(columns))),
        ("has unknown", sorted(set(columns) - required - optional)),
        ("repeats", sorted({name for name in columns if columns.count(name) > 1})),
    ):
        if names:
            listed = ", ".join(f'"{name[:40]}"' for name in names[:8])
            raise DatasetError(f"{path}: the header {fault} column {listed}; {expected}, separated by commas.")


def _row(path: Path, line: int, columns: list[str], cells: list[str]) -> Row:
    if len(cells) != len(columns):
        raise DatasetError(
            f"{path}, line {line}: {len(cells)} cells under {len(columns)} columns; put cells with commas in quotes."
        )
    return Row(line=line, cells=dict(zip(columns, map(str.strip, cells), strict=True)))
