"""Measures against the scorers of others, on random runs with ties, several grades and missing questions.

trec_eval itself stands in test_measures. Scorers that break ties by chance get runs whose order is settled.
"""

import ir_measures
import numpy as np
import pytest

from msm.collections.measure_names import parse_measure
from msm.collections.runs import without_own_ids
from msm.evaluation.measures import evaluate
from tests.evaluation.samples import Sample

pytestmark = pytest.mark.slow
CUTOFFS = (1, 3, 10, 100)
SEEDS = (11, 12, 13)


@pytest.fixture(params=SEEDS)
def sample(request: pytest.FixtureRequest) -> Sample:
    """Some passages bear the id of a question."""
    base = Sample(request.param, queries=120, passages=60)
    names = {f"{'abc'[n % 3]}{n}": f"q{n}" for n in range(0, 60, 4)}
    base.run = {query: {names.get(p, p): score for p, score in scores.items()} for query, scores in base.run.items()}
    renamed_qrels = {query: {names.get(p, p): n for p, n in labels.items()} for query, labels in base.qrels.items()}
    # No question is answered by a passage with its own id.
    qrels = {query: {p: n for p, n in labels.items() if p != query} for query, labels in renamed_qrels.items()}
    base.qrels = {query: labels for query, labels in qrels.items() if labels}
    return base


def values(sample: Sample, names: list[str], *, own_ids: bool = True) -> dict[str, dict[str, float]]:
    """Ours, by measure and question."""
    qrels, run = sample.arrays()
    run = run if own_ids else without_own_ids(run)
    evaluation = evaluate(qrels, run, [parse_measure(name) for name in names], ties="trec")
    questions = [qrels.query_ids[place].as_py() for place in evaluation.queries]
    return {
        name: dict(zip(questions, result.values.tolist(), strict=True))
        for name, result in zip(names, evaluation.measures, strict=True)
    }


def settled(run: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The same order without ties: greater scores first, of equal ones the greater id."""
    orders = {query: sorted(scores, key=lambda p: (scores[p], p), reverse=True) for query, scores in run.items()}
    return {query: {p: float(len(order) - place) for place, p in enumerate(order)} for query, order in orders.items()}


def mean(of: dict[str, float], questions: set[str]) -> float:
    return float(np.mean([value for question, value in of.items() if question in questions]))


def test_ir_measures_gives_the_same_values(sample: Sample) -> None:
    theirs = {f"{ours}@{k}": f"{name}@{k}" for ours, name in NAMES.items() for k in CUTOFFS} | {
        "map": "AP",
        "mrr": "RR",
    }
    ours = values(sample, [*theirs])
    run = settled(sample.run)
    for name, their_name in theirs.items():
        measure = ir_measures.parse_measure(their_name)
        their_values = {one.query_id: one.value for one in measure.iter_calc(sample.qrels, run)}
        assert ours[name] == pytest.approx({q: their_values.get(q, 0.0) for q in sample.qrels}, abs=1e-9), name


NAMES = {"ndcg": "nDCG", "recall": "R", "precision": "P", "map": "AP", "success": "Success", "mrr": "RR"}


def test_ranx_gives_the_same_values(sample: Sample) -> None:
    ranx = pytest.importorskip("ranx")
    names = {"ndcg": "ndcg", "recall": "recall", "precision": "precision", "map": "map", "success": "hit_rate"}
    theirs = {f"{ours}@{k}": f"{name}@{k}" for ours, name in [*names.items(), ("mrr", "mrr")] for k in CUTOFFS}
    ours = values(sample, [*theirs])
    qrels = {query: {p: label for p, label in labels.items() if label > 0} for query, labels in sample.qrels.items()}
    qrels = {query: labels for query, labels in qrels.items() if labels}
    run = {query: scores for query, scores in settled(sample.run).items() if query in qrels}
    lists = ranx.Run(run | {query: {"none": 1.0} for query in qrels.keys() - run.keys()})
    ranx.evaluate(ranx.Qrels(qrels), lists, [*theirs.values()])
    for name, their_name in theirs.items():
        scores = lists.scores[their_name]
        assert {q: ours[name][q] for q in qrels} == pytest.approx({q: float(scores[q]) for q in qrels}, abs=1e-9), name
        # Questions that are judged 0 throughout count 0 here, and are none of ranx's.
        assert not any(ours[name][query] for query in sample.qrels.keys() - qrels.keys())


@pytest.mark.parametrize("own_ids", [True, False])
def test_beir_gives_the_same_means(sample: Sample, own_ids: bool) -> None:
    evaluation = pytest.importorskip("beir.retrieval.evaluation")
    prefixes = {"ndcg": "NDCG", "map": "MAP", "recall": "Recall", "precision": "P"}
    theirs = {f"{ours}@{k}": f"{name}@{k}" for ours, name in prefixes.items() for k in CUTOFFS}
    run = {query: dict(scores) for query, scores in sample.run.items()}
    groups = evaluation.EvaluateRetrieval.evaluate(sample.qrels, run, list(CUTOFFS), ignore_identical_ids=not own_ids)
    scores = {name: value for group in groups for name, value in group.items()}
    ours = values(sample, [*theirs], own_ids=own_ids)
    # Its mean leaves out the questions that the run lacks; ours counts them with 0.
    queries = {query for query, passages in run.items() if passages}
    for name, their_name in theirs.items():
        assert mean(ours[name], queries) == pytest.approx(scores[their_name], abs=6e-6), name


def test_mteb_gives_the_same_means(sample: Sample) -> None:
    metrics = pytest.importorskip("mteb._evaluators.retrieval_metrics")
    groups = {"ndcg": "ndcg", "map": "map", "recall": "recall", "precision": "precision", "success": "hit_rate"}
    run = {query: their_means for query, their_means in settled(sample.run).items() if query in sample.qrels}
    result = metrics.calculate_retrieval_scores(run, sample.qrels, list(CUTOFFS))
    ours = values(sample, [f"{name}@{k}" for name in (*groups, "mrr") for k in CUTOFFS])
    for name, group in {**groups, "mrr": "mrr"}.items():
        their_means = {their_name.rpartition("@")[2]: value for their_name, value in getattr(result, group).items()}
        for k in CUTOFFS:
            assert mean(ours[f"{name}@{k}"], set(run)) == pytest.approx(their_means[str(k)], abs=6e-6), name
