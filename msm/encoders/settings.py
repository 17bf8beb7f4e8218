"""Settings of the stage `encoder`."""

from dataclasses import dataclass
from typing import Literal

from msm.errors import BadInput
from msm.settings import Count, Settings, Share

StatePooling = Literal["cls", "mean", "max", "weightedmean", "mean_sqrt_len_tokens", "lasttoken"]
"""How the states of a sequence become its vector, in the words of sentence-transformers: `cls` takes the first token,
`lasttoken` the last one, `mean` and `max` all of them; `weightedmean` weights each token by its position, from 1;
`mean_sqrt_len_tokens` divides the sum by the square root of the length."""
Pooling = Literal[StatePooling, "pooler"]
"""These, and `pooler`: the first token through the model's own dense layer (BERT: with tanh)."""


@dataclass(frozen=True, kw_only=True)
class Encoder(Settings):
    """Makes the start weights of a sentence encoder."""

    checkpoint: str = ""
    """Folder or hub name of a Hugging Face encoder; `e5_small` or `e5_small_q4` for multilingual-e5-small as published
    or from blocks of four bits; empty for fresh weights of the sizes below."""
    layers: Count = 0
    """Number of transformer layers of a fresh encoder, or of the first layers of a checkpoint that are kept; 0 keeps
    all layers of a checkpoint."""
    width: Count = 0
    """Number of dimensions of token states and vectors of a fresh encoder, a multiple of `heads`. With a checkpoint,
    leave this size and all others at 0, since a checkpoint has its own sizes."""
    heads: Count = 0
    """Number of attention heads of a layer."""
    feed_forward: Count = 0
    """Inner size of the feed-forward network of a layer."""
    positions: Count = 0
    """Largest number of tokens of an input."""
    dropout: Share = 0.0
    """Dropout rate of a fresh encoder, in attention and elsewhere; a checkpoint keeps its own."""
    seed: Count
    """Seed of fresh weights."""

    def __post_init__(self) -> None:
        """Check every field, and that a fresh encoder has all its sizes.

        Raises:
            BadInput: a value is outside its type or limits, or a size is missing.
        """
        super().__post_init__()
        if self.checkpoint:
            return
        sizes = ("layers", "width", "heads", "feed_forward", "positions")
        if zeros := [name for name in sizes if not getattr(self, name)]:
            raise BadInput(f"{zeros[0]} must be at least 1 for a fresh encoder, got 0")
        if self.width % self.heads:
            raise BadInput(f"width must be a multiple of heads, got {self.width} and {self.heads}")
