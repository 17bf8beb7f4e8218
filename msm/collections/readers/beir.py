"""BEIR's layout: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`. All passages form one pool.

Records may name their language in `language` or `lang`; without it, it is `und`. Queries without judgements are left
out, as in BEIR.

Source: arXiv:2104.08663; github.com/beir-cellar/beir.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import MULTILINGUAL, Draft
from msm.collections.layout import find_file, find_files
from msm.collections.readers.passage_records import UNKNOWN_LANGUAGE, id_of, passage_of, query_of
from msm.collections.records import Passage, Qrel, Query
from msm.collections.text_lines import read_lines
from msm.errors import BadInput, bad_line
from msm.files import plain_name, read_json_lines

JUDGED = "test"
"""Split whose questions are asked where none is named; a single file of judgements is taken whatever its name."""


def read(folder: Path, languages: Sequence[str] = (), split: str = "") -> Draft:
    """Read a collection in BEIR's layout.

    Args:
        folder: folder of the files.
        languages: languages of the questions that are kept; all where none is named.
        split: name of the file of judgements; empty for `test`, or for a single file.

    Raises:
        BadInput: a file is missing or malformed, or there twice.
    """
    qrels = read_judgements(_judgements_file(folder / "qrels", split))
    judged_ids = {qrel.query_id for qrel in qrels}
    queries = [query for query in _queries(folder, judged_ids) if not languages or query.language in languages]
    if languages:
        query_ids = {query.query_id for query in queries}
        qrels = [qrel for qrel in qrels if qrel.query_id in query_ids]
    return Draft(queries, qrels, {None: partial(read_corpus, folder)}, [MULTILINGUAL])


def read_corpus(folder: Path) -> Iterator[Passage]:
    """Yield the passages, one at a time.

    Raises:
        BadInput: the file is missing or malformed.
    """
    path = find_file(folder, "corpus.jsonl")
    for number, record in read_json_lines(path):
        yield passage_of(record, UNKNOWN_LANGUAGE, f"{path}:{number}")


def read_judgements(path: Path) -> list[Qrel]:
    """Read judgements: lines of `query-id corpus-id score` with tabs, below a header.

    Raises:
        BadInput: a malformed line, a passage with two labels for one query, or no line.
    """
    rows: dict[tuple[str, str], Qrel] = {}
    for number, line in read_lines(path):
        columns = line.split("\t")
        if not line.strip() or (number == 1 and columns[0] == "query-id"):
            continue
        if len(columns) != 3 or not columns[2].strip().lstrip("-").isdigit():
            raise bad_line(path, number, f"expected query, passage and a whole label with tabs, got {line[:60]!r}")
        qrel = Qrel(columns[0], columns[1], int(columns[2]))
        if rows.setdefault((qrel.query_id, qrel.passage_id), qrel) != qrel:
            raise bad_line(path, number, f"query {columns[0]}, passage {columns[1]}: with two labels")
    if not rows:
        raise BadInput(f"{path}: no judgement")
    return list(rows.values())


def _queries(folder: Path, judged_ids: set[str]) -> Iterator[Query]:
    path = find_file(folder, "queries.jsonl")
    for number, record in read_json_lines(path):
        where = f"{path}:{number}"
        if id_of(record, ("_id", "query_id", "qid", "id"), where) in judged_ids:
            yield query_of(record, UNKNOWN_LANGUAGE, where)


def _judgements_file(folder: Path, split: str) -> Path:
    if split:
        return find_file(folder, f"{split}.tsv")
    files = find_files(folder, "*.tsv")
    tests = [path for path in files if plain_name(path) == f"{JUDGED}.tsv"]
    if len(tests) != 1 and len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise BadInput(f"{folder}: expected {JUDGED}.tsv or one file of judgements, found {names}")
    return (tests or files)[0]
