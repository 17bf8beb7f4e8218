"""Reads runs that other programs wrote, as they are.

Text, with columns:
`query Q0 passage rank score tag`: trec_eval's, which Pyserini, Anserini, PyTerrier, ranx and most others write;
`query<tab>passage<tab>score`: Tevatron (`--save_text`);
`query<tab>passage<tab>rank`: Pyserini's `--output-format msmarco`, where the third column counts from 1 in every query;
`query<tab>passage<tab>rank<tab>score`: tools of MS MARCO.

`.jsonl`: lines of `{"query_id": ..., "results": [{"corpus_id": ..., "score": ...}]}`, the predictions of
sentence-transformers' `InformationRetrievalEvaluator`.

`.json`: `{"query": {"passage": score}}`, as BEIR and ranx have it; or a list for each query in the order of the
benchmark, `[[{"id": ..., "score": ...}]]`, which PyLate's `retrieve` and sentence-transformers' `semantic_search`
return. In the latter a `corpus_id` is the position of the passage, counted from 0.

All may be compressed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from msm.collections.runs import Run, sorted_run
from msm.collections.text_lines import read_lines
from msm.collections.trec_files import read_run
from msm.errors import BadInput, bad_line
from msm.files import plain_name, read_json, read_json_lines

Entry = tuple[str, str, float]
"""Query id, passage id and score."""
_NAMES = ("id", "corpus_id", "passage_id", "docid", "doc_id")
"""Names of the id of a passage in JSON."""


def read_foreign_run(path: Path, query_ids: Sequence[str], passage_ids: Sequence[str]) -> Run:
    """Read the run of a file of any of the forms above.

    Args:
        path: file of the run.
        query_ids: ids of the benchmark's queries in its order; lists without ids are of these queries.
        passage_ids: ids of the benchmark's passages in its order; a whole number in place of an id stands for one of
            these.

    Raises:
        BadInput: no such file, one of another form, a score that is not finite, or a passage twice for one query; the
            message names the line or the query.
    """
    kind = plain_name(path)
    if kind.endswith(".jsonl"):
        return _joined(path, _predictions(path))
    if kind.endswith(".json"):
        return _joined(path, _json(path, query_ids, passage_ids))
    columns = _columns(path)
    if columns in (3, 4):
        return _joined(path, _table(path, columns))
    return read_run(path)


def _columns(path: Path) -> int:
    """Return the number of columns, with tabs between, of the first line that is not blank; 0 where there is none."""
    return next((len(line.split("\t")) for _, line in read_lines(path) if line.strip()), 0)


def _table(path: Path, columns: int) -> Iterator[Entry]:
    rows = [(number, line.split("\t")) for number, line in read_lines(path) if line.strip()]
    for number, row in rows:
        if len(row) != columns:
            raise bad_line(path, number, f"expected {columns} columns with tabs between, got {len(row)}")
    holds_ranks = columns == 3 and _are_ranks([(row[0], row[2]) for _, row in rows])
    for number, row in rows:
        score = _number(row[-1])
        if score is None:
            raise bad_line(path, number, f"score is not a finite number: {row[-1]}")
        yield row[0], row[1], -score if holds_ranks else score


def _are_ranks(values: Iterable[tuple[str, str]]) -> bool:
    """Whether the values count 1, 2, 3 ... for each query."""
    for _, group in groupby(values, key=lambda value: value[0]):
        if any(text != str(rank) for rank, (_, text) in enumerate(group, start=1)):
            return False
    return True


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _predictions(path: Path) -> Iterator[Entry]:
    for number, row in read_json_lines(path):
        if "query_id" not in row or not isinstance(row.get("results"), list):
            raise bad_line(path, number, "expected query_id and a list of results")
        for result in row["results"]:
            passage_id, score = _found(result, f"{path}:{number}")
            yield str(row["query_id"]), str(passage_id), score


def _json(path: Path, query_ids: Sequence[str], passage_ids: Sequence[str]) -> Iterator[Entry]:
    for query_id, results in _by_query(path, query_ids).items():
        where = f"{path}: query {query_id}"
        if isinstance(results, dict):
            results = [{"id": passage_id, "score": score} for passage_id, score in results.items()]
        if not isinstance(results, list):
            raise BadInput(f"{where}: expected passages with scores")
        for result in results:
            passage_id, score = _found(result, where)
            if isinstance(passage_id, int):
                if not 0 <= passage_id < len(passage_ids):
                    raise BadInput(f"{where}: passage {passage_id} of {len(passage_ids)}")
                passage_id = passage_ids[passage_id]
            yield query_id, passage_id, score


def _by_query(path: Path, query_ids: Sequence[str]) -> dict[str, Any]:
    """Return the results of each query in a JSON file."""
    value = read_json(path)
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise BadInput(f"{path}: expected scores by query and passage, or a list for each query")
    if len(value) != len(query_ids):
        raise BadInput(f"{path}: {len(value)} lists for {len(query_ids)} queries of the benchmark")
    return dict(zip(query_ids, value, strict=True))


def _found(result: Any, where: str) -> tuple[str | int, float]:
    """Id, or position, of a passage, and its score."""
    name = next((name for name in _NAMES if isinstance(result, Mapping) and name in result), None)
    if name is None or not isinstance(result[name], str | int) or isinstance(result[name], bool):
        raise BadInput(f"{where}: a passage must have an id ({', '.join(_NAMES)}), got {str(result)[:60]}")
    score = _number(str(result.get("score")))
    if score is None:
        raise BadInput(f"{where}: passage {result[name]}: score is not a finite number: {result.get('score')}")
    return result[name], score


def _joined(path: Path, entries: Iterable[Entry]) -> Run:
    """Return entries as a run, in the order of the file.

    Raises:
        BadInput: there are none, or a passage twice for one query.
    """
    queries: dict[str, int] = {}
    passages: dict[str, int] = {}
    rows, columns, scores, pairs = [], [], [], set()
    for query_id, passage_id, score in entries:
        pair = queries.setdefault(query_id, len(queries)), passages.setdefault(passage_id, len(passages))
        if pair in pairs:
            raise BadInput(f"{path}: query {query_id}, passage {passage_id}: twice in the run")
        pairs.add(pair)
        rows.append(pair[0])
        columns.append(pair[1])
        scores.append(score)
    if not rows:
        raise BadInput(f"{path}: no passage for any query")
    return sorted_run(list(queries), list(passages), np.array(rows), np.array(columns), np.array(scores))
