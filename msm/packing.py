"""Sequences laid end to end, so that no padding is computed outside attention.

Shapes: S sequences, T tokens of all of them, n sequences of a group, L the longest of them.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

GROUP_STEP = 8
"""Lengths that differ by less share one attention call: fewer calls against a little padding inside them."""


class Group(NamedTuple):
    """Sequences of like length that share one attention call."""

    start: int
    """First packed row of the group."""
    sequences: int
    length: int
    rows: Tensor | None
    """Packed row of every (sequence, place), [n, L]; None when all have the same length and a view does."""
    mask: Tensor | None
    """True where `rows` is a real token, [n, L]."""


class Packed(NamedTuple):
    """Token sequences, sorted by length and laid end to end."""

    tokens: Tensor
    """[T]"""
    places: Tensor
    """Place of each token in its own sequence, from 0, [T]."""
    owners: Tensor
    """Sequence of each token, in the order given to `pack`, [T]."""
    starts: Tensor
    """Packed row of the first token of each sequence, in the order given to `pack`, [S]."""
    groups: list[Group]

    def to(self, device: torch.device) -> "Packed":
        """The same on a device."""
        groups = [
            group._replace(
                rows=None if group.rows is None else group.rows.to(device, non_blocking=True),
                mask=None if group.mask is None else group.mask.to(device, non_blocking=True),
            )
            for group in self.groups
        ]
        tokens, places, owners, starts = (part.to(device, non_blocking=True) for part in self[:4])
        return Packed(tokens, places, owners, starts, groups)


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
    order = np.argsort(lengths, kind="stable")
    sorted_lengths = lengths[order]
    offsets = np.concatenate([[0], np.cumsum(sorted_lengths)[:-1]])
    starts = np.empty_like(offsets)
    starts[order] = offsets
    places = np.arange(sorted_lengths.sum()) - np.repeat(offsets, sorted_lengths)
    tokens = np.concatenate([sequences[index] for index in order]).astype(np.int64)
    return Packed(
        torch.from_numpy(tokens),
        torch.from_numpy(places),
        torch.from_numpy(np.repeat(order, sorted_lengths)),
        torch.from_numpy(starts),
        _groups(sorted_lengths, offsets),
    )


def _groups(lengths: np.ndarray, offsets: np.ndarray) -> list[Group]:
    """Cut sorted lengths where they pass a multiple of `GROUP_STEP`."""
    buckets = -(-lengths // GROUP_STEP)
    cuts = [0, *(np.flatnonzero(np.diff(buckets)) + 1), len(lengths)]
    return [_group(lengths[low:high], offsets[low:high]) for low, high in itertools.pairwise(cuts)]


def _group(lengths: np.ndarray, offsets: np.ndarray) -> Group:
    longest = int(lengths[-1])
    head = (int(offsets[0]), len(lengths), longest)
    if lengths[0] == longest:
        return Group(*head, None, None)
    mask = np.arange(longest) < lengths[:, None]
    rows = np.where(mask, offsets[:, None] + np.arange(longest), offsets[:, None])
    return Group(*head, torch.from_numpy(rows), torch.from_numpy(mask))


def join(first: Packed, second: Packed) -> Packed:
    """Two packings end to end; attention stays within their sequences."""
    rows, sequences = len(first.tokens), len(first.starts)
    moved = [
        group._replace(start=group.start + rows, rows=None if group.rows is None else group.rows + rows)
        for group in second.groups
    ]
    return Packed(
        torch.cat([first.tokens, second.tokens]),
        torch.cat([first.places, second.places]),
        torch.cat([first.owners, second.owners + sequences]),
        torch.cat([first.starts, second.starts + rows]),
        first.groups + moved,
    )
