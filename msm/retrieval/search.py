"""Searches exactly, shard by shard: memory holds one shard and the best passages so far.

Beside the best passages of each query, a shard is asked where the relevant ones stand: how many of its passages score
more than a relevant passage, and how many the same. Scores of a kind of vectors do not depend on what they are computed
with (see `inner_products`, `sparse_vectors`, `token_vectors`), so shards of any size, in any order, give the same
passages and the same counts, to the last tie. Equal scores stand in the order of the passages.

Cost: fast scores of all pairs, which any search has; two comparisons of them for each relevant passage of a query; and
the exact score of the few pairs that are too close to call.

Shapes: Q queries, B queries of a tile, N passages of a shard, K depth, R relevant pairs, E entries.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.collections.exact_ranks import COUNTS
from msm.collections.runs import Floats, Integers
from msm.retrieval.inner_products import DenseVectors
from msm.retrieval.text_vectors import TextVectors, TileScores

NONE: Integers = np.empty(0, np.int64)
TILE_QUERIES = 256
TILE_PASSAGES = 4096
"""Numbers of queries and passages whose products are looked at together: 4 MiB."""


class Entries(NamedTuple):
    """Passages that were retrieved for queries: by query, best first."""

    queries: Integers
    """Index of the query of each entry, ascending, [E]."""
    positions: Integers
    """Position of each passage in the shard, or in the corpus, [E]."""
    scores: Floats
    """Score of each entry, float32, [E]."""

    def part(self, which: NDArray[Any]) -> "Entries":
        """Return the entries of a mask, or at some positions."""
        return Entries(self.queries[which], self.positions[which], self.scores[which])


class Relevant(NamedTuple):
    """Relevant passages of the queries, as a shard sees them."""

    queries: Integers
    """Index of the query of each pair, ascending, [R]."""
    scores: Floats
    """Score of each relevant passage, float32, [R]."""
    own: Integers
    """Index of the passage in the shard; -1 where it is in another one, [R]."""
    earlier: Integers
    """Passages of the shard that stand before it in the pool, which are the shard's first, [R]."""
    lesser_ids: Integers
    """Passages of the shard whose id is not greater than its own, [R]."""
    id_ranks: Integers
    """Number of passages of the shard with a smaller id, for each of them, [N]."""

    def part(self, first: int, last: int) -> "Relevant":
        """Return the pairs of the queries from `first` up to, and without, `last`, numbered from 0."""
        inside = slice(*np.searchsorted(self.queries, (first, last)).tolist())
        return Relevant(
            self.queries[inside] - first,
            self.scores[inside],
            self.own[inside],
            self.earlier[inside],
            self.lesser_ids[inside],
            self.id_ranks,
        )


class BestPassages:
    """The K best passages of each query among all shards seen so far.

    Args:
        queries: number of queries, Q.
        depth: number of passages kept of each query, K.
    """

    def __init__(self, queries: int, depth: int) -> None:
        self.depth = depth
        self.passages: Integers = np.empty((queries, 0), np.int64)
        """Best first, [Q, K]; -1 where the shards had fewer."""
        self.scores: Floats = np.empty((queries, 0), np.float32)
        """Scores, [Q, K]; minus infinity where there is no passage."""

    def add(self, passages: Integers, scores: Floats) -> None:
        """Merge the best of one more shard, in any order of shards.

        Args:
            passages: positions in the corpus, [Q, any]; -1 for none.
            scores: their scores, of the same shape; minus infinity for none.
        """
        passages, scores = np.hstack([self.passages, passages]), np.hstack([self.scores, scores])
        best = np.lexsort((passages, -scores), axis=1)[:, : self.depth]
        self.passages = np.take_along_axis(passages, best, axis=1)
        self.scores = np.take_along_axis(scores, best, axis=1)

    def add_entries(self, entries: Entries) -> None:
        """Merge entries of one more shard, whose positions are those in the corpus."""
        self.add(*_grid(entries, len(self.passages)))

    def least(self) -> Floats:
        """Return the score that a passage needs to be among the best, [Q]; an earlier one needs no more."""
        if self.scores.shape[1] < self.depth:
            return np.full(len(self.scores), -np.inf, np.float32)
        return self.scores[:, -1]


def nearest(queries: Floats, passages: Floats, depth: int) -> tuple[Integers, Floats]:
    """Return the passages of one shard with the greatest inner products.

    Args:
        queries: float32, [Q, H].
        passages: float32, [N, H].
        depth: largest number of passages for each query.

    Returns:
        Positions in the shard and scores, best first, equal ones in order of position, both [Q, min(depth, N)].
    """
    least = np.full(len(queries), -np.inf)
    entries, _ = search_shard(DenseVectors(queries), DenseVectors(passages), least, depth)
    return _grid(entries, len(queries))


