"""Takes from a checkpoint the embeddings of the pieces that a trimmed tokenizer keeps, in the order of its ids."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from msm.errors import BadInput


def kept_rows(
    checkpoint_pieces: Mapping[str, int], pieces: Mapping[str, int], checkpoint: str
) -> NDArray[np.int64] | None:
    """Return the row of the checkpoint's embeddings for every id of the tokenizer that is used with it.

    Args:
        checkpoint_pieces: piece to id of the checkpoint's own tokenizer.
        pieces: piece to id of the tokenizer that is used.
        checkpoint: name of the checkpoint, for messages.

    Returns:
        Rows, shape [pieces kept]; none where both tokenizers have the same ids.

    Raises:
        BadInput: a piece that the checkpoint has no embedding for.
    """
    if dict(checkpoint_pieces) == dict(pieces):
        return None
    if strange := sorted(piece for piece in pieces if piece not in checkpoint_pieces):
        raise BadInput(
            f"{checkpoint}: its tokenizer lacks {len(strange)} of the {len(pieces)} pieces, such as {strange[0]!r}"
        )
    rows = np.empty(max(pieces.values()) + 1, np.int64)
    rows.fill(checkpoint_pieces[min(pieces, key=pieces.__getitem__)])  # ids that no piece has
    for piece, number in pieces.items():
        rows[number] = checkpoint_pieces[piece]
    return rows


def keep_rows(model: Any, rows: NDArray[np.int64]) -> None:
    """Keep the embeddings of some pieces, and their rows of the language-model head, in a new order.

    Args:
        model: transformers model; changed in place.
        rows: old id of every new id, shape [pieces kept].
    """
    indices = torch.from_numpy(rows)
    embeddings = model.get_input_embeddings().weight.detach()[indices]
    head = model.get_output_embeddings()
    outputs = None if head is None else head.weight.detach()[indices]
    bias = None if head is None or head.bias is None else head.bias.detach()[indices]
    model.resize_token_embeddings(len(rows), mean_resizing=False)
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(embeddings)
        head = model.get_output_embeddings()
        if outputs is not None:
            head.weight.copy_(outputs)
        if bias is not None:
            head.bias.copy_(bias)
