"""Approximate indexes against brute force: their recall is what it says, by language."""

import json
from pathlib import Path

import numpy as np
import pytest

from msm.errors import BadInput
from msm.retrieval.approximate import INDEXES, build, found_shares, lines, nearest
from msm.retrieval.foreign import INDEXES_FILE
from msm.verbs.score import VectorFiles, score_on_benchmark

LANGUAGES = ("de", "en")


def unit(random: np.random.Generator, count: int) -> np.ndarray:
    values = random.standard_normal((count, 16)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.mark.parametrize("kind", INDEXES)
def test_an_index_finds_most_and_its_places_are_those_of_the_collection(kind: str) -> None:
    random = np.random.default_rng(0)
    passages, queries = unit(random, 3000), unit(random, 40)
    places = np.arange(3000) * 2 + 1
    exact = places[np.argsort(-(queries @ passages.T), axis=1)[:, :10]]
    best = nearest(build(kind, lambda part: passages[part], 3000), queries, 10, places)
    shares = found_shares(exact, best)
    assert shares.mean() > (0.95 if kind == "hnsw" else 0.2)
    assert shares[3] == len(set(exact[3]) & set(best[3])) / 10


@pytest.mark.parametrize("count", [1, 5, 100])
@pytest.mark.parametrize("kind", INDEXES)
def test_few_passages_are_indexed_too(kind: str, count: int) -> None:
    passages = unit(np.random.default_rng(1), count)
    index = build(kind, lambda part: passages[part], count)
    assert set(nearest(index, passages, count, np.arange(count)).ravel().tolist()) <= {-1, *range(count)}


def test_recall_stands_beside_the_runs_by_language(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    ids = {"corpus": [f"p{number}" for number in range(60)], "queries": [f"q{number}" for number in range(8)]}
    for name, texts in ids.items():
        rows = [{"_id": text, "language": LANGUAGES[place % 2], "text": text} for place, text in enumerate(texts)]
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        np.savez(tmp_path / f"{name}.npz", ids=np.array(texts), vectors=unit(random, len(texts)))
    qrels = "".join(f"{query}\tp{place}\t1\n" for place, query in enumerate(ids["queries"]))
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels)
    queries, passages = tmp_path / "queries.npz", tmp_path / "corpus.npz"
    system = VectorFiles(queries=queries, passages=passages, depth=5, indexes=("hnsw",))
    score_on_benchmark(system, "own", data, tmp_path / "out", format="beir")
    rows = [json.loads(line) for line in (tmp_path / "out" / "runs" / INDEXES_FILE).read_text().splitlines()]
    assert all(row["languages"] == {"de": 1.0, "en": 1.0} and row["depth"] == 5 for row in rows)
    assert [row["pool"] for row in rows] == ["multilingual"]
    head, line = lines(rows)
    assert head.split()[-3:] == ["mean", "de", "en"]
    assert line.split()[4:7] == ["100.0", "100.0", "100.0"]
    with pytest.raises(BadInput, match="--index must be one of hnsw, ivf_pq, got 'lsh'"):
        VectorFiles(queries=queries, passages=passages, indexes=("lsh",))