def search_shard(
    queries: TextVectors,
    passages: TextVectors,
    least: Floats,
    depth: int,
    relevant: Relevant | None = None,
    dropped_pairs: tuple[Integers, Integers] = (NONE, NONE),
) -> tuple[Entries, Integers]:
    """Return what a shard adds to the best passages, and what it counts for the relevant ones.

    Args:
        queries: Q of them.
        passages: N of them, of the same kind.
        least: score that a passage needs to be among the best, [Q].
        depth: most passages for each query.
        relevant: relevant passages of the queries, of this shard and others.
        dropped_pairs: queries and positions of pairs that count for nothing, [any] each.

    Returns:
        The best passages that have the least score, at most `depth` for each query; and the `COUNTS` of the shard for
        each relevant pair, [R, 4].
    """
    longest = passages.longest()
    parts: list[Entries] = []
    counts: list[Integers] = [np.zeros((0, len(COUNTS)), np.int64)]
    for first in range(0, len(queries), TILE_QUERIES):
        tile = slice(first, first + TILE_QUERIES)
        part = relevant.part(first, first + TILE_QUERIES) if relevant else None
        part_dropped = dropped_pairs[0] - first, dropped_pairs[1]
        entries, part_counts = _search_tile(queries[tile], passages, longest, least[tile], depth, part, part_dropped)
        parts.append(entries._replace(queries=entries.queries + first))
        counts.append(part_counts)
    return _joined(parts), np.concatenate(counts)


def _search_tile(
    queries: TextVectors,
    passages: TextVectors,
    longest: float,
    least: Floats,
    depth: int,
    relevant: Relevant | None,
    dropped_pairs: tuple[Integers, Integers],
) -> tuple[Entries, Integers]:
    floors = _Floors(least, depth)
    candidates: dict[int, Entries] = {}
    counts = np.zeros((len(relevant.queries) if relevant else 0, len(COUNTS)), np.int64)
    for first in range(0, len(passages), TILE_PASSAGES):
        products = queries.tile_scores(passages[first : first + TILE_PASSAGES], longest)
        _drop(products.approximate, dropped_pairs[0], dropped_pairs[1] - first)
        candidates[first] = floors.candidates(products)
        if relevant:
            _count(products, first, relevant, counts)
    # Only now is it known which candidates are near enough to the best to need their exact score.
    parts = [
        _scored(queries, passages, longest, first, entries, floors.values) for first, entries in candidates.items()
    ]
    entries = _joined(parts)
    is_near = entries.scores >= np.maximum(least, floors.values)[entries.queries]
    return _best(entries.part(is_near), depth), counts


def _scored(
    queries: TextVectors, passages: TextVectors, longest: float, first: int, candidates: Entries, floors: Floats
) -> Entries:
    """The candidates of a tile that may still be among the best, with exact scores and their positions in the shard."""
    products = queries.tile_scores(passages[first : first + TILE_PASSAGES], longest)
    near = candidates.part(candidates.scores >= _below(floors - products.errors)[candidates.queries])
    exact = products.scores(near.queries, near.positions) if products.errors.any() else near.scores
    return Entries(near.queries, near.positions + first, exact)


def _drop(approximate: Floats, rows: Integers, columns: Integers) -> None:
    """Make the scores of these pairs, where they are in a tile, less than all others."""
    inside = (rows >= 0) & (rows < len(approximate)) & (columns >= 0) & (columns < approximate.shape[1])
    approximate[rows[inside], columns[inside]] = -np.inf


