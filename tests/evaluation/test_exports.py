"""Exports are read back, and MTEB's results have the fields that MTEB checks."""

import json
from pathlib import Path

import pytest

from msm.cli.main import main
from msm.collections.collection import Collection
from msm.collections.registry import find_benchmark


def judged(collection: Collection) -> set[tuple[str, str, int]]:
    qrels = collection.qrels
    queries, passages = qrels.query_ids.to_pylist(), qrels.passage_ids.to_pylist()
    triples = zip(qrels.queries, qrels.passages, qrels.labels.tolist(), strict=True)
    return {(queries[query], passages[passage], label) for query, passage, label in triples}


@pytest.mark.parametrize("kind", ["beir", "trec"])
def test_an_exported_collection_reads_as_the_same(sources: Path, tmp_path: Path, kind: str) -> None:
    data = sources / "questions" / "test"
    main(["export", "--format", kind, "--benchmark", "lareqa:own", "--data", str(data), "--out", str(tmp_path)])
    before = find_benchmark("lareqa:own").read(data)
    after = find_benchmark(f"{kind}:own").read(tmp_path / "multilingual")
    assert judged(after) == judged(before)
    assert {query[::2] for query in after.queries} == {query[::2] for query in before.queries}
    assert {(p.passage_id, p.text, p.title) for p in after.passages} == {
        (p.passage_id, p.text, p.title) for p in before.passages
    }
    assert {path.name for path in tmp_path.iterdir()} == {pool.name for pool in before.pools}


def test_mteb_results(tmp_path: Path) -> None:
    row = {"benchmark": "toy", "split": "test", "setting": "zero-shot", "model": "a/b", "seed": 1, "queries": 3}
    row |= {"tied": 0, "protocol": "p", "run_sha256": "0"}
    cells = [("sw", None, "mrr@100", 0.5), ("sw", None, "recall@100", 0.7), ("mean", None, "mrr@100", 0.5)]
    cells += [("sw", "sw", "mrr@100", 0.6), ("sw", "en", "mrr@100", 0.1), ("sw", "other", "mrr@100", 0.1)]
    names = ("query_language", "candidate_language", "measure", "value")
    lines = [json.dumps(row | dict(zip(names, cell, strict=True))) + "\n" for cell in cells]
    (tmp_path / "scores.jsonl").write_text("".join(lines))
    main(["export", "--format", "mteb", "--scores", str(tmp_path), "--out", str(tmp_path / "results")])
    task = json.loads((tmp_path / "results" / "a__b" / "seed_1" / "toy.json").read_text())
    assert set(task) >= {"dataset_revision", "task_name", "mteb_version", "scores", "evaluation_time"}
    entries = {entry["hf_subset"]: entry for entry in task["scores"]["test"]}
    assert {name: entry["main_score"] for name, entry in entries.items()} == {"sw-all": 0.5, "sw": 0.6, "sw-en": 0.1}
    assert entries["sw-all"]["recall_at_100"] == 0.7 and entries["sw-en"]["languages"] == ["swa-Latn", "eng-Latn"]
    assert all(isinstance(entry["languages"], list) for entry in entries.values())
