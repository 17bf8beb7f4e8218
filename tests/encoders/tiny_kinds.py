"""Tiny models of other kinds than one vector a text, made with sentence-transformers."""

from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder, SparseEncoder
from sentence_transformers.base.modules import Dense, Normalize, Router, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling
from torch import nn
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

from tests.encoders.tiny import SIZES, WIDTH, tokenizer


def masked_checkpoint(folder: Path) -> Path:
    """A bare checkpoint with a masked-language head."""
    pieces = tokenizer()
    torch.manual_seed(0)
    sizes: dict[str, Any] = SIZES | {"vocab_size": len(pieces), "max_position_embeddings": 66}
    model = XLMRobertaForMaskedLM(XLMRobertaConfig(type_vocab_size=1, **sizes))
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn_like(weight)
    model.save_pretrained(folder)
    pieces.save_pretrained(folder)
    return folder


def splade(folder: Path, start: Path, *, static_queries: bool = False, similarity: str = "dot") -> Path:
    """A SPLADE model; with `static_queries`, questions are only looked up in a table of weights."""
    transformer = Transformer(str(start), transformer_task="fill-mask")
    modules: list[Any] = [transformer, SpladePooling("max")]
    if static_queries:
        torch.manual_seed(1)
        words: Any = transformer.tokenizer
        table = SparseStaticEmbedding(words, torch.rand(len(words)))
        modules = [Router.for_query_document(query_modules=[table], document_modules=modules)]
    model = SparseEncoder(modules=modules, device="cpu", similarity_fn_name=similarity)
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def late_interaction(folder: Path, start: Path, *, similarity: str = "maxsim") -> Path:
    """A model of one vector a token; periods of passages are left out, questions are filled up to 12 tokens."""
    torch.manual_seed(2)
    modules = [
        Transformer(str(start), query_expansion={"strategy": "fixed", "attend": False, "length": 12}),
        Dense(WIDTH, 8, bias=False, activation_function=nn.Identity(), module_input_name="token_embeddings"),
        MultiVectorMask(skiplist_words=["."]),
        Normalize(module_input_name="token_embeddings"),
    ]
    prompts = {"query": "ra ", "document": "bud "}
    model = MultiVectorEncoder(modules=modules, device="cpu", similarity_fn_name=similarity, prompts=prompts)
    model.save_pretrained(str(folder), create_model_card=False)
    return folder
