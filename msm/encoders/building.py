"""Builds sentence-transformers models from a bare checkpoint, or for training."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling
from torch import nn

from msm.errors import BadInput

POOLER = "pooler"
POOLINGS = (POOLER, *Pooling.POOLING_MODES)
TEXT: Any = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
"""Options of a transformer module that reads text and returns the states of its last layer."""


@dataclass(frozen=True)
class EncoderForm:
    """How an encoder that is trained here makes vectors of texts: pooling, lengths, prompts and towers."""

    pooling: str
    similarity: str
    query_tokens: int
    passage_tokens: int
    passage_context: str = "none"
    query_prompt: str = ""
    passage_prompt: str = ""
    question_mark: str = "kept"
    towers: Literal["one", "two"] = "one"
    """Number of transformers: `one` reads questions and passages, `two` are one for each."""
    scale: float = 1.0
    """Factor of the similarity in training; it does not change a ranking."""


def new_transformer(folder: Path, *, trust_remote_code: bool = False) -> Transformer:
    """Load the transformer of a bare checkpoint with its tokenizer, in fp32."""
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    transformer = Transformer(
        str(folder),
        model_kwargs={"dtype": torch.float32, "use_safetensors": True, **options},
        processor_kwargs=dict(options),
        config_kwargs=dict(options),
        modality_config=TEXT,
        module_output_name="token_embeddings",
    )
    tokenizer: Any = transformer.tokenizer
    if tokenizer.pad_token is None:
        # Padding is masked, so any token will do.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return transformer


def build_modules(transformers: Sequence[Transformer], *, pooling: str, normalise: bool = False) -> SentenceTransformer:
    """Build a model of one tower, or of one tower for questions and one for passages.

    Args:
        transformers: one transformer, or that of the questions and that of the passages.
        pooling: see `msm.encoders.usage.Usage`.
        normalise: whether the vectors have length 1.

    Raises:
        BadInput: an unknown pooling, or a pooler that the transformer does not have.
    """
    if pooling not in POOLINGS:
        raise BadInput(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}")
    towers = [[transformer, *_after(transformer, pooling, normalise)] for transformer in transformers]
    modules: list[Any] = towers[0]
    if len(towers) > 1:
        modules = [Router.for_query_document(query_modules=towers[0], document_modules=towers[1])]
    return SentenceTransformer(modules=modules, device="cpu")


def _after(transformer: Transformer, pooling: str, normalise: bool) -> list[Any]:
    width = transformer.get_embedding_dimension()
    modules: list[Any] = [Pooling(width, "cls" if pooling == POOLER else pooling)]  # type: ignore[arg-type]
    if pooling == POOLER:
        modules.append(_pooler(transformer, width))
    return [*modules, Normalize()] if normalise else modules


def _pooler(transformer: Transformer, width: int) -> Dense:
    """Return the checkpoint's own pooler; its weights are shared, so that both are trained and saved alike."""
    pooler: Any = getattr(transformer.model, "pooler", None)
    layer, activation = getattr(pooler, "dense", None), getattr(pooler, "activation", None)
    if not isinstance(layer, nn.Linear) or not isinstance(activation, nn.Tanh):
        name = type(transformer.model).__name__
        raise BadInput(f"{name} has no pooler of a dense layer and tanh; take another pooling")
    dense = Dense(width, layer.out_features)
    dense.linear = layer
    return dense


def shape_model(transformers: Sequence[Transformer], form: EncoderForm) -> SentenceTransformer:
    """Build a model of a given form, to be trained and saved.

    Args:
        transformers: one or two transformers to start from; a second tower is a copy of a single one.
        form: pooling, similarity, lengths, prompts, towers.

    Raises:
        BadInput: the pooling cannot be done.
    """
    if form.towers == "two" and len(transformers) == 1:
        transformers = [transformers[0], copy.deepcopy(transformers[0])]
    lengths = [form.query_tokens, form.passage_tokens]
    for place, transformer in enumerate(transformers):
        one = form.towers == "one"
        transformer.max_seq_length = lengths[-1] if one else lengths[place]
        apart = one and form.query_tokens != form.passage_tokens
        transformer.query_length, transformer.document_length = lengths if apart else (None, None)
    model = build_modules(transformers, pooling=form.pooling, normalise=form.similarity == "cosine")
    prompts: dict[str, str | None] = {"query": form.query_prompt, "document": form.passage_prompt}
    model.prompts = prompts
    model.similarity_fn_name = form.similarity  # type: ignore[assignment]
    return model
