"""Topics and passages in the files of TREC-like collections, and a collection made of them.

Topics are lines of `id<TAB>text`. Passages are JSON Lines with `id` and `contents` (a title, a blank line, a text), or
with `docid`, `title`, `text`; or lines of `id<TAB>text<TAB>title`. All may be `.gz`.

Shapes: J judgements.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from msm.collections.collection import Collection, Pool
from msm.collections.passages import Passages, Read
from msm.collections.records import Passage, Qrel, Query
from msm.collections.runs import Qrels, read_qrels
from msm.collections.text_lines import read_lines
from msm.errors import BadInput, bad_line
from msm.files import read_json_lines


class Part(NamedTuple):
    """Queries and the passages they are asked of."""

    queries: list[Query]
    passages: Read
    qrels: list[Qrel]


def read_topics(path: Path, language: str) -> list[Query]:
    """Queries of a topics file.

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
    """Passages of collection files, in order, one at a time.

    Raises:
        BadInput: a line that is no passage.
    """
    for path in paths:
        if path.name.removesuffix(".gz").endswith((".tsv", ".txt")):
            for _, (passage_id, text, *title) in _columns(path, 3, least=2):
                yield Passage(passage_id, language, text, *title)
        else:
            for number, record in read_json_lines(path):
                yield _passage(record, language, f"{path}:{number}")


def read_qrel_rows(path: Path) -> list[Qrel]:
    """Judgements of a TREC file."""
    qrels = read_qrels(path)
    queries = qrels.query_ids.take(pa.array(qrels.queries)).to_pylist()
    passages = qrels.passage_ids.take(pa.array(qrels.passages)).to_pylist()
    return [Qrel(*row) for row in zip(queries, passages, qrels.labels.tolist(), strict=True)]


def monolingual(parts: dict[str, Part]) -> Collection:
    """A collection in which every language has its own queries and candidates.

    Ids are those of the files where there is one language, else `LANGUAGE-ID`, since languages share ids.

    Args:
        parts: by language.

    Raises:
        BadInput: a judged passage or query that is not there.
    """
    if len(parts) > 1:
        parts = {language: _prefixed(part, language) for language, part in parts.items()}
    ordered = [parts[language] for language in sorted(parts)]
    pools = [Pool(f"pool.{language}", language, language) for language in sorted(parts)]
    return assemble(
        list(chain.from_iterable(part.queries for part in ordered)),
        {language: parts[language].passages for language in sorted(parts)},
        list(chain.from_iterable(part.qrels for part in ordered)),
        pools,
    )


def assemble(
    queries: list[Query],
    parts: Mapping[str | None, Read],
    qrels: list[Qrel],
    pools: list[Pool],
    clusters: Sequence[str] = (),
) -> Collection:
    """A collection of queries that are no translations of each other.

    A passage that is judged irrelevant need not be there.

    Args:
        queries: of all languages.
        parts: the candidates, as `Passages` takes them.
        qrels: judgements.
        pools: what is ranked against what.
        clusters: the text that each query is about; empty where each question stands alone.

    Raises:
        BadInput: an id twice, or a judged query or relevant passage that is not there.
    """
    query_places = _query_places(queries)
    for qrel in qrels:
        if qrel.query_id not in query_places:
            raise BadInput(f"judged query {qrel.query_id} is not among the queries")
    passages = Passages(parts, (qrel.passage_id for qrel in qrels))
    passage_places = {passage_id: place for place, passage_id in enumerate(passages.languages)}
    for qrel in qrels:
        if qrel.passage_id not in passage_places and qrel.label >= 1:
            raise BadInput(f"passage {qrel.passage_id}, relevant to query {qrel.query_id}, is not in the corpus")
    rows = [
        (query_places[qrel.query_id], passage_places[qrel.passage_id], qrel.label)
        for qrel in qrels
        if qrel.passage_id in passage_places
    ]
    asked, answering, labels = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    judged = Qrels(pa.array(query_places, pa.string()), pa.array(passage_places, pa.string()), asked, answering, labels)
    questions = [f"{query.language}-{query.query_id}" for query in queries]
    return Collection(queries, questions, passages, judged, pools, clusters=clusters)


def _query_places(queries: list[Query]) -> dict[str, int]:
    places: dict[str, int] = {}
    for place, query in enumerate(queries):
        if places.setdefault(query.query_id, place) != place:
            raise BadInput(f"query id stands twice: {query.query_id}")
    return places


def _prefixed(part: Part, language: str) -> Part:
    return Part(
        [query._replace(query_id=f"{language}-{query.query_id}") for query in part.queries],
        partial(_prefixed_passages, part.passages, language),
        [Qrel(f"{language}-{qrel.query_id}", f"{language}-{qrel.passage_id}", qrel.label) for qrel in part.qrels],
    )


def _prefixed_passages(read: Read, language: str) -> Iterator[Passage]:
    return (passage._replace(passage_id=f"{language}-{passage.passage_id}") for passage in read())


def _columns(path: Path, most: int, least: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """Number and columns of every line that is not blank."""
    least = least or most
    for number, line in read_lines(path):
        if line.strip():
            columns = [column.strip() for column in line.split("\t")]
            if not least <= len(columns) <= most:
                raise bad_line(path, number, f"expected {least} columns with tabs between, got {len(columns)}")
            yield number, columns


def _passage(record: dict[str, Any], language: str, where: str) -> Passage:
    names = [name for name in ("id", "docid", "_id") if name in record]
    texts = [record.get(name, "") for name in ("contents", "title", "text")]
    if not names or not all(isinstance(text, str) for text in texts) or not ("contents" in record or "text" in record):
        raise BadInput(f"{where}: a passage needs `id` and `contents`, or `docid`, `title` and `text`")
    contents, title, text = texts
    if "contents" in record:
        # As in MSM's code: the first two parts; what stands behind a second blank line is dropped.
        title, text = [*contents.split("\n\n"), ""][:2] if "\n\n" in contents else ("", contents)
    return Passage(str(record[names[0]]), language, text.strip(), title.strip())
