"""What a search needs of the vectors of texts, whatever kind they are: one vector, terms, or one vector a token.

Shapes: S texts, Q queries, B queries of a tile, N passages of a tile, E pairs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from msm.collections.runs import Floats, Integers
from msm.errors import BadInput

Arrays = dict[str, NDArray[Any]]


class TileScores(Protocol):
    """Scores of the queries and passages of a tile: fast ones, how wrong they may be, and the true ones."""

    approximate: Floats
    """float32, [B, N]."""
    errors: Floats
    """Most that `approximate` is away from the scores, for each query, float64, [B]."""

    def scores(self, rows: Integers, columns: Integers) -> Floats:
        """Scores of some pairs, float32, [E]: the same numbers in a tile of any shape.

        Args:
            rows: query of each pair, [E].
            columns: passage of each pair, [E].
        """
        ...


class TextVectors(ABC):
    """Vectors of texts, and the score of a query and a passage."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Dimensions of a vector."""

    @abstractmethod
    def __len__(self) -> int:
        """S."""

    @abstractmethod
    def __getitem__(self, rows: slice | Integers) -> Self:
        """Those of some texts."""

    @abstractmethod
    def joined(self, others: Sequence[Any]) -> Self:
        """These and then others of the same kind."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """To be written down; see `msm.retrieval.vector_kinds.restored`."""

    @abstractmethod
    def finite(self) -> NDArray[np.bool_]:
        """Which texts have numbers only, [S]."""

    @abstractmethod
    def stored_bytes(self) -> int:
        """What an index would keep of them, in bytes."""

    @abstractmethod
    def longest(self) -> float:
        """Length of the longest vector, or more; 0 where scores have no errors that depend on it."""

    @abstractmethod
    def tile_scores(self, passages: Any, longest: float) -> TileScores:
        """Scores of these as queries.

        Args:
            passages: of a tile, of the same kind.
            longest: that of all passages the queries are compared with, in this tile and others.
        """

    @abstractmethod
    def pair_scores(self, passages: Any, rows: Integers, columns: Integers) -> Floats:
        """Scores of some pairs of these as queries, float32, [E]: the same numbers as those of a tile.

        Args:
            passages: any number, of the same kind.
            rows: query of each pair, [E].
            columns: passage of each pair, [E].
        """


def check_finite(vectors: TextVectors, ids: list[str]) -> None:
    """See that all vectors are numbers.

    Args:
        vectors: of texts.
        ids: of the texts, [S].

    Raises:
        BadInput: one is not.
    """
    finite = vectors.finite()
    if not finite.all():
        raise BadInput(f"the model's vector of {ids[int(np.argmin(finite))]} is not finite; its training diverged")
