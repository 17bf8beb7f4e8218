"""Measures of language fairness: by hand, against the published package, and against scipy."""

import random

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats

from msm.collections.collection import Collection, Pool
from msm.collections.measure_names import FAIRNESS, SPLIT
from msm.collections.passages import Passages
from msm.collections.records import Passage, Query
from msm.collections.runs import Qrels, sorted_run
from msm.evaluation.fairness import fairness, mean_rank_correlation

LANGUAGES = ("de", "en", "fr")
PASSAGES = 12
"""Of each language."""


def language_of(passage_id: str) -> str:
    return passage_id[:2]


def measured(
    relevant: dict[str, dict[str, int]], rankings: dict[str, list[str]], questions: list[str] | None = None
) -> dict[str, np.ndarray]:
    """Values of queries that are named by their language, as `de-1`."""
    texts = {
        language: [Passage(f"{language}{number:02}", language, "text") for number in range(PASSAGES)]
        for language in LANGUAGES
    }
    ids = [passage.passage_id for language in LANGUAGES for passage in texts[language]]
    names = list(relevant)
    rows = [(names.index(query), ids.index(name), label) for query in names for name, label in relevant[query].items()]
    qrels = Qrels(pa.array(names), pa.array(ids), *np.array(rows, np.int64).T)
    passages = Passages({language: texts[language].copy for language in LANGUAGES}, ids)
    queries = [Query(name, language_of(name), "?") for name in names]
    pools = [Pool("multilingual", None, None)]
    collection = Collection(queries, questions or names, passages, qrels, pools)
    entries = [
        (names.index(query), ids.index(name), -rank) for query in names for rank, name in enumerate(rankings[query])
    ]
    query_numbers, passage_numbers, scores = np.array(entries, np.int64).reshape(-1, 3).T
    run = sorted_run(pa.array(names), pa.array(ids), query_numbers, passage_numbers, scores.astype(np.float32))
    return fairness(collection, run, {name: language_of(name) for name in ids})


def test_measures_by_hand() -> None:
    relevant = {
        "de-1": {"de00": 1, "en00": 1, "fr00": 1},
        "en-1": {"de00": 1, "en00": 1, "fr00": 1},
        "fr-1": {"fr01": 1},
    }
    rankings = {"de-1": ["en00", "de00", "de05"], "en-1": ["en05", "en00", "de00"], "fr-1": []}
    values = measured(relevant, rankings, ["1", "1", "2"])
    assert list(values) == list(FAIRNESS)
    # Of the two relevant passages in other languages: en00 is found; de00 is; fr-1 has none.
    assert values["other_languages_recall@20"] == pytest.approx([1 / 2, 1 / 2, np.nan], nan_ok=True)
    assert values["own_first@100"] == pytest.approx([0, 1, np.nan], nan_ok=True)
    split = np.stack([values[name] for name in SPLIT], axis=1)
    assert split.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    # Ranks 2, 1 and (2 * 3 + 1 + 1) / 2 = 4 in three groups of one: H = 2, and P(chi2 of 2 > 2) = exp(-1).
    assert values["peer@20"] == pytest.approx([np.exp(-1), np.exp(-1), 1])
    # Union: en00, de00, de05, en05 with ranks 1 2 3 4 and 2 3 4 1: 1 - 6 * (1 + 1 + 1 + 9) / (4 * 15) = -.2.
    assert values["mrc@20"] == pytest.approx([-0.2, -0.2, np.nan], nan_ok=True)


@pytest.mark.parametrize("labels", [(0, 1), (0, 1, 2)])
def test_peer_equals_the_published_package(labels: tuple[int, ...]) -> None:
    peer_measure = pytest.importorskip("peer_measure")
    rng = random.Random(len(labels))
    ids = [f"{language}{number:02}" for language in LANGUAGES for number in range(PASSAGES)]
    names = [f"{rng.choice(LANGUAGES)}-{number}" for number in range(60)]
    relevant = {query: {name: rng.choice(labels) for name in rng.sample(ids, 15)} | {"de11": 0} for query in names}
    rankings = {query: rng.sample(ids, rng.randint(1, len(ids))) for query in names}
    weights = {label: 1 / (len(labels) - 1) for label in labels if label} | {0: 0.0}
    mapping = {name: language_of(name) for name in ids}
    measure = peer_measure.PEER(weights=weights, lang_mapping=mapping) @ 20
    runs = {query: {name: -float(rank) for rank, name in enumerate(rankings[query])} for query in names}
    # What its provider makes; the provider itself asks ir_measures for a function that newer versions lack.
    evaluator = peer_measure.PEEREvaluator([measure], relevant, {0: [(20, measure)]}, {0: mapping})
    theirs = {one.query_id: one.value for one in evaluator.iter_calc(runs)}
    ours = dict(zip(names, measured(relevant, rankings)["peer@20"], strict=True))
    # Where passages that are found stand at the very rank that those not found share, it divides 0 by 0.
    defined_queries = [query for query in names if not np.isnan(theirs[query])]
    assert len(defined_queries) >= 55 and not np.isnan(list(ours.values())).any()
    assert [ours[query] for query in defined_queries] == pytest.approx(
        [theirs[query] for query in defined_queries], abs=1e-12
    )
    assert len({round(value, 6) for value in theirs.values()}) > 10


def test_mean_rank_correlation_equals_scipys() -> None:
    rng = random.Random(1)
    rankings = [rng.sample(range(30), rng.choice((5, 20, 20))) for _ in range(6)]
    ours = mean_rank_correlation([[str(name) for name in one] for one in rankings])
    for place, one in enumerate(rankings):
        others = []
        for other in (ranking for number, ranking in enumerate(rankings) if number != place):
            union = sorted({*one, *other})
            pair = [[ranking.index(name) if name in ranking else 99 for name in union] for ranking in (one, other)]
            others.append(scipy.stats.spearmanr(*pair).statistic)
        assert ours[place] == pytest.approx(np.mean(others))
    assert mean_rank_correlation([["a"], ["a"], ["b"]]) == pytest.approx([0, 0, -1])
    assert mean_rank_correlation([["a", "b"], ["a", "b"]]) == pytest.approx([1, 1])
    assert mean_rank_correlation([["a", "b"], []]) == pytest.approx([0, 0])
