"""Computes the ranks of relevant passages under a rule for equal scores, on arrays of integers.

Their ranks come from a run, as far as it reaches, or from the exact ranks of a whole pool. The rules, for passages of
one query with equal scores (float32):
`trec`: by passage id, descending; `list`: in the order of the run, or of the pool; `reversed`: the last one of that
order first, as the official scorer of LAReQA has it (`argsort()[::-1]`); `optimistic`, `pessimistic`: the
order that gives every measure its greatest, its least value.

Shapes: Q judged queries, R relevant judgements, H relevant passages found, E entries of the run.
"""

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from msm.collections.exact_ranks import ExactRanks
from msm.collections.runs import Integers, Qrels, Run

Ties = Literal["trec", "list", "reversed", "pessimistic", "optimistic"]


class Hits(NamedTuple):
    """Relevant passages of rankings, by query and rank."""

    queries: Integers
    """Query of each hit, ascending, [H]."""
    ranks: Integers
    """Rank of each hit from 1, ascending within a query, [H]."""
    gains: Integers
    """Gain of each hit, [H]."""
    numbers: Integers
    """Number of each hit among those of its query, counted from 1, [H]."""


class Rankings(NamedTuple):
    """The ranks from which all measures are computed."""

    relevant: Integers
    """Number of relevant passages of each query, retrieved or not, [Q]."""
    hits: Hits
    """Relevant passages as the run ranks them."""
    best: Hits
    """Relevant passages as a perfect run ranks them, each array [R]."""

    @property
    def missing(self) -> Integers:
        """Number of relevant passages of each query that have no rank, [Q]."""
        return self.relevant - np.bincount(self.hits.queries, minlength=len(self.relevant))


def rank_relevant(qrels: Qrels, run: Run, ties: Ties) -> dict[Ties, Rankings]:
    """Return rankings of the judged queries by tie rule: the given one and, where it matters, the two extremes.

    Args:
        qrels: judgements; the queries are numbered anew, in their order, by those that have any.
        run: rankings; its ids are matched with those of the qrels.
        ties: tie rule of the scores.
    """
    relevant = _judged(qrels)
    judgements, entries = _shared(qrels, run, relevant.indices)
    hits = _RunHits(
        relevant.queries[judgements],
        relevant.gains[judgements],
        entries,
        *_neighbours(run, entries),
    )
    return {rule: relevant.rankings(_hits(run, hits, rule)) for rule in _rules(ties, hits.has_ties)}


def rank_exactly(qrels: Qrels, ranks: ExactRanks, ties: Ties) -> dict[Ties, Rankings]:
    """Rank the judged queries by exact ranks in a whole pool.

    Args:
        qrels: judgements of the pool.
        ranks: exact ranks of its relevant passages; ids are matched with those of the qrels.
        ties: tie rule of the scores.
    """
    relevant = _judged(qrels)
    judgements, rows = _shared_pairs(qrels, ranks, relevant.indices)
    queries, gains, counts = relevant.queries[judgements], relevant.gains[judgements], ranks.counts[rows]
    has_ties = bool(np.any(counts[:, 1]))
    return {
        rule: relevant.rankings(_ordered(queries, _exact_ranks(queries, gains, counts, rule), gains))
        for rule in _rules(ties, has_ties)
    }


def run_depths(qrels: Qrels, run: Run) -> Integers:
    """Return the number of entries of the run for each query that has judgements, [Q]."""
    rows = _positions_in(run.query_ids, qrels.query_ids)[np.unique(qrels.queries)]
    return np.append(np.bincount(run.queries, minlength=len(run.query_ids)), 0)[rows]


class _Judged(NamedTuple):
    """The relevant judgements, each array [R]."""

    indices: Integers
    """Index of each relevant judgement among all judgements, [R]."""
    queries: Integers
    """Query of each relevant judgement, numbered among the queries with judgements, [R]."""
    gains: Integers
    counts: Integers
    """Number of relevant passages of each query, [Q]."""

    def rankings(self, hits: Hits) -> Rankings:
        return Rankings(self.counts, hits, _best_hits(self.queries, self.gains))


