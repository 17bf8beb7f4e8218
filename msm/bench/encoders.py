"""Configurations of XLM-R and ModernBERT of any size, for comparisons of speed, which need no trained weights."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import ModernBertConfig, PreTrainedConfig, PreTrainedModel, XLMRobertaConfig

from msm.encoders.precision import Precision, has_bf16

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


def modernbert_config(vocabulary: int, **sizes: int) -> PreTrainedConfig:
    """Return the configuration of a ModernBERT with XLM-R's special tokens.

    Args:
        vocabulary: number of pieces of its tokenizer.
        sizes: values of `ModernBertConfig`, such as `hidden_size`; the others are those of the base shape.
    """
    special: dict[str, Any] = dict.fromkeys(("bos_token_id", "cls_token_id"), 0)
    special |= dict.fromkeys(("eos_token_id", "sep_token_id"), 2)
    return ModernBertConfig(vocab_size=vocabulary, pad_token_id=PADDING, **sizes, **special)


def fast_precisions(device: torch.device) -> tuple[Precision, ...]:
    """Return the number formats that a device has units for; others are computed several times slower."""
    return ("fp32", "bf16") if has_bf16(device) else ("fp32",)


def layers_of(model: PreTrainedModel) -> Iterator[nn.Module]:
    """Yield the layers of a transformer, under whichever name its class keeps them."""
    yield from next(module for module in model.modules() if isinstance(module, nn.ModuleList))


def layer_flop(model: PreTrainedModel, lengths: Sequence[int]) -> float:
    """Return the floating-point operations of a forward pass of the layers of a transformer.

    Two for each weight and token, and those of full attention; where a layer attends to neighbours only, it has fewer.

    Args:
        model: the transformer.
        lengths: lengths of the texts in tokens.
    """
    tokens = np.array(lengths, np.float64)
    weights = sum(weight.numel() for layer in layers_of(model) for weight in layer.parameters())
    attention = 4 * model.config.hidden_size * model.config.num_hidden_layers
    return float(2 * weights * tokens.sum() + attention * (tokens**2).sum())
