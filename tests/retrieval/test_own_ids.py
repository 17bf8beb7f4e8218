"""Exact ranks where the passage with the question's own id is dropped, as in ArguAna and Quora."""

import json
from pathlib import Path

import numpy as np
import pytest

from msm.collections.collection import Collection
from msm.collections.exact_ranks import ExactRanks, read_exact_ranks
from msm.collections.measure_names import parse_measure
from msm.collections.registry import find_benchmark
from msm.collections.run_folder import ranks_file
from msm.collections.trec_files import read_run
from msm.evaluation.measures import evaluate
from msm.retrieval import lexical
from msm.retrieval.ranking import search_vectors
from msm.retrieval.settings import Lexical

MEASURES = [parse_measure(name) for name in ("map", "mrr", "recall@100", "ndcg")]
PASSAGES = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Every question is a passage too; its answers are two others."""
    rng = np.random.default_rng(1)
    words = [" ".join(rng.choice(list("abcdefghij"), 4)) for _ in range(PASSAGES)]
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    rows = [{"_id": f"d{number}", "title": "", "text": text} for number, text in enumerate(words)]
    (data / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries = [{"_id": row["_id"], "text": row["text"]} for row in rows[:20]]
    (data / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    pairs = [(n, other) for n in range(20) for other in rng.choice(np.delete(np.arange(PASSAGES), n), 2, replace=False)]
    lines = "".join(f"d{query}\td{passage}\t1\n" for query, passage in pairs)
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    return data


def check(collection: Collection, scores: np.ndarray, ranks: ExactRanks) -> None:
    """Counts against those of a loop over all other passages but the question's own."""
    ids = [passage.passage_id for passage in collection.passages]
    for row, (query, passage) in enumerate(zip(ranks.queries, ranks.passages, strict=True)):
        query_id, name = ranks.query_ids[int(query)].as_py(), ranks.passage_ids[int(passage)].as_py()
        number, place = int(query_id[1:]), ids.index(name)
        others = [other for other in range(PASSAGES) if other != place and ids[other] != query_id]
        twins = [other for other in others if scores[number, other] == scores[number, place]]
        assert ranks.counts[row].tolist() == [
            sum(scores[number, other] > scores[number, place] for other in others),
            len(twins),
            sum(ids[other] > name for other in twins),
            sum(other < place for other in twins),
        ]


def test_of_vectors(folder: Path) -> None:
    collection = find_benchmark("beir:own").read(folder)
    rng = np.random.default_rng(2)
    passages = rng.integers(-2, 3, (PASSAGES, 4)).astype(np.float32)
    queries = passages[:20]
    [pool] = collection.pools
    ranking = search_vectors(collection, queries, lambda which: passages[which], {pool: 3})
    ranks = ranking.exact_ranks(pool)
    assert len(ranks.queries) == 40
    check(collection, queries @ passages.T, ranks)
    run = ranking.run(pool)
    assert np.bincount(run.queries).tolist() == [3] * 20
    assert all(
        run.query_ids[int(query)] != run.passage_ids[int(passage)]
        for query, passage in zip(run.queries, run.passages, strict=True)
    )


def test_of_bm25_they_give_what_the_whole_run_gives(folder: Path, tmp_path: Path) -> None:
    collection = find_benchmark("beir:own").read(folder)
    [pool] = collection.pools
    ranks = {}
    for depth in (2, PASSAGES):
        out = tmp_path / str(depth)
        out.mkdir()
        settings = Lexical(benchmark="beir:own", questions="data", analyzer="characters", depth=depth, pool_depth=depth)
        lexical.run(settings, sources=folder.parent, out=out)
        run = read_run(out / f"{pool.name}.trec.gz")
        ranks[depth] = (run, read_exact_ranks(ranks_file(out, pool)))
    qrels = collection.pool_qrels(pool)
    for ours, whole in zip(
        evaluate(qrels, ranks[2][1], MEASURES, ties="trec").measures,
        evaluate(qrels, ranks[PASSAGES][0], MEASURES, ties="trec").measures,
        strict=True,
    ):
        np.testing.assert_allclose(ours.values, whole.values, atol=1e-12)
        assert not ours.blank
