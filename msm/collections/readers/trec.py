"""Reads topics and passages in the files of TREC-like collections.

Topics are lines of `id<TAB>text`. Passages are JSON Lines with `id` and `contents` (a title, a blank line, a text), or
with `docid`, `title`, `text`; or lines of `id<TAB>text<TAB>title`. All may be compressed.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from msm.collections.collection import MULTILINGUAL, Draft, Pool
from msm.collections.layout import find_file, find_files, refuse_same_names
from msm.collections.passages import Read
from msm.collections.readers.passage_records import UNKNOWN_LANGUAGE, read_passage_records
from msm.collections.records import Passage, Qrel, Query
from msm.collections.text_lines import read_lines
from msm.collections.trec_files import read_qrels
from msm.errors import BadInput, bad_line
from msm.files import plain_name


class QueriesWithPassages(NamedTuple):
    """Queries, and the passages that they search."""

    queries: list[Query]
    passages: Read
    qrels: list[Qrel]


def read_topics(path: Path, language: str) -> list[Query]:
    """Read the queries of a topics file.

    Raises:
        BadInput: a line without a tab, an empty query, an id twice, or no line.
    """
    queries: dict[str, Query] = {}
    for number, (query_id, text) in _columns(path, 2):
        if not query_id or not text or query_id in queries:
            raise bad_line(path, number, f"an empty topic, or one that stands twice: {query_id!r}")
        queries[query_id] = Query(query_id, language, text)
    if not queries:
        raise BadInput(f"{path}: no topic")
    return list(queries.values())


def read_passages(paths: Sequence[Path], language: str) -> Iterator[Passage]:
    """Yield passages of collection files, in order, one at a time.

    Raises:
        BadInput: a line is no passage.
    """
    for path in paths:
        if plain_name(path).endswith((".tsv", ".txt")):
            for _, (passage_id, text, *title) in _columns(path, 3, least=2):
                yield Passage(passage_id, language, text, *title)
        else:
            yield from read_passage_records(path, language)


def read_folder(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read a collection in TREC files: one `topics*`, one `qrels*`, and `collection*` or `docs*`.

    All passages form one pool. Queries without judgements are left out. Nothing in these files
    says a language but the records of passages.

    Raises:
        BadInput: a file is missing, not the only one, or malformed.
    """
    del languages
    qrels = read_qrel_rows(find_file(folder, "qrels*"))
    judged_ids = {qrel.query_id for qrel in qrels}
    queries = [
        query for query in read_topics(find_file(folder, "topic*"), UNKNOWN_LANGUAGE) if query.query_id in judged_ids
    ]
    files = find_files(folder, "collection*.*", "docs*.*")
    if not files:
        raise BadInput(f"{folder}: no collection*.tsv or .jsonl, docs*.tsv or .jsonl here")
    refuse_same_names(files)
    passages = partial(read_passages, files, UNKNOWN_LANGUAGE)
    return Draft(queries, qrels, {None: passages}, [MULTILINGUAL])


def read_qrel_rows(path: Path) -> list[Qrel]:
    """Read the judgements of a TREC file."""
    qrels = read_qrels(path)
    queries = qrels.query_ids.take(pa.array(qrels.queries)).to_pylist()
    passages = qrels.passage_ids.take(pa.array(qrels.passages)).to_pylist()
    return [Qrel(*row) for row in zip(queries, passages, qrels.labels.tolist(), strict=True)]


def side_by_side(
    parts: Mapping[str, QueriesWithPassages], *, asked_in: str = "", are_translations: bool = False
) -> Draft:
    """Return a draft of languages side by side, each with its own queries and passages.

    Ids are those of the files where there is one language, else `LANGUAGE-ID`, since languages share ids.

    Args:
        parts: parts by the language of their passages.
        asked_in: language of all queries; empty where each is in the language of its passages.
        are_translations: whether queries of one id in two languages ask the same.
    """
    parts_in_order = {language: parts[language] for language in sorted(parts)}
    questions = [query.query_id for part in parts_in_order.values() for query in part.queries]
    if len(parts) > 1:
        parts_in_order = {language: _prefixed(part, language) for language, part in parts_in_order.items()}
    return Draft(
        [query for part in parts_in_order.values() for query in part.queries],
        [qrel for part in parts_in_order.values() for qrel in part.qrels],
        {language: part.passages for language, part in parts_in_order.items()},
        [Pool(f"pool.{language}", asked_in or language, language) for language in parts_in_order],
        questions if are_translations else None,
    )


def judged_queries(queries: Sequence[Query], qrels: Sequence[Qrel], path: Path) -> list[Query]:
    """Return the queries that have a judgement.

    Raises:
        BadInput: no query has a judgement.
    """
    judged_ids = {qrel.query_id for qrel in qrels}
    asked_queries = [query for query in queries if query.query_id in judged_ids]
    if not asked_queries:
        raise BadInput(f"{path}: no query here has a judgement")
    return asked_queries


def _prefixed(part: QueriesWithPassages, language: str) -> QueriesWithPassages:
    return QueriesWithPassages(
        [query._replace(query_id=f"{language}-{query.query_id}") for query in part.queries],
        partial(_prefixed_passages, part.passages, language),
        [Qrel(f"{language}-{qrel.query_id}", f"{language}-{qrel.passage_id}", qrel.label) for qrel in part.qrels],
    )


def _prefixed_passages(read_part: Read, language: str) -> Iterator[Passage]:
    return (passage._replace(passage_id=f"{language}-{passage.passage_id}") for passage in read_part())


def _columns(path: Path, most: int, least: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """Number and columns of every line that is not blank."""
    least = least or most
    for number, line in read_lines(path):
        if line.strip():
            columns = [column.strip() for column in line.split("\t")]
            if not least <= len(columns) <= most:
                raise bad_line(path, number, f"expected {least} columns with tabs between, got {len(columns)}")
            yield number, columns
