import itertools
import math

import ir_measures
import numpy as np
import pyarrow as pa
import pytest
import pytrec_eval

from msm.collections.measure_names import Measure, parse_measure
from msm.collections.runs import Qrels, sorted_run
from msm.errors import BadInput
from msm.evaluation.measures import evaluate
from msm.evaluation.ranks import Ties
from tests.evaluation.samples import Sample

NAMES = [f"{name}@{cutoff}" for name in ("mrr", "recall", "ndcg", "map", "success") for cutoff in (1, 3, 10, 100)]
NAMES += ["mrr", "recall", "ndcg", "map", "success"]


def slow_value(name: str, labels: dict[str, int], ranking: list[str]) -> float:
    """One measure of one ranking, as the textbook says it."""
    name, _, cutoff = name.partition("@")
    top = ranking[: int(cutoff)] if cutoff else ranking
    relevant = [p for p, label in labels.items() if label >= 1]
    hits = [rank for rank, p in enumerate(top, start=1) if p in relevant]
    if not hits:
        return 0.0
    if name == "mrr":
        return 1 / hits[0]
    if name == "success":
        return 1.0
    if name == "recall":
        return len(hits) / len(relevant)
    if name == "map":
        return sum(n / rank for n, rank in enumerate(hits, start=1)) / len(relevant)
    best = sorted((label for label in labels.values() if label >= 1), reverse=True)[: int(cutoff) if cutoff else None]
    sum_of_gains = sum(labels[top[rank - 1]] / math.log2(rank + 1) for rank in hits)
    return sum_of_gains / sum(gain / math.log2(rank + 1) for rank, gain in enumerate(best, start=1))


def orders(sample: Sample, query: str, rule: str) -> list[str]:
    """The ranking of one query, sorted line by line."""
    scores, labels = sample.run.get(query, {}), sample.qrels[query]
    passages = [p for q, p, _ in sample.lines if q == query]
    gain = {p: max(labels.get(p, 0), 0) for p in passages}
    if rule == "trec":
        return sorted(sorted(passages, reverse=True), key=lambda p: -scores[p])
    if rule == "reversed":
        # As the official scorer of LAReQA ranks: the order of ascending scores, read from its end.
        return sorted(passages, key=lambda p: scores[p])[::-1]
    sign = {"list": 0, "optimistic": -1, "pessimistic": 1}[rule]
    return sorted(passages, key=lambda p: (-scores[p], sign * gain[p]))


