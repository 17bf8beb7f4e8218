"""XLM-R of any size, for races: speed does not depend on the weights, so they are random."""

from transformers import XLMRobertaConfig

PADDING = 1
"""XLM-R's layout."""


def encoder_config(*, layers: int, width: int, heads: int, vocabulary: int, tokens: int) -> XLMRobertaConfig:
    """The configuration of an encoder without dropout, which would make the losses of two sides incomparable.

    Args:
        layers: number of layers of the transformer.
        width: width of its states.
        heads: number of heads of its attention.
        vocabulary: pieces.
        tokens: number of tokens of its longest text.
    """
    return XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        # XLM-R counts places from the padding index + 1.
        max_position_embeddings=tokens + PADDING + 1,
        type_vocab_size=1,
        pad_token_id=PADDING,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
