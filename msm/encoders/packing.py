"""Sequences laid end to end, so that no padding is computed outside attention.

Shapes: S sequences, T tokens of all of them, n sequences of a group, L the longest of them, P places of all groups.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GROUP_STEP = 8
"""Lengths that differ by less share one attention call: fewer calls against a little padding inside them."""


class Group(NamedTuple):
    """Sequences of like length that share one attention call."""

    sequences: int
    length: int
    """Of the longest of them."""
    mask: Tensor | None
    """True where there is a token, [n, L]; None when all have the same length."""


class Packed(NamedTuple):
    """Token sequences laid end to end, and the layout in which attention reads them."""

    tokens: Tensor
    """[T]"""
    places: Tensor
    """Place of each token in its own sequence, from 0, [T]."""
    owners: Tensor
    """Sequence of each token, [T]."""
    starts: Tensor
    """Packed row of the first token of each sequence, [S]."""
    padded: Tensor
    """Packed row that stands at each place of the groups, one behind the other, [P]; any of them at the padding."""
    kept: Tensor
    """Where in that layout each token stands, [T]."""
    groups: list[Group]

    def to(self, device: torch.device) -> "Packed":
        """The same on a device."""
        groups = [
            group._replace(mask=None if group.mask is None else group.mask.to(device, non_blocking=True))
            for group in self.groups
        ]
        tokens, places, owners, starts, padded, kept = (part.to(device, non_blocking=True) for part in self[:6])
        return Packed(tokens, places, owners, starts, padded, kept, groups)


def pack(sequences: Sequence[np.ndarray]) -> Packed:
    """Lay sequences end to end.

    Args:
        sequences: token ids, each of length 1 or more.

    Raises:
        ValueError: no sequence, or an empty one.
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    if not len(lengths) or lengths.min() == 0:
        raise ValueError("pack needs at least one sequence, and no empty ones")
    return _laid_out(np.concatenate(sequences).astype(np.int64), lengths)


def join(first: Packed, second: Packed) -> Packed:
    """Two packings end to end; attention stays within their sequences."""
    tokens = np.concatenate([first.tokens.numpy(), second.tokens.numpy()])
    return _laid_out(tokens, np.concatenate([_lengths(first), _lengths(second)]))


def _lengths(packed: Packed) -> NDArray[np.int64]:
    return np.bincount(packed.owners.numpy())


def _laid_out(tokens: NDArray[np.int64], lengths: NDArray[np.int64]) -> Packed:
    starts = np.cumsum(lengths) - lengths
    owners = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(tokens)) - starts[owners]
    groups, rows, masks = [], [], []
    for members in _alike(lengths):
        longest = int(lengths[members].max())
        mask = np.arange(longest) < lengths[members, None]
        rows.append(np.where(mask, starts[members, None] + np.arange(longest), starts[members, None]).ravel())
        masks.append(mask.ravel())
        groups.append(Group(len(members), longest, None if mask.all() else torch.from_numpy(mask)))
    padded, real = np.concatenate(rows), np.concatenate(masks)
    kept = np.empty(len(tokens), dtype=np.int64)
    kept[padded[real]] = np.flatnonzero(real)
    return Packed(
        torch.from_numpy(tokens),
        torch.from_numpy(places),
        torch.from_numpy(owners),
        torch.from_numpy(starts),
        torch.from_numpy(padded),
        torch.from_numpy(kept),
        groups,
    )


def _alike(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Sequences by length, cut where a length passes a multiple of `GROUP_STEP`."""
    order = np.argsort(lengths, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(-(-lengths[order] // GROUP_STEP))) + 1)
