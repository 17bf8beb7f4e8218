"""Reads lines of text files, and rows of tables in them, with errors that name the line."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from msm.errors import bad_line
from msm.files import NO_TEXT, open_text


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of every line, without its end; compressed files are decompressed.

    Raises:
        BadInput: no such file, not UTF-8, or not a whole compressed file.
    """
    number = 0
    with open_text(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                yield number, line.rstrip("\r\n")
        except NO_TEXT as error:
            raise bad_line(path, number + 1, str(error)) from error


def read_table(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the columns of a table with tabs between, quoted as by Python's csv.

    A carriage return within a column is a blank: Python's csv takes it for the end of a row.

    Raises:
        BadInput: a row with another number of columns, or as `read_lines`.
    """
    for number, row in _csv_rows(path, "\t"):
        if len(row) != columns:
            raise bad_line(path, number, f"expected {columns} columns with tabs between, got {len(row)}")
        yield number, row


def read_records(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the position of each row of a table with commas, for messages, and its columns by their names.

    Args:
        path: file of the table, quoted as by Python's csv.
        columns: columns that every table of the kind has.

    Raises:
        BadInput: no such columns, a row with another number of columns, or as `read_lines`.
    """
    rows = _csv_rows(path, ",")
    _, names = next(rows, (0, []))
    if absent := [name for name in columns if name not in names]:
        raise bad_line(path, 1, f"no column {absent[0]!r}; there are {', '.join(names)[:100]}")
    for number, row in rows:
        if len(row) != len(names):
            raise bad_line(path, number, f"expected {len(names)} columns with commas between, got {len(row)}")
        yield f"{path}:{number}", dict(zip(names, row, strict=True))


def _csv_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = (line.replace("\r", " ") + "\n" for _, line in read_lines(path))
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        yield from ((rows.line_num, row) for row in rows)
    except csv.Error as error:
        raise bad_line(path, rows.line_num, str(error)) from error