def _judged(qrels: Qrels) -> _Judged:
    present = np.bincount(qrels.queries, minlength=len(qrels.query_ids)) > 0
    indices = np.flatnonzero(qrels.labels >= 1)
    queries = (np.cumsum(present) - 1)[qrels.queries[indices]]
    return _Judged(indices, queries, qrels.labels[indices], np.bincount(queries, minlength=np.count_nonzero(present)))


def _rules(ties: Ties, has_ties: bool) -> set[Ties]:
    """The given rule and, where scores are equal, the two extremes."""
    return {ties, "pessimistic", "optimistic"} if has_ties else {ties}


def _exact_ranks(queries: Integers, gains: Integers, counts: Integers, ties: Ties) -> Integers:
    """Return ranks under a tie rule, [H].

    Args:
        queries: queries of the relevant passages, [H].
        gains: gains of the relevant passages, [H].
        counts: the four `COUNTS` of each, [H, 4].
        ties: tie rule of the scores.
    """
    above, equal, by_id, in_order = counts.T
    before_by_rule = {"trec": by_id, "list": in_order, "reversed": equal - in_order}
    if ties in before_by_rule:
        return above + 1 + before_by_rule[ties]
    # Relevant passages of one query with equally many above have one score.
    order = np.lexsort((-gains, above, queries))
    before = np.empty(len(order), np.int64)
    before[order] = _since(_changes(queries[order]) | _changes(above[order]))
    return above + 1 + (before if ties == "optimistic" else equal - before)


class _RunHits(NamedTuple):
    """Relevant passages that the run holds, in its order, each array [H]."""

    queries: Integers
    gains: Integers
    entries: Integers
    """Index of each hit in the run."""
    firsts: Integers
    """Index of the first entry of the same query."""
    starts: Integers
    """Index of the first entry of the same query and score."""
    ends: Integers
    """Index past the last entry of the same query and score."""

    @property
    def has_ties(self) -> bool:
        return bool(np.any(self.ends - self.starts > 1))


def _shared_pairs(qrels: Qrels, ranks: ExactRanks, relevant: Integers) -> tuple[Integers, Integers]:
    """Return which relevant judgements have exact ranks, and in which rows, both [H]."""
    rows = _positions_in(ranks.query_ids, qrels.query_ids)[qrels.queries[relevant]]
    columns = _positions_in(ranks.passage_ids, qrels.passage_ids)[qrels.passages[relevant]]
    indices = np.flatnonzero((rows >= 0) & (columns >= 0))
    width = np.int64(len(ranks.passage_ids))
    pairs = ranks.queries * width + ranks.passages
    order = np.argsort(pairs)
    keys = rows[indices] * width + columns[indices]
    positions = np.searchsorted(pairs[order], keys)
    is_shared = np.append(pairs[order], -1)[positions] == keys
    return indices[is_shared], order[positions[is_shared]]


def _shared(qrels: Qrels, run: Run, relevant: Integers) -> tuple[Integers, Integers]:
    """Return which relevant judgements the run holds, and in which entries, both [H]; entries ascend."""
    rows = _positions_in(run.query_ids, qrels.query_ids)[qrels.queries[relevant]]
    columns = _positions_in(run.passage_ids, qrels.passage_ids)[qrels.passages[relevant]]
    indices = np.flatnonzero((rows >= 0) & (columns >= 0))
    # Most entries are not relevant: a small table of hashes sorts them out at a third of the cost of a search.
    mask = (1 << (16 * len(indices)).bit_length()) - 1
    has_hash = np.zeros(mask + 1, dtype=bool)
    has_hash[_hashes(rows[indices], columns[indices]) & mask] = True
    entries = np.flatnonzero(has_hash[_hashes(run.queries, run.passages) & mask])
    width = np.int64(len(run.passage_ids))
    keys = rows[indices] * width + columns[indices]
    order = np.argsort(keys)
    pairs = run.queries[entries] * width + run.passages[entries]
    positions = np.searchsorted(keys[order], pairs)
    is_shared = np.append(keys[order], -1)[positions] == pairs
    return indices[order[positions[is_shared]]], entries[is_shared]