@pytest.mark.parametrize("rule", ["trec", "list", "reversed", "optimistic", "pessimistic"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_value_equals_a_slow_loop_under_every_tie_rule(rule: Ties, seed: int) -> None:
    sample = Sample(seed)
    qrels, run = sample.arrays()
    evaluation = evaluate(qrels, run, [parse_measure(name) for name in NAMES], ties=rule)
    assert evaluation.queries.tolist() == list(range(len(sample.qrels)))
    for name, result in zip(NAMES, evaluation.measures, strict=True):
        expected = [slow_value(name, sample.qrels[q], orders(sample, q, rule)) for q in sample.qrels]
        np.testing.assert_allclose(result.values, expected, atol=1e-12, err_msg=name)


def descending(order: tuple[str, ...], scores: dict[str, float]) -> bool:
    return all(scores[first] >= scores[second] for first, second in itertools.pairwise(order))


@pytest.mark.parametrize("seed", [4, 5])
def test_a_query_is_tied_if_some_order_of_its_equal_scores_changes_the_value(seed: int) -> None:
    sample = Sample(seed, queries=25, passages=6, scores=3)
    qrels, run = sample.arrays()
    evaluation = evaluate(qrels, run, [parse_measure(name) for name in NAMES], ties="trec")
    for name, result in zip(NAMES, evaluation.measures, strict=True):
        for query, is_tied in zip(sample.qrels, result.is_tied, strict=True):
            scores = sample.run.get(query, {})
            rankings = [order for order in itertools.permutations(scores) if descending(order, scores)]
            values = {round(slow_value(name, sample.qrels[query], list(ranking)), 10) for ranking in rankings}
            assert is_tied == (len(values) > 1), (name, query)


@pytest.mark.parametrize(("seed", "scores"), [(6, 6), (7, 10**6)])
def test_values_equal_trec_eval(seed: int, scores: int) -> None:
    sample = Sample(seed, queries=200, passages=150, scores=scores)
    names = {
        "mrr": "recip_rank",
        "recall@10": "recall_10",
        "ndcg@10": "ndcg_cut_10",
        "ndcg": "ndcg",
        "map@20": "map_cut_20",
        "map": "map",
        "success@5": "success_5",
    }
    evaluator = pytrec_eval.RelevanceEvaluator(
        sample.qrels, {"recip_rank", "recall.10", "ndcg_cut.10", "ndcg", "map_cut.20", "map", "success.5"}
    )
    theirs = evaluator.evaluate(sample.run)
    ours = evaluate(*sample.arrays(), [parse_measure(name) for name in names], ties="trec").measures
    for result, their_name in zip(ours, names.values(), strict=True):
        expected = [theirs[q][their_name] if q in theirs else 0 for q in sample.qrels]
        np.testing.assert_allclose(result.values, expected, atol=1e-9, err_msg=their_name)


def test_means_equal_ir_measures() -> None:
    # Without ties: its RR@k cuts the run in another order than trec_eval sorts it.
    sample = Sample(8, queries=100, passages=60, scores=10**9)
    pairs = {"mrr@10": "RR@10", "map": "AP", "map@20": "AP@20", "ndcg@10": "nDCG@10", "recall@10": "R@10"}
    expected = ir_measures.calc_aggregate(
        [ir_measures.parse_measure(n) for n in pairs.values()], sample.qrels, sample.run
    )
    for result in evaluate(*sample.arrays(), [parse_measure(name) for name in pairs], ties="trec").measures:
        theirs = expected[ir_measures.parse_measure(pairs[str(result.measure)])]
        assert result.values.mean() == pytest.approx(theirs, abs=1e-9)


def test_scores_that_differ_only_beyond_float32_are_tied_as_in_trec_eval() -> None:
    qrels = Qrels(pa.array(["q"]), pa.array(["a"]), np.array([0]), np.array([0]), np.array([1]))
    run = sorted_run(["q"], ["a", "b"], np.array([0, 0]), np.array([0, 1]), np.array([1 + 1e-12, 1]))
    theirs = pytrec_eval.RelevanceEvaluator({"q": {"a": 1}}, {"recip_rank"}).evaluate({"q": {"a": 1 + 1e-12, "b": 1.0}})
    [result] = evaluate(qrels, run, [Measure("mrr", None)], ties="trec").measures
    assert result.values.tolist() == [theirs["q"]["recip_rank"]] == [0.5]
    assert result.is_tied.tolist() == [True]


def test_mean_divides_by_judged_queries() -> None:
    qrels = Qrels(
        pa.array(["a", "b", "none", "zero"]),
        pa.array(["x"]),
        np.array([0, 1, 3]),
        np.zeros(3, int),
        np.array([1, 1, 0]),
    )
    run = sorted_run(["a", "other"], ["x"], np.array([0, 1]), np.array([0, 0]), np.ones(2))
    evaluation = evaluate(qrels, run, [parse_measure("mrr@10")], ties="trec")
    assert evaluation.queries.tolist() == [0, 1, 3]
    assert evaluation.relevant.tolist() == [1, 1, 0]
    assert evaluation.measures[0].values.tolist() == [1, 0, 0]


def test_a_run_without_entries_scores_0() -> None:
    qrels = Qrels(pa.array(["a"]), pa.array(["x"]), np.array([0]), np.array([0]), np.array([1]))
    run = sorted_run(["a"], ["x"], np.empty(0, int), np.empty(0, int), np.empty(0))
    assert [
        result.values.tolist() for result in evaluate(qrels, run, [parse_measure("map")], ties="trec").measures
    ] == [[0]]


def test_measures_have_one_spelling() -> None:
    assert parse_measure("mrr@100") == Measure("mrr", 100)
    assert [str(parse_measure(name)) for name in NAMES] == NAMES
    for wrong in ("mrr@0", "mrr@-1", "mrr@1.5", "mrr@", "mrr@x", "mrr@²"):
        with pytest.raises(BadInput, match="cutoff of a measure must be a whole number of at least 1, got 'mrr@"):
            parse_measure(wrong)
    for wrong in ("mrrr@10", "q@5", ""):
        with pytest.raises(BadInput, match="unknown measure"):
            parse_measure(wrong)
