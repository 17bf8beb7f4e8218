"""What a search needs of the vectors of texts, of whatever kind: one vector, terms, or one vector for each token.

Shapes: S texts, Q queries, B queries of a tile, N passages of a tile, E pairs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from msm.collections.runs import Floats, Integers
from msm.errors import BadInput

Arrays = dict[str, NDArray[Any]]


class TileScores(Protocol):
    """Scores of the queries and passages of a tile: approximate ones, the bound of their error, and the true ones."""

    approximate: cached_property[Floats]
    """Approximate scores, float32, [B, N]; computed when they are first asked for."""
    errors: Floats
    """Largest possible difference of `approximate` and the scores, for each query, float64, [B]."""

    def scores(self, rows: Integers, columns: Integers) -> Floats:
        """Return scores of some pairs, float32, [E]: the same numbers in a tile of any shape.

        Args:
            rows: index of the query of each pair, [E].
            columns: index of the passage of each pair, [E].
        """
        ...


class TextVectors(ABC):
    """Vectors of texts, and the score of a query and a passage."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of dimensions of a vector."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of texts, S."""

    @abstractmethod
    def __getitem__(self, rows: slice | Integers) -> Self:
        """Return the vectors of some texts."""

    @abstractmethod
    def joined(self, others: Sequence[Any]) -> Self:
        """Return these vectors and then others of the same kind."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """Return the arrays that are written to disk; see `msm.retrieval.vector_kinds.restored`."""

    @abstractmethod
    def finite(self) -> NDArray[np.bool_]:
        """Return which texts have numbers only, [S]."""

    @abstractmethod
    def stored_bytes(self) -> int:
        """Return the number of bytes that an index would keep of them."""

    @abstractmethod
    def longest(self) -> float:
        """Length of the longest vector, or more; 0 where scores have no errors that depend on it."""

    @abstractmethod
    def tile_scores(self, passages: Any, longest: float) -> TileScores:
        """Return scores of these as queries.

        Args:
            passages: vectors of a tile, of the same kind.
            longest: that of all passages the queries are compared with, in this tile and others.
        """

    @abstractmethod
    def pair_scores(self, passages: Any, rows: Integers, columns: Integers) -> Floats:
        """Return scores of some pairs of these as queries, float32, [E]: the same numbers as those of a tile.

        Args:
            passages: any number, of the same kind.
            rows: index of the query of each pair, [E].
            columns: index of the passage of each pair, [E].
        """


def check_finite(vectors: TextVectors, ids: list[str]) -> None:
    """Check that all vectors are numbers.

    Args:
        vectors: vectors of the texts.
        ids: ids of the texts, [S].

    Raises:
        BadInput: a vector is not.
    """
    finite = vectors.finite()
    if not finite.all():
        raise BadInput(f"the model's vector of {ids[int(np.argmin(finite))]} is not finite; its training diverged")
