"""Collections and results in the formats of others.

| format | collection | results |
|---|---|---|
| `beir` | `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv` | - |
| `trec` | `collection.jsonl`, `topics.tsv`, `qrels.txt` | - |
| `mteb` | - | `MODEL/REVISION/TASK.json`, `MODEL/REVISION/model_meta.json` |

A benchmark of several pools becomes one folder a pool: BEIR and TREC collections rank all their candidates together.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msm.collections.collection import Collection, Pool
from msm.collections.records import Passage, Query
from msm.collections.runs import write_qrels
from msm.errors import BadInput
from msm.files import new_file, write_json, write_json_lines

NO_REVISION = "no_revision_available"


def write_collection(kind: str, collection: Collection, split: str, out: Path) -> None:
    """Write every pool of a collection.

    Args:
        kind: `beir` or `trec`.
        collection: as read.
        split: name of the file of judgements of `beir`.
        out: folder; with several pools, one is written below it for each.

    Raises:
        BadInput: an id or a text that the format cannot hold.
    """
    for pool in collection.pools:
        folder = out / pool.name if len(collection.pools) > 1 else out
        queries = [collection.queries[place] for place in collection.pool_queries(pool)]
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


def write_mteb(rows: Sequence[Mapping[str, Any]], out: Path) -> list[Path]:
    """Write score lines as MTEB's results: a file for each benchmark and model; means are left to MTEB.

    Args:
        rows: of `scores.jsonl`.
        out: folder of all results.

    Returns:
        The files of the tasks.

    Raises:
        BadInput: no row.
    """
    if not rows:
        raise BadInput("no scores")
    written = []
    for model, benchmark in dict.fromkeys((row["model"], row["benchmark"]) for row in rows):
        own = [row for row in rows if (row["model"], row["benchmark"]) == (model, benchmark)]
        folder = out / _file_name(model) / NO_REVISION
        splits = {row["split"]: _subsets([r for r in own if r["split"] == row["split"]]) for row in own}
        task = {
            "dataset_revision": own[0]["run_sha256"],
            "task_name": benchmark,
            "mteb_version": None,
            "scores": splits,
            "evaluation_time": None,
            "kg_co2_emissions": None,
        }
        write_json(folder / "model_meta.json", {"name": model, "revision": NO_REVISION, "framework": ["PyTorch"]})
        written.append(folder / f"{_file_name(benchmark)}.json")
        write_json(written[-1], task)
    return written


def _subsets(rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a pair of languages; the main score is the benchmark's first measure."""
    subsets: dict[tuple[str, str | None], dict[str, Any]] = {}
    for row in rows:
        languages = (row["query_language"], row["candidate_language"])
        if row["value"] is None or {"mean", "all"} & set(languages) or languages[1] in ("same", "other"):
            continue
        named = [language for language in dict.fromkeys(languages) if language]
        entry = subsets.setdefault(languages, {"hf_subset": "-".join(named), "languages": named})
        entry.setdefault("main_score", row["value"])
        entry[row["measure"].replace("@", "_at_")] = row["value"]
        entry["protocol"] = row["protocol"]
    whole = [entry for (_, candidates), entry in subsets.items() if candidates is None]
    for entry in whole:
        # A question among candidates of all languages is another task than among those of its own.
        entry["hf_subset"] += "-all" if len(whole) < len(subsets) else ""
    return list(subsets.values())


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "__", name)
