"""The order in which training reads: every item once, few shards at a time."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WINDOW = 4
"""Shards whose items are mixed: more mix better, and more of each language have to be at hand."""
KEPT = 2
"""Windows of an order in memory: a batch may go from one to the next."""


def starts_of(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Number of the first item of every shard, and of all items.

    Args:
        sizes: items of every shard.
    """
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


class Order:
    """All items in a random order that mixes `WINDOW` shards at a time.

    The shards are in random order, and the items of so many of them are in random order. Only the window that is read
    is drawn. Items that fit in one window are in the order that a single shard of them would have, so what is read does
    not depend on whether a small corpus is cut into shards.

    Args:
        sizes: items of every shard.
        seed: of the order; the same seed gives the same order.
    """

    def __init__(self, sizes: Sequence[int], seed: tuple[int, ...]) -> None:
        self._starts, self._seed = starts_of(sizes), seed
        shards = self._random(0).permutation(len(sizes)) if len(sizes) > WINDOW else np.arange(len(sizes))
        self._windows = [np.sort(shards[first : first + WINDOW]) for first in range(0, len(shards), WINDOW)]
        self._begins = starts_of([int(np.diff(self._starts)[window].sum()) for window in self._windows])
        self._items = lru_cache(maxsize=KEPT)(self._mixed)

    def __len__(self) -> int:
        """Number of items."""
        return int(self._starts[-1])

    def __getitem__(self, place: int) -> int:
        """The item at a place of the order.

        Raises:
            IndexError: there is no such place.
        """
        number, own = find(self._begins, place)
        return int(self._items(number)[own])

    def _mixed(self, number: int) -> NDArray[np.int64]:
        items = [np.arange(int(self._starts[shard]), int(self._starts[shard + 1])) for shard in self._windows[number]]
        # The first window by the plain seed: it is the only one of a corpus in one piece.
        return self._random(*([number] if number else [])).permutation(np.concatenate(items))

    def _random(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))


def find(starts: NDArray[np.int64], number: int) -> tuple[int, int]:
    """In which part an item is, and its number there.

    Args:
        starts: number of the first item of every part, and of all items.
        number: of the item.

    Raises:
        IndexError: there is no such item.
    """
    if not 0 <= number < starts[-1]:
        raise IndexError(number)
    part = int(np.searchsorted(starts, number, side="right")) - 1
    return part, int(number - starts[part])
