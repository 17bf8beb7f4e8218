"""Sequences laid end to end, so that no padding is computed outside attention.

Shapes: S sequences, T tokens of all of them, n sequences of a group, L the longest of them, P slots of all groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GROUP_STEP = 8
"""Sequences whose lengths differ by less than this many tokens share one attention call: fewer calls against a
little padding inside them."""
BATCH_FILL = 0.75
"""Smallest share of real tokens in a row of a padded batch, for models that cannot be packed; a batch ends before a
sequence that would leave a row emptier."""


class Group(NamedTuple):
    """Sequences of like length that are computed as one padded batch."""

    sequences: int
    """Number of sequences, n."""
    length: int
    """Number of slots of each sequence, L."""
    mask: Tensor | None
    """True where there is a token, [n, L]; None when all have the same length."""


@dataclass(frozen=True)
class SlotLayout:
    """Which packed token fills which slot of the padded groups, and where each token is found again."""

    slots: Tensor
    """Index of the packed token that fills each slot of all groups, [P = sum of n * L]. Padding slots hold the index of
    the first token of their sequence."""
    token_slots: Tensor
    """Slot of each packed token, [T]."""
    groups: list[Group]

    @property
    def sizes(self) -> list[int]:
        """Number of slots of each group; their sum is P."""
        return [group.sequences * group.length for group in self.groups]

    def to(self, device: torch.device) -> "SlotLayout":
        """Return a copy on a device."""
        masks = [None if group.mask is None else _move(group.mask, device) for group in self.groups]
        groups = [group._replace(mask=mask) for group, mask in zip(self.groups, masks, strict=True)]
        return SlotLayout(_move(self.slots, device), _move(self.token_slots, device), groups)


@dataclass(frozen=True)
class PackedTokens:
    """Token sequences laid end to end, and the layout in which attention reads them."""

    tokens: Tensor
    """Token ids, [T]."""
    types: Tensor | None
    """Token types as the tokenizer gives them for text pairs, [T]; None for all of type 0."""
    positions: Tensor
    """Position of each token in its own sequence, from 0, [T]."""
    owners: Tensor
    """Sequence of each token, [T]."""
    bounds: Tensor
    """Packed row of the first token of each sequence, and T at the end, [S + 1], 32-bit integers."""
    lengths: NDArray[np.int64]
    """Number of tokens of each sequence, [S]; always in main memory."""
    layout: SlotLayout
    """Groups for attention: sequences whose lengths differ by less than `GROUP_STEP`."""

    @property
    def starts(self) -> Tensor:
        """Packed row of the first token of each sequence, [S]."""
        return self.bounds[:-1].long()

    @property
    def ends(self) -> Tensor:
        """Packed row of the last token of each sequence, [S]."""
        return self.bounds[1:].long() - 1

    @property
    def longest(self) -> int:
        """Number of tokens of the longest sequence."""
        return int(self.lengths.max())

    def to(self, device: torch.device) -> "PackedTokens":
        """Return a copy on a device."""
        types = None if self.types is None else _move(self.types, device)
        tokens, positions, owners, bounds = (
            _move(part, device) for part in (self.tokens, self.positions, self.owners, self.bounds)
        )
        return PackedTokens(tokens, types, positions, owners, bounds, self.lengths, self.layout.to(device))


def pack(sequences: Sequence[np.ndarray], types: Sequence[np.ndarray] | None = None) -> PackedTokens:
    """Lay sequences end to end.

    Args:
        sequences: token ids, each of length 1 or more.
        types: token type of each token, for models that read text pairs.

    Raises:
        ValueError: no sequence, or an empty one.
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    if not len(lengths) or lengths.min() == 0:
        raise ValueError("pack needs at least one sequence, and no empty ones")
    return _packed(_joined(sequences), None if types is None else _joined(types), lengths)


def join(first: PackedTokens, second: PackedTokens) -> PackedTokens:
    """Join two packings end to end, in main memory; attention stays within their sequences."""
    tokens = torch.cat([first.tokens, second.tokens])
    types = None
    if first.types is not None or second.types is not None:
        parts = [torch.zeros_like(part.tokens) if part.types is None else part.types for part in (first, second)]
        types = torch.cat(parts)
    return _packed(tokens, types, np.concatenate([first.lengths, second.lengths]))


def padded_batches(packed_tokens: PackedTokens) -> SlotLayout:
    """Return the sequences as few padded batches, by length, each row filled to `BATCH_FILL` or more."""
    order = np.argsort(packed_tokens.lengths, kind="stable")
    cuts, shortest = [], 0
    for place, length in enumerate(packed_tokens.lengths[order]):
        if length * BATCH_FILL > shortest + GROUP_STEP:
            cuts.append(place)
            shortest = length
    return _lay_out(packed_tokens.lengths, np.split(order, [end for end in cuts if end])).to(
        packed_tokens.tokens.device
    )


def _joined(sequences: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(sequences).astype(np.int64))


def _packed(tokens: Tensor, types: Tensor | None, lengths: NDArray[np.int64]) -> PackedTokens:
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    owners = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.arange(len(tokens)) - bounds[owners]
    return PackedTokens(
        tokens,
        types,
        torch.from_numpy(positions),
        torch.from_numpy(owners),
        torch.from_numpy(bounds.astype(np.int32)),
        lengths,
        _lay_out(lengths, _alike(lengths)),
    )


def _alike(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Yield sequences by length, cut where a length passes a multiple of `GROUP_STEP`."""
    order = np.argsort(lengths, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(-(-lengths[order] // GROUP_STEP))) + 1)


def _lay_out(lengths: NDArray[np.int64], parts: Sequence[NDArray[np.int64]]) -> SlotLayout:
    """The slots of groups, each given by its sequences."""
    starts = np.cumsum(lengths) - lengths
    groups, rows, masks = [], [], []
    for members in parts:
        longest = int(lengths[members].max())
        mask = np.arange(longest) < lengths[members, None]
        rows.append(np.where(mask, starts[members, None] + np.arange(longest), starts[members, None]).ravel())
        masks.append(mask.ravel())
        groups.append(Group(len(members), longest, None if mask.all() else torch.from_numpy(mask)))
    slots, real = np.concatenate(rows), np.concatenate(masks)
    positions = np.empty(int(lengths.sum()), dtype=np.int64)
    positions[slots[real]] = np.flatnonzero(real)
    return SlotLayout(torch.from_numpy(slots), torch.from_numpy(positions), groups)


def _move(values: Tensor, device: torch.device) -> Tensor:
    return values.to(device, non_blocking=True)
