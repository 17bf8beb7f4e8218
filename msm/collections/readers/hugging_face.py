"""Reads a data set of the Hugging Face hub on disk, in the layout of MTEB and BEIR: passages, questions, judgements.

| files, anywhere below the folder | fields |
|---|---|
| `corpus/*` or `*corpus*` | `_id` (or `docid`, `id`), `title`, `text` |
| `queries/*` or `*queries*` | `_id` (or `query_id`), `text` (or `query`) |
| `qrels/*`, `default/*` or `*qrels*` | `query-id`, `corpus-id`, `score` |

All are Parquet or JSON Lines, in any number of shards; of several splits of judgements, `test` is read. Records may
name their language. Queries without judgements are left out.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msm.collections.collection import MULTILINGUAL, Draft
from msm.collections.layout import find_files, refuse_same_names
from msm.collections.readers.passage_records import UNKNOWN_LANGUAGE, id_of, passage_of, query_of
from msm.collections.records import Passage, Qrel
from msm.collections.rows import ENDINGS, read_rows
from msm.errors import BadInput
from msm.files import plain_name

QUERY_IDS, PASSAGE_IDS = ("query-id", "query_id", "qid"), ("corpus-id", "corpus_id", "docid", "passage_id", "pid")
LABELS = ("score", "label", "relevance")


def read(folder: Path, languages: Sequence[str] = (), split: str = "test") -> Draft:
    """Read a collection of passages, questions and judgements.

    Args:
        folder: folder of the data set.
        languages: languages of the questions that are kept; all where none is named.
        split: split of the judgements, where there are several.

    Raises:
        BadInput: a kind of file is missing, or a record is of another form.
    """
    qrels = [qrel_of(row, where) for where, row in _rows(_split(_shards(folder, "qrels", "default"), split))]
    judged_ids = {qrel.query_id for qrel in qrels}
    queries = [query_of(row, UNKNOWN_LANGUAGE, where) for where, row in _rows(_shards(folder, "queries"))]
    asked_queries = [
        query for query in queries if query.query_id in judged_ids and (not languages or query.language in languages)
    ]
    query_ids = {query.query_id for query in asked_queries} if languages else judged_ids
    qrels = [qrel for qrel in qrels if qrel.query_id in query_ids]
    return Draft(asked_queries, qrels, {None: partial(_passages, _shards(folder, "corpus"))}, [MULTILINGUAL])


def _passages(shards: list[Path]) -> Iterator[Passage]:
    return (passage_of(row, UNKNOWN_LANGUAGE, where) for where, row in _rows(shards))


def _rows(shards: list[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    return (row for path in shards for row in read_rows(path))


def _shards(folder: Path, *kinds: str) -> list[Path]:
    """Return the files of the first kind that exists: in a folder of its name, or with its name in their own."""
    for kind in kinds:
        for pattern in (f"{kind}/*", f"*{kind}*"):
            if files := find_files(folder, *(f"{pattern}{ending}" for ending in ENDINGS), deep=True):
                refuse_same_names(files)
                return files
    raise BadInput(f"{folder}: no {' or '.join(kinds)} here ({kinds[0]}/*.parquet or .jsonl)")


def _split(shards: list[Path], split: str) -> list[Path]:
    """Return the files with a split in their names, as a word of them; all files where none has."""
    split_files = [path for path in shards if split in plain_name(path).replace("-", ".").replace("_", ".").split(".")]
    return split_files or shards


def qrel_of(row: dict[str, Any], where: str) -> Qrel:
    """Return the judgement of a record.

    Raises:
        BadInput: an id or a whole label is missing.
    """
    label = next((row[name] for name in LABELS if name in row), None)
    if not isinstance(label, int | float) or label != int(label):
        raise BadInput(f"{where}: a judgement needs a whole number as {LABELS[0]}, got {label!r:.60}")
    return Qrel(id_of(row, QUERY_IDS, where), id_of(row, PASSAGE_IDS, where), int(label))
