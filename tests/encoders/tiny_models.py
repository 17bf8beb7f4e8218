"""Tiny random models of the architectures that people use, and their own results on padded batches."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoConfig, AutoModel, MT5EncoderModel, PreTrainedConfig, PreTrainedModel, T5EncoderModel

PACKED = (
    "bert roberta xlm-roberta camembert xlm-roberta-xl distilbert electra modernbert eurobert gte nomic_bert "
    "jina_embeddings_v3 qwen2 qwen3 llama mistral gemma gemma3_text mixtral"
).split()
"""Types that run packed."""
PADDED = "mpnet deberta-v2 longformer t5 mt5 gemma2 doge llama4_text".split()
"""Types that do not support the attention interface, or say that they do and mix tokens otherwise."""
SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "head_dim": 8,
    "max_position_embeddings": 90,
    "pad_token_id": 1,
    "d_model": 32,
    "num_layers": 2,
    "num_heads": 4,
    "d_kv": 8,
    "d_ff": 48,
    "hidden_dim": 48,
    "embedding_size": 32,
    "sliding_window": 6,
    "local_attention": 12,
    "global_attn_every_n_layers": 2,
    "attention_window": 8,
    "num_local_experts": 4,
}
"""Whatever of these a configuration has."""
LENGTHS = (3, 40, 7, 7, 8, 64, 1, 17)
HALVES: dict[str, type[PreTrainedModel]] = {"t5": T5EncoderModel, "mt5": MT5EncoderModel}


def tiny_config(kind: str, **changes: Any) -> PreTrainedConfig:
    """The configuration of a tiny model without dropout."""
    usual = AutoConfig.for_model(kind)
    dropouts = {name: 0.0 for name in vars(usual) if "dropout" in name and isinstance(getattr(usual, name), float)}
    sizes = {name: size for name, size in SIZES.items() if hasattr(usual, name)}
    return AutoConfig.for_model(kind, **(dropouts | sizes | changes))


def tiny_model(kind: str, **changes: Any) -> PreTrainedModel:
    """A model with random weights, biases and norms included, and without dropout, in evaluation mode."""
    config = tiny_config(kind, **changes)
    torch.manual_seed(0)
    model = HALVES[kind](config) if kind in HALVES else AutoModel.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.05 * torch.randn(weight.shape)
    return model.eval()


def sequences(lengths: tuple[int, ...] = LENGTHS) -> list[NDArray[np.int64]]:
    """Random token ids, none of them special."""
    random = np.random.default_rng(0)
    return [random.integers(5, 100, size=length) for length in lengths]


def padded_states(model: PreTrainedModel, texts: list[NDArray[np.int64]]) -> Tensor:
    """The model's own states of one padded batch, those of the padding left out, [T, H]."""
    tokens = torch.full((len(texts), max(map(len, texts))), 1)
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text)] = torch.from_numpy(text)
    mask = torch.arange(tokens.shape[1]) < torch.tensor([len(text) for text in texts])[:, None]
    usual = "sdpa" if model._supports_sdpa else "eager"
    model.set_attn_implementation(usual)
    return model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state[mask]
