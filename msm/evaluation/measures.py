"""Measures of a run, as trec_eval computes them with `-c`.

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
"""Two sums of the same terms in another order differ by less."""


class Values(NamedTuple):
    """One measure of a run."""

    measure: Measure
    values: Floats
    """Of each judged query, [Q]; NaN where it is not defined."""
    tied: NDArray[np.bool_]
    """Whether the value hangs on the order of equal scores, [Q]."""
    blank: str = ""
    """Why the measure cannot be known from this run; all values are NaN then."""

    @property
    def mean(self) -> float:
        """Over the queries for which it is defined; NaN where there is none."""
        defined = self.values[~np.isnan(self.values)]
        return float(defined.mean()) if len(defined) else float("nan")


class Evaluation(NamedTuple):
    """All measures of a run."""

    queries: Integers
    """The judged queries: places in `query_ids` of the qrels, ascending, [Q]."""
    relevant: Integers
    """Relevant passages of each, [Q]."""
    measures: list[Values]


def evaluate(
    qrels: Qrels,
    run: Run | ExactRanks,
    measures: Sequence[Measure],
    *,
    ties: Ties,
    pool: int | None = None,
    is_fused: bool = False,
) -> Evaluation:
    """Per-query values of a ranking.

    Args:
        qrels: judgements.
        run: the best passages of each query, or where the relevant ones stand in the whole pool; its ids are matched
            with those of the qrels.
        measures: what to compute.
        ties: how equal scores are ordered.
        pool: passages of the pool, where the measures of a run are to be those of the whole ranking. Without it they
            are those of the run as it is, as trec_eval computes them.
        is_fused: whether every list ends where the lists that it was fused from were cut, so that a shorter one does
            not mean that a search found no more.
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
        tied = np.abs(values.get("optimistic", values[ties]) - values.get("pessimistic", values[ties])) > _SAME
        blank = reach.blank(measure)
        shown = np.full(len(values[ties]), np.nan) if blank else values[ties]
        results.append(Values(measure, shown, tied, blank))
    return Evaluation(np.unique(qrels.queries), rankings[ties].relevant, results)


class _Reach(NamedTuple):
    """How far down the ranking of a pool is known."""

    rankings: Rankings
    exact: ExactRanks | None
    pool: int | None
    depths: Integers
    """Entries of the run for each judged query, [Q]; empty with exact ranks."""
    is_fused: bool
    """As in `evaluate`."""

    def blank(self, measure: Measure) -> str:
        """Why a measure cannot be known; empty where it can."""
        missing = self.rankings.missing > 0
        if measure.name == "rank_distance" and not (self.exact and self.exact.whole):
            unknown = np.count_nonzero(missing & (self.rankings.relevant > 1))
            return f"{unknown} questions have relevant passages without a rank in this run" if unknown else ""
        if self.exact or self.pool is None:
            return ""
        looks = min(measure.cutoff or self.pool, self.pool)
        cut = self._cut_at()
        is_cut = self.depths < looks if self.is_fused else self.depths == cut
        unknown = np.count_nonzero(missing & is_cut)
        if cut >= looks or not unknown:
            return ""
        return f"the run is cut at {cut} of {self.pool} passages, and {unknown} questions have relevant ones below that"

    def _cut_at(self) -> int:
        """Entries at which most queries of the run are cut; a run of a search that just found no more is not."""
        if self.is_fused:
            return int(self.depths.min(initial=np.iinfo(np.int64).max))
        deepest = int(self.depths.max(initial=0))
        at_end = np.count_nonzero(self.depths == deepest)
        # A run without an entry found nothing at all.
        return deepest if deepest and 2 * at_end > np.count_nonzero(self.depths) else np.iinfo(np.int64).max


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


def precision(rankings: Rankings, cutoff: int) -> Floats:
    """Share of relevant passages among the first `cutoff`; a run that is shorter is filled up with others, [Q]."""
    return _sums(rankings, rankings.hits, np.ones(len(rankings.hits.ranks)), cutoff) / cutoff


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
    """Worst less best rank of the relevant passages, [Q]; NaN without two, or where one has no rank.

    Less is better: from the number of relevant passages less 1. Of equal scores, `optimistic` and `pessimistic` order
    the relevant passages first and last, as for all measures.

    Source: arXiv:2408.10536.
    """
    hits = rankings.hits
    best, worst = np.zeros(len(rankings.relevant)), np.zeros(len(rankings.relevant))
    first, last = hits.places == 1, hits.places == rankings.relevant[hits.queries]
    best[hits.queries[first]], worst[hits.queries[last]] = hits.ranks[first], hits.ranks[last]
    defined = (rankings.relevant > 1) & (rankings.missing == 0)
    return np.where(defined, worst - best, np.nan)


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
    """Sum of the terms of the hits within the cutoff, for each query."""
    inside = np.where(hits.ranks <= cutoff, terms, 0)
    return np.bincount(hits.queries, inside, minlength=len(rankings.relevant)).astype(np.float64, copy=False)
