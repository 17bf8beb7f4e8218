"""Settings of the stage `encoder`."""

from dataclasses import dataclass

from msm.settings import Count, Settings, Share


@dataclass(frozen=True, kw_only=True)
class Encoder(Settings):
    """The start weights of a sentence encoder."""

    checkpoint: str
    """Folder or hub name of a Hugging Face encoder; empty for fresh weights of the sizes below."""
    layers: Count
    width: Count
    heads: Count
    feed_forward: Count
    positions: Count
    """Longest input in tokens."""
    dropout: Share
    seed: Count
