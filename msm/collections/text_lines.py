"""Lines of text files, and rows of tables in them, with errors that name the line."""

import csv
from collections.abc import Iterator
from pathlib import Path

from msm.errors import bad_line
from msm.files import NO_TEXT, open_text


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of every line, without its end; compressed files are decompressed.

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
    """Line number and columns of a table with tabs between, quoted as by Python's csv.

    A carriage return within a column is a blank: Python's csv takes it for the end of a row.

    Raises:
        BadInput: a row with another number of columns, or as `read_lines`.
    """
    lines = (line.replace("\r", " ") + "\n" for _, line in read_lines(path))
    rows = csv.reader(lines, delimiter="\t")
    try:
        for row in rows:
            if len(row) != columns:
                raise bad_line(path, rows.line_num, f"expected {columns} columns with tabs between, got {len(row)}")
            yield rows.line_num, row
    except csv.Error as error:
        raise bad_line(path, rows.line_num, str(error)) from error
