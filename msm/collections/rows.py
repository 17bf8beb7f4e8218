"""Reads the records of a file of JSON Lines, of a JSON list, or of Parquet, with the same fields in all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from msm.errors import BadInput
from msm.files import plain_name, read_json, read_json_lines

ENDINGS = (".jsonl", ".json", ".parquet")
BATCH_ROWS = 4096


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the position of each record, for messages, and its fields.

    Raises:
        BadInput: a record is no object, or the file is not what its name says.
    """
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
    elif plain_name(path).endswith(".jsonl"):
        yield from ((f"{path}:{number}", row) for number, row in read_json_lines(path))
    else:
        rows = read_json(path)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadInput(f"{path}: expected a JSON list of objects, got {str(rows)[:60]!r}")
        yield from ((f"{path}: record {number}", row) for number, row in enumerate(rows))


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
            for row in batch.to_pylist():
                yield f"{path}: row {number}", row
                number += 1
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from error
