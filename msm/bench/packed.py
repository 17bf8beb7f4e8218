"""`msm bench packed` times every type of model that runs on packed texts against the same model on padded batches.

The padded side is the way of all other architectures: batches of texts of similar length, with the attention of
transformers.
Models have random weights, 4 layers of width 256; their sequences are as long as sentences and as passages. Nothing is
downloaded.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel

from msm.bench.race import race
from msm.encoders.packed import padded_states, runs_packed, token_states
from msm.encoders.token_packing import PackedTokens, pack

KINDS = (
    "bert roberta xlm-roberta camembert xlm-roberta-xl distilbert electra modernbert eurobert gte nomic_bert "
    "jina_embeddings_v3 qwen2 qwen3 llama mistral gemma gemma3_text mixtral"
).split()
"""Types of transformers' configurations that run packed."""
PIECES = 8000
SIZES = {
    "vocab_size": PIECES,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 1024,
    "head_dim": 64,
    "max_position_embeddings": 514,
    "pad_token_id": 1,
    **dict.fromkeys(("bos_token_id", "cls_token_id"), 0),
    **dict.fromkeys(("eos_token_id", "sep_token_id"), 2),
    "mask_token_id": 3,
    "hidden_dim": 1024,
    "embedding_size": 256,
    "num_local_experts": 4,
}
"""Names of settings to their values, of which a configuration gets those that it has."""
LENGTHS = {"sentences": (3.2, 0.5), "passages": (4.8, 0.45)}
"""Mean and standard deviation of the logarithm of the number of tokens, by kind of text."""
LONGEST = 400
TOKENS = 4096
"""Number of tokens of a batch, the largest that is encoded at once on a CPU."""
CLOSE = 1e-4
"""Largest difference of the states of both sides, as a share of their norm."""


def run(quick: bool, *, kinds: Sequence[str] = KINDS) -> Iterator[dict[str, Any]]:
    """The comparisons of `docs/speed.md`.

    Args:
        quick: whether a quarter of the tokens, the sentences alone and fewer pairs are taken.
        kinds: types of configurations that are compared.

    Raises:
        AssertionError: an architecture does not run packed, or its states differ from those of its padded batches.
    """
    tokens, pairs = (TOKENS // 4, 3) if quick else (TOKENS, 7)
    for kind in kinds:
        ours, theirs = random_model(kind), random_model(kind)
        theirs.set_attn_implementation("sdpa" if theirs._supports_sdpa else "eager")
        if not runs_packed(ours):
            raise AssertionError(f"{kind} does not run packed")
        for texts in ["sentences"] if quick else LENGTHS:
            yield _race(kind, texts, ours, theirs, random_sequences(texts, tokens), pairs)


def _race(
    kind: str, texts: str, ours: PreTrainedModel, theirs: PreTrainedModel, packed_tokens: PackedTokens, pairs: int
) -> dict[str, Any]:
    with torch.inference_mode():
        states, padded_outputs = token_states(ours, packed_tokens), padded_states(theirs, packed_tokens)
        if (states - padded_outputs).norm() > CLOSE * padded_outputs.norm():
            raise AssertionError(f"{kind}: packed and padded states differ")
        return race(
            "packed_vs_padded",
            lambda: token_states(ours, packed_tokens),
            lambda: padded_states(theirs, packed_tokens),
            pairs,
            **{"shape": kind, "kind": texts, "tokens": len(packed_tokens.tokens), "precision": "fp32"},
        )


def random_model(kind: str) -> PreTrainedModel:
    """Return a model of a type with random weights, the same at every call, in evaluation mode."""
    usual = AutoConfig.for_model(kind)
    sizes = {name: size for name, size in SIZES.items() if hasattr(usual, name)}
    torch.manual_seed(0)
    return AutoModel.from_config(AutoConfig.for_model(kind, **sizes)).eval()


def random_sequences(texts: str, tokens: int) -> PackedTokens:
    """Return sequences of random tokens, as long as texts of a kind and of about so many tokens together."""
    random = np.random.default_rng(0)
    sequences, count = [], 0
    while count < tokens:
        length = int(np.clip(np.exp(random.normal(*LENGTHS[texts])), 4, LONGEST))
        sequences.append(random.integers(5, PIECES, size=length))
        count += length
    return pack(sequences)
