"""Configurations of XLM-R of any size, for comparisons of speed, which need no trained weights."""

from transformers import XLMRobertaConfig

PADDING = 1
"""Id of the padding token of XLM-R."""


def encoder_config(*, layers: int, width: int, heads: int, vocabulary: int, tokens: int) -> XLMRobertaConfig:
    """Return the configuration of an encoder without dropout, which would keep two losses from being compared.

    Args:
        layers: number of layers of the transformer.
        width: width of its states.
        heads: number of heads of its attention.
        vocabulary: number of pieces of its tokenizer.
        tokens: number of tokens of its longest text.
    """
    return XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        # XLM-R counts positions from the padding token's id + 1.
        max_position_embeddings=tokens + PADDING + 1,
        type_vocab_size=1,
        pad_token_id=PADDING,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
