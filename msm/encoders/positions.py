"""Reads from a configuration how many tokens a transformer has positions for."""

from typing import Any

from torch import nn


def positions(model: Any) -> int | None:
    """Return the largest number of tokens that a transformer has positions for; None where there is no limit."""
    for module in model.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, nn.Embedding):
            # RoBERTa and its like count positions from the padding index + 1.
            padding = getattr(module, "padding_idx", None)
            return table.num_embeddings - (padding + 1 if isinstance(padding, int) else 0)
    limit = getattr(model.config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None
