"""Measures from exact ranks against those of a run of the whole pool, and blanks where a run is too shallow."""

from pathlib import Path
from statistics import fmean

import numpy as np
import pyarrow as pa
import pytest

from msm.collections.exact_ranks import ExactRanks, read_exact_ranks, write_exact_ranks
from msm.collections.measure_names import parse_measure
from msm.collections.registry import BENCHMARKS
from msm.collections.runs import Qrels, Run, ranked_run
from msm.errors import BadInput
from msm.evaluation.measures import Values, evaluate
from msm.evaluation.ranks import Ties

NAMES = ["mrr", "mrr@3", "recall@10", "recall@100", "ndcg", "ndcg@5", "map", "map@20", "success@1", "rank_distance"]


class Sample:
    """Scores of every passage of a pool for every query; up to five are relevant, none to some queries."""

    def __init__(self, passages: int, values: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.scores = rng.integers(0, values, (30, passages)).astype(np.float32)
        self.ids = pa.array([f"{'cab'[place % 3]}{place}" for place in range(passages)])
        self.query_ids = pa.array([f"q{query}" for query in range(30)])
        pairs = [(q, p) for q in range(30) for p in rng.choice(passages, q % 6 + 1, replace=False)]
        queries, relevant_passages = np.array(pairs).T
        labels = rng.integers(0, 4, len(pairs))
        self.qrels = Qrels(self.query_ids, self.ids, queries, relevant_passages, labels)

    def run(self, depth: int) -> Run:
        """The best passages, equal scores in the order of the pool."""
        best = np.argsort(-self.scores, axis=1, kind="stable")[:, :depth]
        return ranked_run(self.query_ids, self.ids, best, np.take_along_axis(self.scores, best, axis=1))

    def exact_ranks(self, whole: bool = True) -> ExactRanks:
        """Counted one by one, of rows in another order than the judgements."""
        judgements = np.flatnonzero(self.qrels.labels >= 1)[::-1]
        queries, passages = self.qrels.queries[judgements], self.qrels.passages[judgements]
        ids = self.ids.to_pylist()
        counts = []
        for query, place in zip(queries, passages, strict=True):
            row = self.scores[query]
            twins = [other for other in np.flatnonzero(row == row[place]) if other != place]
            by_id = sum(ids[other] > ids[place] for other in twins)
            counts.append([np.sum(row > row[place]), len(twins), by_id, sum(other < place for other in twins)])
        scores = self.scores[queries, passages]
        return ExactRanks(self.query_ids, self.ids, queries, passages, scores, np.array(counts), len(ids), whole)

    def values(self, depth: int, exact: ExactRanks | None = None, ties: Ties = "trec") -> list[Values]:
        """Of all measures, from a run of some depth."""
        measures = [parse_measure(name) for name in NAMES]
        ranking = exact or self.run(depth)
        return evaluate(self.qrels, ranking, measures, ties=ties, pool=self.scores.shape[1]).measures


@pytest.mark.parametrize("ties", ["trec", "list", "reversed", "optimistic", "pessimistic"])
@pytest.mark.parametrize("values", [1, 4, 60, 10**6])
def test_exact_ranks_beside_a_shallow_run_give_what_the_whole_run_gives(ties: Ties, values: int) -> None:
    sample = Sample(150, values, seed=1)
    for whole, exact in zip(sample.values(150, None, ties), sample.values(5, sample.exact_ranks(), ties), strict=True):
        np.testing.assert_allclose(exact.values, whole.values, atol=1e-12, err_msg=str(whole.measure))
        np.testing.assert_array_equal(exact.is_tied, whole.is_tied)
        assert not exact.blank and not whole.blank


def average_precision(relevant: np.ndarray, ranking: np.ndarray, cutoff: int) -> float:
    """As XTREME-R's scorer of LAReQA has it: divided by the relevant ones that can stand above the cutoff."""
    hits, total = 0, 0.0
    for rank, place in enumerate(ranking[:cutoff], start=1):
        hits += int(relevant[place])
        total += hits / rank * relevant[place]
    return total / min(int(relevant.sum()), cutoff)


def test_equal_scores_of_lareqa_stand_as_argsort_from_its_end_leaves_them() -> None:
    assert BENCHMARKS["lareqa"].ties == "reversed" and BENCHMARKS["lareqa"].measures == ("map@20",)
    sample = Sample(150, 5, seed=7)
    relevant = np.zeros(sample.scores.shape, bool)
    is_relevant = sample.qrels.labels >= 1
    relevant[sample.qrels.queries[is_relevant], sample.qrels.passages[is_relevant]] = True
    expected = [
        average_precision(row, np.argsort(scores, kind="stable")[::-1], 20) if row.any() else 0.0
        for row, scores in zip(relevant, sample.scores, strict=True)
    ]
    place = NAMES.index("map@20")
    for ranking in (None, sample.exact_ranks()):
        np.testing.assert_allclose(sample.values(150, ranking, "reversed")[place].values, expected, atol=1e-12)
    assert np.abs(sample.values(150, None, "list")[place].values - expected).max() > 0.01


def test_ranks_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    sample = Sample(150, 9, seed=2)
    write_exact_ranks(tmp_path / "pool.ranks.parquet", sample.exact_ranks())
    copy = read_exact_ranks(tmp_path / "pool.ranks.parquet")
    assert (copy.pool, copy.whole) == (150, True)
    for before, after in zip(sample.values(5, sample.exact_ranks()), sample.values(5, copy), strict=True):
        np.testing.assert_array_equal(after.values, before.values)
    (tmp_path / "other").write_text("no table")
    with pytest.raises(BadInput, match="not a table of exact ranks"):
        read_exact_ranks(tmp_path / "other")


def test_a_shallow_run_gives_blanks_where_measures_look_deeper() -> None:
    values = {str(result.measure): result for result in Sample(150, 10**6, seed=3).values(20)}
    blank = {name for name, result in values.items() if result.blank}
    assert blank == {"mrr", "recall@100", "ndcg", "map", "rank_distance"}
    assert all(np.isnan(values[name].values).all() and np.isnan(values[name].mean) for name in blank)
    assert values["map"].blank.startswith("the run is cut at 20 of 150 passages, and ")


def test_a_search_that_found_no_more_is_not_a_cut_run() -> None:
    sample = Sample(150, 10**6, seed=4)
    run = sample.run(150)
    # Of the n-th query, n passages are found: BM25 finds no passage that shares no word.
    is_within = np.arange(len(run.queries)) - np.searchsorted(run.queries, run.queries) <= run.queries
    sparse = run._replace(
        queries=run.queries[is_within], passages=run.passages[is_within], scores=run.scores[is_within]
    )
    measures = [parse_measure(name) for name in NAMES]
    values = evaluate(sample.qrels, sparse, measures, ties="trec", pool=150).measures
    plain = evaluate(sample.qrels, sparse, measures, ties="trec").measures
    for ours, theirs in zip(values[:-1], plain[:-1], strict=True):
        assert not ours.blank
        np.testing.assert_array_equal(ours.values, theirs.values)
    assert values[-1].blank


def test_a_fused_run_gives_blanks_below_the_lists_that_it_was_made_of() -> None:
    sample = Sample(150, 10**6, seed=4)
    run = sample.run(150)
    # Two lists of 20 make one of 20 to 40.
    ends = 20 + np.random.default_rng(1).integers(0, 21, len(run.query_ids))
    is_within = np.arange(len(run.queries)) - np.searchsorted(run.queries, run.queries) < ends[run.queries]
    fusion = run._replace(
        queries=run.queries[is_within], passages=run.passages[is_within], scores=run.scores[is_within]
    )
    measures = [parse_measure(name) for name in NAMES]
    values = evaluate(sample.qrels, fusion, measures, ties="trec", pool=150, is_fused=True).measures
    assert {str(one.measure) for one in values if one.blank} == {"mrr", "recall@100", "ndcg", "map", "rank_distance"}
    for ours, whole in zip(values, sample.values(150), strict=True):
        if not ours.blank:
            np.testing.assert_array_equal(ours.values, whole.values)


def test_rank_distance_needs_two_relevant_passages_with_ranks() -> None:
    sample = Sample(150, 10**6, seed=5)
    relevant = np.bincount(sample.qrels.queries[sample.qrels.labels >= 1], minlength=30)
    distance = sample.values(150)[-1]
    np.testing.assert_array_equal(np.isnan(distance.values), relevant < 2)
    assert distance.mean == pytest.approx(fmean(distance.values[relevant > 1]))
    # BM25 gives no rank to a passage that shares no word with the question.
    ranks = sample.exact_ranks(whole=False)
    half = ranks._replace(**{name: getattr(ranks, name)[::2] for name in ("queries", "passages", "scores", "counts")})
    assert "without a rank" in sample.values(150, half)[-1].blank
    # A judged passage that the pool lacks leaves out its question, whatever the model.
    assert not sample.values(150, half._replace(whole=True))[-1].blank


def test_a_random_ranking_of_xquad_r_is_as_bad_as_it_is() -> None:
    candidates, queries, rng = 13014, 400, np.random.default_rng(6)
    ids, query_ids = pa.array([str(place) for place in range(candidates)]), pa.array(map(str, range(queries)))
    rankings = np.array([rng.permutation(candidates) for _ in range(queries)])
    relevant = np.repeat(np.arange(queries), 11), np.tile(np.arange(11), queries)
    qrels = Qrels(query_ids, ids, *relevant, np.ones(11 * queries, np.int64))
    best = rankings[:, :1000]
    run = ranked_run(query_ids, ids, best, np.broadcast_to(-np.arange(1000.0), best.shape))
    ranks = np.argsort(rankings, axis=1)[relevant]
    counts = np.stack([ranks, 0 * ranks, 0 * ranks, 0 * ranks], axis=1)
    exact = ExactRanks(query_ids, ids, *relevant, -ranks.astype(np.float32), counts, candidates, whole=True)
    measures = [parse_measure("rank_distance"), parse_measure("map")]
    blanks = evaluate(qrels, run, measures, ties="trec", pool=candidates).measures
    assert all(result.blank and np.isnan(result.mean) for result in blanks)
    distance, precision = evaluate(qrels, exact, measures, ties="trec").measures
    # The expected distance of the first and last of 11 among 13,014 is 10 / 12 of 13,015.
    assert distance.mean == pytest.approx(13015 * 10 / 12, rel=0.02)
    slow = [fmean(number / rank for number, rank in enumerate(sorted(1 + row), 1)) for row in ranks.reshape(-1, 11)]
    assert precision.mean == pytest.approx(fmean(slow))