class _Floors:
    """Scores that a passage certainly needs to be among the best of each query.

    Args:
        least: score that a passage needs already, [B].
        depth: number of passages that are kept of each query, K.
    """

    def __init__(self, least: Floats, depth: int) -> None:
        self.values: Floats = least.astype(np.float64)
        """Score that a passage of each query needs, [B]."""
        self._top = np.full((len(least), depth), -np.inf, np.float32)

    def candidates(self, products: TileScores) -> Entries:
        """Return the pairs that may be among the best: fast scores, and positions in the tile. It raises the floors."""
        approximate, depth = products.approximate, self._top.shape[1]
        columns = approximate.shape[1]
        indices = self._reaching(products)
        if len(indices) > 2 * depth * len(approximate) and columns > depth:
            self._raise(np.partition(approximate, columns - depth, axis=1)[:, columns - depth :], products.errors)
            indices = self._reaching(products)
            return Entries(indices // columns, indices % columns, approximate.ravel()[indices])
        entries = Entries(indices // columns, indices % columns, approximate.ravel()[indices])
        self._raise(_grid(entries, len(approximate))[1], products.errors)
        return entries

    def _reaching(self, products: TileScores) -> Integers:
        least = np.maximum(_below(self.values - products.errors), np.finfo(np.float32).min)
        return _flat_indices(products.approximate >= least[:, None])

    def _raise(self, values: Floats, errors: Floats) -> None:
        """Look at approximate scores of further passages, [B, any]."""
        values = np.hstack([self._top, values])
        self._top = np.partition(values, values.shape[1] - self._top.shape[1], axis=1)[:, -self._top.shape[1] :]
        np.maximum(self.values, self._top.min(axis=1) - errors, out=self.values)


def _count(products: TileScores, first: int, relevant: Relevant, counts: Integers) -> None:
    """Add what the passages of a tile count for each relevant pair, to [R, 4]."""
    close: list[tuple[Integers, Integers]] = []
    for pairs in _slots(relevant.queries):
        rows = relevant.queries[pairs]
        whole = len(rows) == len(products.approximate)
        approximate = products.approximate if whole else products.approximate[rows]
        scores, errors = relevant.scores[pairs].astype(np.float64), products.errors[rows]
        above = approximate > _above(scores + errors)[:, None]
        counts[pairs, 0] += _set_bits(above)
        indices = _flat_indices(above ^ (approximate >= _below(scores - errors)[:, None]))
        close.append((pairs[indices // approximate.shape[1]], indices % approximate.shape[1]))
        # Few as a rule, so those of all slots are scored at once; many where all passages have nearly one score.
        if sum(len(columns) for _, columns in close) > approximate.size:
            _count_close(products, first, close, relevant, counts)
            close = []
    if close:
        _count_close(products, first, close, relevant, counts)


def _count_close(
    products: TileScores, first: int, close: list[tuple[Integers, Integers]], relevant: Relevant, counts: Integers
) -> None:
    """Count the passages whose approximate score is too close to decide, by the exact one."""
    pairs, columns = (np.concatenate(parts) for parts in zip(*close, strict=True))
    scores = products.scores(relevant.queries[pairs], columns)
    columns = columns + first
    is_other = columns != relevant.own[pairs]
    above, is_equal = is_other & (scores > relevant.scores[pairs]), is_other & (scores == relevant.scores[pairs])
    by_id = is_equal & (relevant.id_ranks[columns] >= relevant.lesser_ids[pairs])
    in_order = is_equal & (columns < relevant.earlier[pairs])
    for kind, which in enumerate((above, is_equal, by_id, in_order)):
        counts[:, kind] += np.bincount(pairs[which], minlength=len(counts))


def _slots(queries: Integers) -> Iterator[Integers]:
    """Yield pairs with at most one of each query: the first of every query, then the second, and so on."""
    numbers = np.arange(len(queries)) - np.searchsorted(queries, queries)
    for number in range(int(numbers.max(initial=-1)) + 1):
        yield np.flatnonzero(numbers == number)


def _above(values: Floats) -> Floats:
    """The next float32 that is not less, and one more."""
    return np.nextafter(values.astype(np.float32), np.float32(np.inf))


def _below(values: Floats) -> Floats:
    """The next float32 that is not greater, and one less."""
    return np.nextafter(values.astype(np.float32), np.float32(-np.inf))


def _flat_indices(mask: NDArray[np.bool_]) -> Integers:
    """Return the flat indices of a mask; for one row in a fifth of the time of the two-dimensional question."""
    return np.flatnonzero(mask.ravel())


def _set_bits(mask: NDArray[np.bool_]) -> Integers:
    """Return the number of set entries of each row, in a third of the time of `count_nonzero`."""
    return np.bitwise_count(np.packbits(mask, axis=1)).sum(axis=1, dtype=np.int64)


def _best(entries: Entries, depth: int) -> Entries:
    """Return the K best passages of each query, in order."""
    order = np.lexsort((entries.positions, -entries.scores, entries.queries))
    queries = entries.queries[order]
    return entries.part(order[np.arange(len(order)) - np.searchsorted(queries, queries) < depth])


def _joined(parts: list[Entries]) -> Entries:
    parts = [Entries(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)), *parts]
    queries, positions, scores = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Entries(queries, positions, scores)


def _grid(entries: Entries, queries: int) -> tuple[Integers, Floats]:
    """Return positions and scores as one row for each query, [Q, any]; -1 and minus infinity for none."""
    counts = np.bincount(entries.queries, minlength=queries)
    columns = np.arange(len(entries.queries)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (queries, int(counts.max(initial=0)))
    positions, scores = np.full(shape, -1), np.full(shape, -np.inf, np.float32)
    positions[entries.queries, columns], scores[entries.queries, columns] = entries.positions, entries.scores
    return positions, scores