def _positions_in(table: pa.Array, ids: pa.Array) -> Integers:
    """Position of every id in the table; -1 where it has none."""
    if ids.equals(table):
        return np.arange(len(ids))
    return pc.call_function("index_in", [ids], pc.SetLookupOptions(table)).fill_null(-1).to_numpy()


def _hashes(queries: Integers, passages: Integers) -> Integers:
    return queries.astype(np.int32) * np.int32(0x1E3779B1) + passages.astype(np.int32)


def _neighbours(run: Run, entries: Integers) -> tuple[Integers, Integers, Integers]:
    """Return the first entry of the same query, and bounds of the entries of the same query and score, each [H]."""
    firsts = np.searchsorted(run.queries, run.queries[entries])
    changes = (run.scores[1:] != run.scores[:-1]) | (run.queries[1:] != run.queries[:-1])
    alone = np.concatenate(([True], changes, [True]))
    if np.all(alone[entries] & alone[entries + 1]):
        return firsts, entries, entries + 1
    bounds = np.flatnonzero(alone)
    groups = np.searchsorted(bounds, entries, side="right")
    return firsts, bounds[groups - 1], bounds[groups]


def _hits(run: Run, hits: _RunHits, ties: Ties) -> Hits:
    """The found passages under a tie rule."""
    return _ordered(hits.queries, _entries(run, hits, ties) - hits.firsts + 1, hits.gains)


def _ordered(queries: Integers, ranks: Integers, gains: Integers) -> Hits:
    order = np.lexsort((ranks, queries))
    queries = queries[order]
    return Hits(queries, ranks[order], gains[order], _since(_changes(queries)) + 1)


def _entries(run: Run, hits: _RunHits, ties: Ties) -> Integers:
    """Return the entries of the hits in the run when the tie rule orders equal scores, [H]."""
    if ties == "list" or not hits.has_ties:
        return hits.entries
    if ties == "reversed":
        return hits.starts + hits.ends - 1 - hits.entries
    if ties == "trec":
        return _entries_by_id(run, hits)
    order = np.lexsort((-hits.gains, hits.starts))
    before = np.empty(len(order), np.int64)
    before[order] = _since(_changes(hits.starts[order]))
    return hits.starts + before if ties == "optimistic" else hits.ends - 1 - before


def _entries_by_id(run: Run, hits: _RunHits) -> Integers:
    starts, firsts = np.unique(hits.starts, return_index=True)
    groups = np.repeat(starts, hits.ends[firsts] - starts)
    entries = groups + _since(_changes(groups))
    passages, numbers = np.unique(run.passages[entries], return_inverse=True)
    ids = np.array(run.passage_ids.take(pa.array(passages)).to_pylist(), dtype=object)
    by_id = np.argsort(np.argsort(ids))[numbers]
    entries_by_id = np.empty(len(entries), np.int64)
    entries_by_id[np.lexsort((-by_id, groups))] = entries
    return entries_by_id[np.searchsorted(entries, hits.entries)]


def _best_hits(queries: Integers, gains: Integers) -> Hits:
    order = np.lexsort((-gains, queries))
    ranks = _since(_changes(queries[order])) + 1
    return Hits(queries[order], ranks, gains[order], ranks)


def _changes(values: Integers) -> NDArray[np.bool_]:
    """Return whether an entry differs from the one before it; the first does."""
    return np.diff(values, prepend=-1) != 0


def _since(changes: NDArray[np.bool_]) -> Integers:
    """Steps since the last change, which itself is 0."""
    steps = np.arange(len(changes))
    return steps - np.maximum.accumulate(np.where(changes, steps, 0))
