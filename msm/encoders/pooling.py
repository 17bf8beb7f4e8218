"""Pools the states of packed tokens to one vector for each sequence.

Shapes: T packed tokens, S sequences, H width.
"""

import torch
from torch import Tensor

from msm.encoders.settings import StatePooling
from msm.encoders.token_packing import PackedTokens


def pool(states: Tensor, packed_tokens: PackedTokens, pooling: StatePooling) -> Tensor:
    """Return one vector for each sequence.

    Args:
        states: states of the tokens, [T, H].
        packed_tokens: the sequences. Without padding the last token of a row is the last one of its text, on whichever
            side the tokenizer pads.
        pooling: see `msm.encoders.settings.StatePooling`.

    Returns:
        [S, H], in the order given to `pack`; means are of fp32.
    """
    if pooling in ("cls", "lasttoken"):
        return states[packed_tokens.starts if pooling == "cls" else packed_tokens.ends]
    if pooling == "max":
        return _largest(states, packed_tokens)
    weights = (
        packed_tokens.positions[:, None] + 1
        if pooling == "weightedmean"
        else torch.ones_like(packed_tokens.positions)[:, None]
    )
    sums = _sums(states.float() * weights if pooling == "weightedmean" else states.float(), packed_tokens)
    totals = _sums(weights.float(), packed_tokens)
    return sums / (totals.sqrt() if pooling == "mean_sqrt_len_tokens" else totals)


def _sums(values: Tensor, packed_tokens: PackedTokens) -> Tensor:
    zeros = values.new_zeros(len(packed_tokens.starts), values.shape[1])
    return zeros.index_add(0, packed_tokens.owners, values)


def _largest(states: Tensor, packed_tokens: PackedTokens) -> Tensor:
    layout, parts, members = packed_tokens.layout, [], []
    for group, slots in zip(layout.groups, layout.slots.split(layout.sizes), strict=True):
        # Slots of padding hold another copy of a sequence's first row, which changes no maximum.
        parts.append(states[slots].unflatten(0, (group.sequences, group.length)).amax(1))
        members.append(packed_tokens.owners[slots[:: group.length]])
    return torch.cat(parts)[torch.cat(members).argsort()]
