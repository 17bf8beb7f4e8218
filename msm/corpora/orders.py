"""The random order in which training reads items: every item once, a few shards at a time."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WINDOW = 4
"""Number of shards whose items are mixed. More shards mix better, and more of each language must be on the disk."""
KEPT = 2
"""Number of windows of an order in memory; a batch may go from one window to the next."""


def starts_of(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Return the number of the first item of every shard, and the number of all items.

    Args:
        sizes: number of items of every shard.
    """
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


class Order:
    """All items in a random order that mixes `WINDOW` shards at a time.

    The shards are in random order, and so are the items of each window of shards. Only the window that is read is
    drawn. Items that fit in one window have the order that they would have in a single shard, so the order does not
    depend on whether a small corpus is cut into shards.

    Args:
        sizes: number of items of every shard.
        seed: seed of the order; the same seed gives the same order.
    """

    def __init__(self, sizes: Sequence[int], seed: tuple[int, ...]) -> None:
        self._starts, self._seed = starts_of(sizes), seed
        shards = self._random(0).permutation(len(sizes)) if len(sizes) > WINDOW else np.arange(len(sizes))
        self._windows = [np.sort(shards[first : first + WINDOW]) for first in range(0, len(shards), WINDOW)]
        self._begins = starts_of([int(np.diff(self._starts)[window].sum()) for window in self._windows])
        self._items = lru_cache(maxsize=KEPT)(self._mixed)

    def __len__(self) -> int:
        """Return the number of items."""
        return int(self._starts[-1])

    def __getitem__(self, place: int) -> int:
        """Return the item at a position of the order.

        Raises:
            IndexError: the position is outside of the order.
        """
        number, item = find(self._begins, place)
        return int(self._items(number)[item])

    def _mixed(self, number: int) -> NDArray[np.int64]:
        items = [np.arange(int(self._starts[shard]), int(self._starts[shard + 1])) for shard in self._windows[number]]
        # The first window has the plain seed, because a corpus in one piece has no other window.
        return self._random(*([number] if number else [])).permutation(np.concatenate(items))

    def _random(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))


def find(starts: NDArray[np.int64], number: int) -> tuple[int, int]:
    """Return the part that holds an item, and the number of the item there.

    Args:
        starts: number of the first item of every part, and the number of all items.
        number: number of the item.

    Raises:
        IndexError: there is no item of this number.
    """
    if not 0 <= number < starts[-1]:
        raise IndexError(number)
    part = int(np.searchsorted(starts, number, side="right")) - 1
    return part, int(number - starts[part])
