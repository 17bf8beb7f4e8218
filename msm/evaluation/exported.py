"""The exported results of a recipe, which version control keeps: all score folders in a few files, and every manifest.

| name in `results/RECIPE` | content |
|---|---|
| `scores.jsonl.gz`, `chance.jsonl.gz`, `languages.jsonl.gz`, `collection.jsonl.gz` | the lines of the files of these names in all score folders, with the `row` of each |
| `per_query.parquet` | ids and languages of the questions, and for every row a column of its values (float32), null where it has no score |
| `manifests.jsonl.gz` | `name` (STAGE/ROW) and `manifest` of every step behind the scores: its command makes the rest again |

A row is addressed by the path that its folder would have, such as `results/real/score/lareqa-e5-small-1`. Folders of
earlier exports, which held a folder a row, are read as score folders are.
"""  # noqa: E501

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from msm.errors import BadInput, bad_line
from msm.evaluation.per_query import VALUES, encoded, read_per_query
from msm.files import new_file, read_json_lines, read_json_object, write_json_lines
from msm.pipeline.artifacts import payload
from msm.pipeline.manifests import upgrade

MANIFESTS, PER_QUERY = "manifests.jsonl.gz", "per_query.parquet"
FILES = {
    "scores.jsonl": "scores.jsonl.gz",
    "chance.jsonl": "chance.jsonl.gz",
    "languages.jsonl": "languages.jsonl.gz",
    "collection.json": "collection.jsonl.gz",
}
"""File of a score folder to the file that holds it for all rows."""
_OPTIONAL = {"languages.jsonl", "collection.json"}
"""Files that some score folders lack: those of a single language, or of an earlier version."""
_KEYS = [name for name in VALUES if name != "value"]
_COMPRESSION = 15
_SMALLEST = 9
"""Level of gzip for files that version control keeps."""


def is_exported(root: Path) -> bool:
    """Return whether a recipe's folder is an export of this kind."""
    return (root / MANIFESTS).is_file()


def manifests(root: Path) -> dict[str, dict[str, Any]]:
    """Return the manifest of every step in the newest format, by STAGE/ROW; empty where nothing is exported."""
    path = root / MANIFESTS
    return _manifests(path, path.stat().st_mtime_ns) if path.is_file() else {}


def score_folders(root: Path) -> list[Path]:
    """Return paths that stand for the score folders of an export."""
    return [root / name for name in sorted(manifests(root)) if name.startswith("score/")]


def score_lines(folder: Path, file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield position and content of every line of a file of a score folder, or of its export.

    Args:
        folder: the folder of stage `score`, or the path that stands for it in an export.
        file: one of `FILES`.

    Raises:
        BadInput: neither is there, or it has no such file.
    """
    if folder.is_dir():
        yield from _folder_lines(payload(folder) / file, file)
        return
    path = folder.parent.parent / FILES[file]
    if not path.is_file():
        raise BadInput(f"{folder}: no such folder; run the stage that writes it first")
    yield from _by_row(path, path.stat().st_mtime_ns).get(folder.name, [])


def score_values(folder: Path) -> pa.Table:
    """Return per-query values of a score folder, or of its export: the columns `VALUES`.

    Raises:
        BadInput: there are no such values, or the file is no such table.
    """
    if folder.is_dir():
        return read_per_query(payload(folder) / PER_QUERY, VALUES)
    path = folder.parent.parent / PER_QUERY
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        return _read_row(path, folder.name)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise BadInput(f"{path}: not a table of per-query values: {str(error).splitlines()[0]}") from error


def write(root: Path, steps: Mapping[str, Mapping[str, Any]], scores: Sequence[Path]) -> None:
    """Write an export; each file replaces an earlier one when it is whole.

    Args:
        root: folder of the export, such as `results/mini`.
        steps: manifest of every step, by STAGE/ROW.
        scores: score folders.
    """
    for file, target in FILES.items():
        lines = ({"row": path.name} | line for path in scores for _, line in score_lines(path, file))
        write_json_lines(root / target, lines, _SMALLEST)
    _write_values(root / PER_QUERY, {path.name: score_values(path) for path in scores})
    write_json_lines(root / MANIFESTS, ({"name": name, "manifest": steps[name]} for name in sorted(steps)), _SMALLEST)


def _folder_lines(path: Path, file: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if file in _OPTIONAL and not path.is_file():
        return
    if file.endswith(".json"):
        yield str(path), read_json_object(path)
    else:
        yield from ((f"{path}:{number}", line) for number, line in read_json_lines(path))


@lru_cache(maxsize=16)
def _manifests(path: Path, changed_at: int) -> dict[str, dict[str, Any]]:
    del changed_at
    manifests: dict[str, dict[str, Any]] = {}
    for number, line in read_json_lines(path):
        if not isinstance(line.get("manifest"), dict):
            raise bad_line(path, number, f"manifest is {line.get('manifest')!r:.60}")
        manifests[str(line.get("name"))] = upgrade(line["manifest"])
    return manifests


@lru_cache(maxsize=32)
def _by_row(path: Path, changed_at: int) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Lines of a file by the row that they bear."""
    del changed_at
    lines: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for number, line in read_json_lines(path):
        lines.setdefault(str(line.pop("row", "")), []).append((f"{path}:{number}", line))
    return lines


def _read_row(path: Path, row: str) -> pa.Table:
    metadata = pq.read_metadata(path)
    names = metadata.schema.names
    if row not in names:
        raise BadInput(f"{path}: no values of {row}")
    column = names.index(row)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    nulls = [group.column(column).statistics.null_count for group in groups]
    numbers = [number for number, group in enumerate(groups) if nulls[number] < group.num_rows]
    file = pq.ParquetFile(path, metadata=metadata, read_dictionary=_KEYS, pre_buffer=False)
    table = file.read_row_groups(numbers, columns=[*_KEYS, row], use_threads=False).unify_dictionaries()
    table = table.select([*_KEYS, row]).rename_columns([*_KEYS, "value"])
    return encoded(table.set_column(len(_KEYS), "value", table["value"].cast(pa.float64())), VALUES)


def _write_values(path: Path, tables: Mapping[str, pa.Table]) -> None:
    """Write the values. Rows with the same questions share a block; a value of another block is null."""
    texts = [pa.field(name, pa.string()) for name in _KEYS]
    value = pa.schema([*texts, pa.field("value", pa.float32())])
    # Values of one measure for the versions of one question are alike: side by side they compress better.
    order = [(name, "ascending") for name in ("measure", "candidate_language", "question_id", "query_language")]
    blocks: list[tuple[pa.Table, dict[str, pa.Array]]] = []
    for row, table in tables.items():
        rows = table.select(value.names).cast(value).sort_by(order)
        keys = rows.select(_KEYS)
        block = next((values for block_keys, values in blocks if block_keys.equals(keys)), None)
        if block is None:
            blocks.append((keys, block := {}))
        block[row] = rows["value"]
    schema = pa.schema([*texts, *(pa.field(row, pa.float32()) for row in tables)])
    options = {"compression": "zstd", "compression_level": _COMPRESSION, "use_dictionary": _KEYS}
    with new_file(path, "wb") as file, pq.ParquetWriter(file, schema, **options) as writer:
        for keys, values in blocks:
            absent = pa.nulls(len(keys), pa.float32())
            columns = [*keys.columns, *(values.get(row, absent) for row in tables)]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=len(keys))
