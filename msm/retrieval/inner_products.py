"""Computes inner products that are the same numbers whatever machine and block shape computes them.

The last bits of a matrix product in float32 depend on the shape of its blocks, on the library and on the processor, so
two passages with the same vector could get two scores. The score here is the inner product of the float32 vectors
summed with twice the digits of float64 and rounded once to float32. A float32 matrix product with a proven bound of
its error says which pairs need that: all others are certainly greater or certainly less than what they are compared
with. Most of those get it from float64, where a second bound proves that more digits would round alike.

Shapes: B queries, N passages, H width, E pairs.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from msm.collections.runs import Floats, Integers
from msm.retrieval.text_vectors import Arrays, TextVectors

DENSE_SHARE = 1 / 20
"""Share of all pairs from which on a whole float64 product costs less than one pair after the other."""
_PAIRS = 256
"""Number of pairs that are summed at once; more leave the cache."""
_COMPENSATED_PAIRS = 2048
"""Number of pairs that are summed at once where each step is a call."""
_SPARE = 8
"""Number of roundings beside those of the sum, and those of the norms."""


class Products:
    """Inner products of queries and passages, with the bound of their error.

    Args:
        queries: float32, [B, H].
        passages: float32, [N, H].
        longest: length of the longest passage, or more.
    """

    def __init__(self, queries: Floats, passages: Floats, longest: float) -> None:
        self.queries, self.passages = queries, passages
        size = (queries.shape[1] + _SPARE) * longest * lengths(queries)
        self.errors: Floats = 2.0**-24 * size + queries.shape[1] * float(np.finfo(np.float32).tiny)
        """Most that `approximate` is away from the scores, for each query, float64, [B]."""
        # Twice the bound, so that it covers both the fast sum and the compensated one.
        self._doubts: Floats = 2 * 2.0**-53 * size

    @cached_property
    def approximate(self) -> Floats:
        """Approximate products, float32, [B, N]."""
        return self.queries @ self.passages.T

    def scores(self, rows: Integers, columns: Integers) -> Floats:
        """Return scores of some pairs, float32, [E].

        Args:
            rows: index of the query of each pair, [E].
            columns: index of the passage of each pair, [E].
        """
        if len(rows) > DENSE_SHARE * len(self.queries) * len(self.passages):
            sums = self._doubles[rows, columns]
        else:
            sums = _sums(self.queries, self.passages, rows, columns)
        scores, upper_scores = (
            (sums - self._doubts[rows]).astype(np.float32),
            (sums + self._doubts[rows]).astype(np.float32),
        )
        doubtful = np.flatnonzero(scores != upper_scores)
        if len(doubtful):
            scores[doubtful] = pair_scores(self.queries, self.passages, rows[doubtful], columns[doubtful])
        return scores

    @cached_property
    def _doubles(self) -> Floats:
        return self.queries.astype(np.float64) @ self.passages.astype(np.float64).T


def pair_scores(queries: Floats, passages: Floats, rows: Integers, columns: Integers) -> Floats:
    """Return scores of some pairs without the products of all others, float32, [E].

    Args:
        queries: float32, [any, H].
        passages: float32, [any, H].
        rows: index of the query of each pair, [E].
        columns: index of the passage of each pair, [E].
    """
    scores = np.empty(len(rows), np.float32)
    for first in range(0, len(rows), _COMPENSATED_PAIRS):
        part = slice(first, first + _COMPENSATED_PAIRS)
        scores[part] = _compensated(queries[rows[part]], passages[columns[part]])
    return scores


def lengths(vectors: Floats) -> Floats:
    """Return the lengths of vectors, float64, [any]."""
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))


def _sums(queries: Floats, passages: Floats, rows: Integers, columns: Integers) -> Floats:
    """Inner products in float64, in whatever order, [E]."""
    sums = np.empty(len(rows))
    for first in range(0, len(rows), _PAIRS):
        part = slice(first, first + _PAIRS)
        sums[part] = np.einsum("ij,ij->i", queries[rows[part]], passages[columns[part]], dtype=np.float64)
    return sums


def _compensated(queries: Floats, passages: Floats) -> Floats:
    """Return the inner product of every row with its partner, as if summed with twice the digits of float64, [E].

    Each step is one operation on all rows, so that a row's result does not depend on the others.

    Source: Ogita, Rump, Oishi, Accurate Sum and Dot Product, SIAM J. Sci. Comput. 26 (2005), Sum2.
    """
    # A product of two float32 is exact in float64.
    terms = queries.T.astype(np.float64) * passages.T
    total, errors = np.zeros(len(queries)), np.zeros(len(queries))
    for term in terms:
        next_total = total + term
        addend = next_total - total
        errors += (total - (next_total - addend)) + (term - addend)
        total = next_total
    return (total + errors).astype(np.float32)


class DenseVectors(TextVectors):
    """One vector for each text; a score is an inner product.

    Args:
        values: float32, [S, H].
    """

    def __init__(self, values: Floats) -> None:
        self.values: Floats = np.ascontiguousarray(values, np.float32)

    @property
    def width(self) -> int:
        """Number of dimensions of a vector, H."""
        return self.values.shape[1]

    def __len__(self) -> int:
        """Return the number of texts, S."""
        return len(self.values)

    def __getitem__(self, rows: slice | Integers) -> Self:
        """Return the vectors of some texts."""
        return type(self)(self.values[rows])

    def joined(self, others: Sequence[Self]) -> Self:
        """Return these vectors and then others."""
        return type(self)(np.concatenate([self.values, *(other.values for other in others)]))

    def arrays(self) -> Arrays:
        """Return the arrays that are written to disk."""
        return {"vectors": self.values}

    def finite(self) -> NDArray[np.bool_]:
        """Return which texts have numbers only, [S]."""
        return np.asarray(np.isfinite(self.values).all(axis=1))

    def stored_bytes(self) -> int:
        """Return the number of bytes in fp32; an index of smaller vectors keeps fewer (see `msm.encoders.vectors`)."""
        return self.values.nbytes

    def longest(self) -> float:
        """Length of the longest vector."""
        return float(lengths(self.values).max(initial=0))

    def tile_scores(self, passages: Self, longest: float) -> Products:
        """Return the inner products of these as queries with the passages of a tile."""
        return Products(self.values, passages.values, longest)

    def pair_scores(self, passages: Self, rows: Integers, columns: Integers) -> Floats:
        """Return scores of some pairs, float32, [E]."""
        return pair_scores(self.values, passages.values, rows, columns)
