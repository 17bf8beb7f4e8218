"""Measures of a run, as trec_eval computes them with `-c`.

Every one of them follows from the ranks of the relevant passages alone. Queries without judgements are left
out; judged queries that are missing in the run, or have no relevant passage, count 0. A label of 1 and above
is relevant, and is the gain of nDCG as it stands.

Shapes: Q judged queries.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.collections.measure_names import Measure
from msm.collections.runs import Floats, Integers, Qrels, Run
from msm.evaluation.ranks import Hits, Rankings, Ties, rank_relevant

_SAME = 1e-12
"""Two sums of the same terms in another order differ by less."""


class Values(NamedTuple):
    """One measure of a run."""

    measure: Measure
    values: Floats
    """Of each judged query, [Q]."""
    tied: NDArray[np.bool_]
    """Whether the value hangs on the order of equal scores, [Q]."""


class Evaluation(NamedTuple):
    """All measures of a run."""

    queries: Integers
    """The judged queries: places in `query_ids` of the qrels, ascending, [Q]."""
    relevant: Integers
    """Relevant passages of each, [Q]."""
    measures: list[Values]


def evaluate(qrels: Qrels, run: Run, measures: Sequence[Measure], *, ties: Ties) -> Evaluation:
    """Per-query values of a run.

    Args:
        qrels: judgements.
        run: rankings; its ids are matched with those of the qrels.
        measures: what to compute.
        ties: how equal scores are ordered.
    """
    rankings = rank_relevant(qrels, run, ties)
    results = []
    for measure in measures:
        cutoff = measure.cutoff or np.iinfo(np.int64).max
        values = {rule: MEASURES[measure.name](ranking, cutoff) for rule, ranking in rankings.items()}
        tied = np.abs(values.get("optimistic", values[ties]) - values.get("pessimistic", values[ties])) > _SAME
        results.append(Values(measure, values[ties], tied))
    return Evaluation(np.unique(qrels.queries), rankings[ties].relevant, results)


def mrr(rankings: Rankings, cutoff: int) -> Floats:
    """1 / rank of the first relevant passage, [Q]."""
    return _sums(rankings, rankings.hits, (rankings.hits.places == 1) / rankings.hits.ranks, cutoff)


def success(rankings: Rankings, cutoff: int) -> Floats:
    """1 if a relevant passage is found, else 0; averaged, the accuracy of the top k, [Q]."""
    return _sums(rankings, rankings.hits, (rankings.hits.places == 1) * 1.0, cutoff)


def recall(rankings: Rankings, cutoff: int) -> Floats:
    """Share of the relevant passages that are found, [Q]."""
    found = _sums(rankings, rankings.hits, np.ones(len(rankings.hits.ranks)), cutoff)
    return found / np.maximum(rankings.relevant, 1)


def average_precision(rankings: Rankings, cutoff: int) -> Floats:
    """Mean over all relevant passages of the precision at their ranks, 0 for those not found (map_cut), [Q]."""
    precisions = _sums(rankings, rankings.hits, rankings.hits.places / rankings.hits.ranks, cutoff)
    return precisions / np.maximum(rankings.relevant, 1)


def ndcg(rankings: Rankings, cutoff: int) -> Floats:
    """Sum of gain / log2(rank + 1), as a share of that of a perfect ranking, [Q]."""
    reached, greatest = (
        _sums(rankings, hits, hits.gains / np.log2(hits.ranks + 1), cutoff) for hits in (rankings.hits, rankings.best)
    )
    return reached / np.where(greatest > 0, greatest, 1)


def rank_distance(rankings: Rankings, cutoff: int) -> Floats:
    """Worst less best rank of the relevant passages; those not found stand right behind the run, [Q].

    Less is better: from the number of relevant passages less 1. Of equal scores, `optimistic` and `pessimistic` order
    the relevant passages first and last, as for all measures.

    Source: arXiv:2408.10536.
    """
    hits = rankings.hits
    found = np.bincount(hits.queries, minlength=len(rankings.relevant))
    missing = rankings.relevant - found
    best = np.where(found == 0, rankings.depths + 1, 0)
    best[hits.queries[hits.places == 1]] = hits.ranks[hits.places == 1]
    worst = rankings.depths + missing
    last = hits.places == found[hits.queries]
    whole = last & (missing[hits.queries] == 0)
    worst[hits.queries[whole]] = hits.ranks[whole]
    return np.where(rankings.relevant > 0, worst - best, 0).astype(np.float64)


MEASURES: dict[str, Callable[[Rankings, int], Floats]] = {
    "mrr": mrr,
    "recall": recall,
    "ndcg": ndcg,
    "map": average_precision,
    "success": success,
    "rank_distance": rank_distance,
}


def _sums(rankings: Rankings, hits: Hits, terms: Floats, cutoff: int) -> Floats:
    """Sum of the terms of the hits within the cutoff, for each query."""
    inside = np.where(hits.ranks <= cutoff, terms, 0)
    return np.bincount(hits.queries, inside, minlength=len(rankings.relevant)).astype(np.float64, copy=False)
