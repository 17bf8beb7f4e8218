"""Weights of terms, most of them 0 (learned sparse retrieval): a score is an inner product over the terms in common.

Products of two float32 are exact in float64. They are added there in the order of the terms and rounded once, so a
score does not depend on the passages around it. A passage without a term in common scores 0 and stands in the ranking.

Shapes: S texts, V terms, B queries, N passages, E pairs.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from msm.collections.runs import Floats, Integers
from msm.retrieval.text_vectors import Arrays, TextVectors

_PAIRS = 2048
"""Number of pairs that are multiplied at once."""


class SparseProducts:
    """Inner products of queries and passages; they have no error.

    Args:
        queries: weights of the terms of the queries, in order, float64, [B, V].
        passages: weights of the terms of the passages, float64, [N, V].
    """

    def __init__(self, queries: csr_array, passages: csr_array) -> None:
        self.queries: Any = queries
        self.passages: Any = passages
        self.errors: Floats = np.zeros(self.queries.shape[0])
        """Bound of the error for each query: 0, [B]."""

    @cached_property
    def approximate(self) -> Floats:
        """Scores of all pairs, float32, [B, N]."""
        # Of each query, the products are added in the order of its terms.
        return (self.queries @ self.passages.T).toarray().astype(np.float32)

    def scores(self, rows: Integers, columns: Integers) -> Floats:
        """Return scores of some pairs, float32, [E]."""
        return self.approximate[rows, columns]


class SparseVectors(TextVectors):
    """Weights of the terms of each text.

    Args:
        values: a sparse matrix, [S, V].
    """

    def __init__(self, values: Any) -> None:
        self.values: Any = csr_array(values, dtype=np.float32)
        self.values.sum_duplicates()  # puts the terms in order as well

    @property
    def width(self) -> int:
        """Number of terms, V."""
        return int(self.values.shape[1])

    def __len__(self) -> int:
        """Return the number of texts, S."""
        return int(self.values.shape[0])

    def __getitem__(self, rows: slice | Integers) -> Self:
        """Return the vectors of some texts."""
        return type(self)(self.values[rows])

    def joined(self, others: Sequence[Self]) -> Self:
        """Return these vectors and then others."""
        return type(self)(vstack([self.values, *(other.values for other in others)], format="csr"))

    def arrays(self) -> Arrays:
        """Return the arrays that are written to disk."""
        values = self.values
        shape = np.array(values.shape)
        return {"weights": values.data, "terms": values.indices, "bounds": values.indptr, "shape": shape}

    def finite(self) -> NDArray[np.bool_]:
        """Return which texts have numbers only, [S]."""
        wrong = np.repeat(np.arange(len(self)), np.diff(self.values.indptr))[~np.isfinite(self.values.data)]
        return ~np.isin(np.arange(len(self)), wrong)

    def stored_bytes(self) -> int:
        """Return the number of bytes of the weights in fp32 and of the numbers of their terms."""
        return 8 * int(self.values.nnz)

    def longest(self) -> float:
        """Return 0, because the scores have no errors."""
        return 0.0

    def tile_scores(self, passages: Self, longest: float) -> SparseProducts:
        """Return inner products of these as queries with the passages of a tile."""
        del longest
        return SparseProducts(self.values.astype(np.float64), passages.values.astype(np.float64))

    def pair_scores(self, passages: Self, rows: Integers, columns: Integers) -> Floats:
        """Return scores of some pairs, float32, [E]."""
        sums = np.zeros(len(rows))
        for first in range(0, len(rows), _PAIRS):
            part = slice(first, first + _PAIRS)
            query_weights, passage_weights = self.values[rows[part]], passages.values[columns[part]]
            products = csr_array(query_weights.astype(np.float64).multiply(passage_weights.astype(np.float64)))
            products.sort_indices()
            pairs = np.repeat(np.arange(len(rows[part])), np.diff(products.indptr))
            # Added one after the other, in the order of the terms, as in a tile.
            sums[part] = np.bincount(pairs, products.data, len(rows[part]))
        return sums.astype(np.float32)
