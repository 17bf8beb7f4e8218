"""Computes the measures of a run, as trec_eval does with `-c`.

Every one of them follows from the ranks of the relevant passages alone. Queries without judgements are left
out; judged queries that are missing in the run, or have no relevant passage, count 0. A label of 1 and above
is relevant, and is the gain of nDCG as it stands.

A run says nothing about what stands below its last passage. Where a measure looks deeper, it is left blank, with a
sentence that says why, unless the exact ranks of the whole pool are given.

Shapes: Q judged queries.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.collections.exact_ranks import ExactRanks
from msm.collections.measure_names import Measure
from msm.collections.runs import Floats, Integers, Qrels, Run
from msm.evaluation.ranks import Hits, Rankings, Ties, rank_exactly, rank_relevant, run_depths

_SAME = 1e-12
"""Largest difference of two sums of the same terms in different orders."""


class Values(NamedTuple):
    """The values of one measure of a run."""

    measure: Measure
    values: Floats
    """Value of each judged query, [Q]; NaN where the measure is not defined."""
    is_tied: NDArray[np.bool_]
    """Whether the value depends on the order of equal scores, [Q]."""
    blank: str = ""
    """Reason why this run does not give the measure, in which case all values are NaN; empty where it does."""

    @property
    def mean(self) -> float:
        """Mean over the queries for which the measure is defined; NaN where there are none."""
        numbers = self.values[~np.isnan(self.values)]
        return float(numbers.mean()) if len(numbers) else float("nan")


class RunValues(NamedTuple):
    """The values of all measures of a run."""

    queries: Integers
    """Indices of the judged queries in `query_ids` of the qrels, ascending, [Q]."""
    relevant: Integers
    """Number of relevant passages of each query, [Q]."""
    measures: list[Values]


def evaluate(
    qrels: Qrels,
    run: Run | ExactRanks,
    measures: Sequence[Measure],
    *,
    ties: Ties,
    pool: int | None = None,
    is_fused: bool = False,
) -> RunValues:
    """Compute the values of each query of a ranking.

    Args:
        qrels: judgements.
        run: best passages of each query, or exact ranks of the relevant passages in the whole pool. Its ids are matched
            with those of the qrels.
        measures: measures to compute.
        ties: rule by which equal scores are ordered.
        pool: number of passages of the pool, which makes the measures those of the whole ranking. Without it they are
            those of the run alone, as trec_eval computes them.
        is_fused: whether the run is a fusion, whose lists end where the fused lists were cut, so that a shorter list
            does not mean that a search found fewer passages.
    """
    if isinstance(run, ExactRanks):
        rankings = rank_exactly(qrels, run, ties)
        reach = _Reach(rankings[ties], run, pool, np.empty(0, np.int64), is_fused)
    else:
        rankings = rank_relevant(qrels, run, ties)
        reach = _Reach(rankings[ties], None, pool, run_depths(qrels, run), is_fused)
    results = []
    for measure in measures:
        cutoff = measure.cutoff or np.iinfo(np.int64).max
        values = {rule: MEASURES[measure.name](ranking, cutoff) for rule, ranking in rankings.items()}
        is_tied = np.abs(values.get("optimistic", values[ties]) - values.get("pessimistic", values[ties])) > _SAME
        blank = reach.blank(measure)
        printed_values = np.full(len(values[ties]), np.nan) if blank else values[ties]
        results.append(Values(measure, printed_values, is_tied, blank))
    return RunValues(np.unique(qrels.queries), rankings[ties].relevant, results)


class _Reach(NamedTuple):
    """The ranks down to which the ranking of a pool is known."""

    rankings: Rankings
    exact: ExactRanks | None
    pool: int | None
    depths: Integers
    """Number of entries of the run for each judged query, [Q]; empty with exact ranks."""
    is_fused: bool
    """Whether the run is a fusion, as in `evaluate`."""

    def blank(self, measure: Measure) -> str:
        """Return the reason why the ranking does not give a measure; empty where it does."""
        lacks_ranks = self.rankings.missing > 0
        if measure.name == "rank_distance" and not (self.exact and self.exact.whole):
            count = np.count_nonzero(lacks_ranks & (self.rankings.relevant > 1))
            return f"{count} questions have relevant passages without a rank in this run" if count else ""
        if self.exact or self.pool is None:
            return ""
        depth = min(measure.cutoff or self.pool, self.pool)
        cut_depth = self._cut_at()
        is_cut = self.depths < depth if self.is_fused else self.depths == cut_depth
        count = np.count_nonzero(lacks_ranks & is_cut)
        if cut_depth >= depth or not count:
            return ""
        deeper = f"{count} questions have relevant ones below that"
        return f"the run is cut at {cut_depth} of {self.pool} passages, and {deeper}"

    def _cut_at(self) -> int:
        """Number of entries at which most queries of the run are cut. A search that found fewer passages is not cut."""
        if self.is_fused:
            return int(self.depths.min(initial=np.iinfo(np.int64).max))
        deepest = int(self.depths.max(initial=0))
        at_end = np.count_nonzero(self.depths == deepest)
        # A run without an entry found nothing at all.
        return deepest if deepest and 2 * at_end > np.count_nonzero(self.depths) else np.iinfo(np.int64).max


def mrr(rankings: Rankings, cutoff: int) -> Floats:
    """Reciprocal rank: 1 / rank of the first relevant passage, [Q]."""
    return _sums(rankings, rankings.hits, (rankings.hits.numbers == 1) / rankings.hits.ranks, cutoff)


def success(rankings: Rankings, cutoff: int) -> Floats:
    """Success: 1 if a relevant passage is within the cutoff, else 0; its mean is the accuracy of the top k, [Q]."""
    return _sums(rankings, rankings.hits, (rankings.hits.numbers == 1) * 1.0, cutoff)


def recall(rankings: Rankings, cutoff: int) -> Floats:
    """Recall: share of the relevant passages within the cutoff, [Q]."""
    hits = _sums(rankings, rankings.hits, np.ones(len(rankings.hits.ranks)), cutoff)
    return hits / np.maximum(rankings.relevant, 1)


def precision(rankings: Rankings, cutoff: int) -> Floats:
    """Precision: number of relevant passages within the cutoff, divided by the cutoff, [Q]."""
    return _sums(rankings, rankings.hits, np.ones(len(rankings.hits.ranks)), cutoff) / cutoff


def average_precision(rankings: Rankings, cutoff: int) -> Floats:
    """Average precision: mean over all relevant passages of the precision at their ranks, 0 beyond the cutoff, [Q]."""
    precisions = _sums(rankings, rankings.hits, rankings.hits.numbers / rankings.hits.ranks, cutoff)
    return precisions / np.maximum(rankings.relevant, 1)


def ndcg(rankings: Rankings, cutoff: int) -> Floats:
    """nDCG: sum of gain / log2(rank + 1), divided by that of a perfect ranking, [Q]."""
    gains, perfect_gains = (
        _sums(rankings, hits, hits.gains / np.log2(hits.ranks + 1), cutoff) for hits in (rankings.hits, rankings.best)
    )
    return gains / np.where(perfect_gains > 0, perfect_gains, 1)


def rank_distance(rankings: Rankings, cutoff: int) -> Floats:
    """Rank distance: worst rank minus best rank of the relevant passages, [Q].

    It is NaN with fewer than two relevant passages, or where one has no rank. Less is better; the smallest value is the
    number of relevant passages minus 1. The rules `optimistic` and `pessimistic` order relevant passages first and last
    among equal scores, as for all measures.

    Source: arXiv:2408.10536.
    """
    hits = rankings.hits
    best, worst = np.zeros(len(rankings.relevant)), np.zeros(len(rankings.relevant))
    is_first, is_last = hits.numbers == 1, hits.numbers == rankings.relevant[hits.queries]
    best[hits.queries[is_first]], worst[hits.queries[is_last]] = hits.ranks[is_first], hits.ranks[is_last]
    has_distance = (rankings.relevant > 1) & (rankings.missing == 0)
    return np.where(has_distance, worst - best, np.nan)


MEASURES: dict[str, Callable[[Rankings, int], Floats]] = {
    "mrr": mrr,
    "recall": recall,
    "ndcg": ndcg,
    "map": average_precision,
    "success": success,
    "precision": precision,
    "rank_distance": rank_distance,
}


def _sums(rankings: Rankings, hits: Hits, terms: Floats, cutoff: int) -> Floats:
    """Sum over the hits of each query within the cutoff."""
    inside = np.where(hits.ranks <= cutoff, terms, 0)
    return np.bincount(hits.queries, inside, minlength=len(rankings.relevant)).astype(np.float64, copy=False)
