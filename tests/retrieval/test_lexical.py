import math
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from msm.collections.exact_ranks import read_exact_ranks
from msm.collections.measure_names import parse_measure
from msm.collections.registry import find_benchmark
from msm.collections.trec_files import read_run
from msm.evaluation.measures import evaluate
from msm.evaluation.ranks import Ties
from msm.retrieval import lexical
from msm.retrieval.analyzers import words
from msm.retrieval.lexical import Vocabulary, search
from msm.retrieval.settings import Lexical

SETTINGS = {"benchmark": "lareqa:own", "questions": "questions/test", "analyzer": "words", "k1": 1.2, "b": 0.75}
SETTINGS |= {"depth": 30, "pool_depth": 20, "passage_context": "none"}


def slow_bm25(query: list[str], passages: list[list[str]], k1: float, b: float) -> list[float]:
    """The formula, term by term."""
    mean = sum(map(len, passages)) / len(passages)
    scores = []
    for passage in passages:
        counts, score = Counter(passage), 0.0
        for term in query:
            holding = sum(term in other for other in passages)
            idf = math.log(1 + (len(passages) - holding + 0.5) / (holding + 0.5))
            score += idf * counts[term] / (counts[term] + k1 * (1 - b + b * len(passage) / mean))
        scores.append(score)
    return scores


def test_scores_equal_the_formula_and_strangers_are_not_retrieved() -> None:
    rng = np.random.default_rng(1)
    letters = list("abcdefghijklmnop")
    passages = [rng.choice(letters, rng.integers(1, 9)).tolist() for _ in range(40)]
    queries = [rng.choice([*letters, "never"], rng.integers(1, 5)).tolist() for _ in range(30)] + [["never"], []]
    vocabulary = Vocabulary("words")
    term_numbers = [[vocabulary.terms(" ".join(text)) for text in texts] for texts in (queries, passages)]
    places, scores = search(*term_numbers, k1=0.9, b=0.4, depth=8)
    for query, passages_of_query, values in zip(queries, places, scores, strict=True):
        expected = np.array(slow_bm25(query, passages, 0.9, 0.4))
        order = [place for place in np.argsort(-expected, kind="stable")[:8] if expected[place] > 0]
        assert (passages_of_query >= 0).sum() == len(order)
        np.testing.assert_allclose(values[: len(order)], expected[order], rtol=1e-5)
        np.testing.assert_allclose(expected[passages_of_query[: len(order)]], expected[order], rtol=1e-5)
        assert (values[len(order) :] == -np.inf).all()


def test_equal_scores_stand_in_the_order_of_the_passages() -> None:
    terms = [np.array([term], dtype=np.int32) for term in (1, 2, 1, 1, 3, 1)]
    places, _ = search(terms[:1], terms, k1=1.2, b=0.75, depth=3)
    assert places.tolist() == [[0, 2, 3]]


def test_measures_need_no_deep_run(sources: Path, tmp_path: Path) -> None:
    measures = [parse_measure(name) for name in ("map", "mrr", "recall@40", "ndcg")]
    collection = find_benchmark("lareqa:own").read(sources / "questions/test")
    for name, depth in (("shallow", 2), ("deep", len(collection.passages))):
        settings = Lexical(**SETTINGS | {"depth": depth, "pool_depth": depth})
        (tmp_path / name).mkdir()
        lexical.run(settings, sources=sources, out=tmp_path / name)
    for pool in collection.pools:
        qrels = collection.pool_qrels(pool)
        deep = read_run(tmp_path / "deep" / f"{pool.name}.trec.gz")
        ranks = read_exact_ranks(tmp_path / "shallow" / f"{pool.name}.ranks.parquet")
        assert (len(collection.pool_passages(pool)), False) == (ranks.pool, ranks.whole)
        for ties in get_args(Ties):
            expected = evaluate(qrels, deep, measures, ties=ties).measures
            values = evaluate(qrels, ranks, measures, ties=ties).measures
            for ours, theirs in zip(values, expected, strict=True):
                np.testing.assert_allclose(ours.values, theirs.values, atol=1e-12)
                assert not ours.blank


@pytest.mark.parametrize("context", ["none", "paragraph"])
def test_the_stage_writes_a_run_for_every_pool(sources: Path, tmp_path: Path, context: str) -> None:
    settings = Lexical(**SETTINGS | {"passage_context": context})
    facts = lexical.run(settings, sources=sources, out=tmp_path)
    collection = find_benchmark("lareqa:own").read(sources / "questions/test")
    assert (facts["queries"], facts["passages"]) == (len(collection.queries), len(collection.passages))
    texts = {p.passage_id: p.text + " " + p.context * (context == "paragraph") for p in collection.passages}
    question_texts = {query.query_id: query.text for query in collection.queries}
    languages = {passage.passage_id: passage.language for passage in collection.passages}
    for pool in collection.pools:
        run = read_run(tmp_path / f"{pool.name}.trec.gz")
        queries, passages = run.query_ids.to_pylist(), run.passage_ids.to_pylist()
        assert np.bincount(run.queries).max() <= (30 if pool.candidate_language is None else 20)
        for query, passage in zip(run.queries[:500], run.passages[:500], strict=True):
            assert set(words(question_texts[queries[query]])) & set(words(texts[passages[passage]]))
            assert pool.candidate_language in (None, languages[passages[passage]])
