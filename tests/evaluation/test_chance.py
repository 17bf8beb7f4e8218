import numpy as np
import pyarrow as pa
import pytest

from msm.collections.measure_names import Measure
from msm.collections.runs import Qrels, ranked_run
from msm.evaluation.chance import CHANCE, chance
from msm.evaluation.measures import evaluate

CASES = [(1, 10, 3), (11, 40, 20), (4, 5, 5), (5, 5, 2), (1, 1, 1), (3, 30, None), (2, 6, 50)]


@pytest.mark.parametrize("name", CHANCE)
@pytest.mark.parametrize(("relevant", "passages", "cutoff"), CASES)
def test_it_is_the_mean_over_random_rankings(name: str, relevant: int, passages: int, cutoff: int | None) -> None:
    trials = 20000
    rankings = np.argsort(np.random.default_rng(1).random((trials, passages)), axis=1)
    query_ids, passage_ids = pa.array(map(str, range(trials))), pa.array(map(str, range(passages)))
    run = ranked_run(query_ids, passage_ids, rankings, np.tile(np.arange(passages)[::-1], (trials, 1)))
    queries = np.repeat(np.arange(trials), relevant)
    qrels = Qrels(query_ids, passage_ids, queries, np.tile(np.arange(relevant), trials), np.ones(len(queries), int))
    measure = Measure(name, cutoff)
    values = evaluate(qrels, run, [measure], ties="trec").measures[0].values
    expected = chance(measure, np.array([relevant]), passages)[0]
    assert values.mean() == pytest.approx(expected, abs=4.5 * values.std() / trials**0.5 + 1e-12)


def test_queries_may_differ_and_one_without_relevant_passages_scores_0() -> None:
    both = chance(Measure("map", 20), np.array([11, 0, 1, 11]), 13014)
    assert both[[1]] == 0
    assert both[0] == both[3] > both[2] > 0
