"""Writes collections in the formats of other programs.

| format | files |
|---|---|
| `beir` | `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv` |
| `trec` | `collection.jsonl`, `topics.tsv`, `qrels.txt` |

A benchmark of several pools becomes one folder a pool: BEIR and TREC collections rank all their candidates together.
Results go to MTEB by `msm.evaluation.mteb_results`.
"""

from collections.abc import Iterator
from pathlib import Path

from msm.collections.collection import Collection, Pool
from msm.collections.records import Passage, Query
from msm.collections.trec_files import write_qrels
from msm.errors import BadInput
from msm.files import new_file, new_files, write_json_lines


def write_collection(kind: str, collection: Collection, split: str, out: Path) -> None:
    """Write every pool of a collection.

    Args:
        kind: `beir` or `trec`.
        collection: collection to write.
        split: name of the file of judgements of `beir`.
        out: folder; with several pools, one is written below it for each.

    Raises:
        BadInput: an id or a text that the format cannot hold.
    """
    with new_files(out) as partial:
        for pool in collection.pools:
            folder = partial / pool.name if len(collection.pools) > 1 else partial
            queries = [collection.queries[position] for position in collection.pool_queries(pool)]
            passages = collection.passages.of(pool.candidate_language)
            if kind == "beir":
                _write_beir(folder, queries, passages, collection, pool, split)
            else:
                _write_trec(folder, queries, passages, collection, pool)


def _write_beir(
    folder: Path, queries: list[Query], passages: Iterator[Passage], collection: Collection, pool: Pool, split: str
) -> None:
    write_json_lines(
        folder / "corpus.jsonl",
        (
            {"_id": passage.passage_id, "title": passage.title, "text": passage.text, "language": passage.language}
            for passage in passages
        ),
    )
    rows = ({"_id": query.query_id, "text": query.text, "language": query.language} for query in queries)
    write_json_lines(folder / "queries.jsonl", rows)
    with new_file(folder / "qrels" / f"{split}.tsv") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        for query, passage, label in _judgements(collection, pool):
            file.write(f"{query}\t{passage}\t{label}\n")


def _write_trec(
    folder: Path, queries: list[Query], passages: Iterator[Passage], collection: Collection, pool: Pool
) -> None:
    write_json_lines(
        folder / "collection.jsonl",
        ({"docid": passage.passage_id, "title": passage.title, "text": passage.text} for passage in passages),
    )
    with new_file(folder / "topics.tsv") as file:
        for query in queries:
            if "\t" in query.text or "\n" in query.text:
                raise BadInput(f"query {query.query_id}: a topic can hold no tab and no line end: {query.text!r}")
            file.write(f"{query.query_id}\t{query.text}\n")
    write_qrels(folder / "qrels.txt", collection.pool_qrels(pool))


def _judgements(collection: Collection, pool: Pool) -> Iterator[tuple[str, str, int]]:
    qrels = collection.pool_qrels(pool)
    query_ids, passage_ids = qrels.query_ids.to_pylist(), qrels.passage_ids.to_pylist()
    for query, passage, label in zip(qrels.queries, qrels.passages, qrels.labels.tolist(), strict=True):
        yield query_ids[query], passage_ids[passage], label
