"""The modules that turn one side's texts into vectors: sentence-transformers' own, without their padding.

sentence-transformers tokenises, pools and does all that follows; only the transformer between is run our way, packed
where its class supports that, else padded and sorted by length.

Shapes: T tokens, S sequences, H width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sentence_transformer.modules import Dense, Dropout, LayerNorm, Normalize, Pooling
from torch import Tensor, nn

from msm.encoders.packed import runs_packed, token_states
from msm.encoders.token_packing import pack
from msm.encoders.usage import Text

AFTER_POOLING = (Dense, Dropout, LayerNorm, Normalize)
"""Modules that see one vector of each text, and nothing of its tokens."""
TOKENS, VECTOR = "token_embeddings", "sentence_embedding"


@dataclass
class Tokens:
    """Texts as token ids, made in another thread than the one that encodes."""

    ids: list[NDArray[np.int64]]
    types: list[NDArray[np.int64]] | None
    """Token types of each text, where the tokenizer gives any but 0."""
    prompt_length: int | None
    """Number of tokens of the prompt at the front of every text, for a pooling that leaves them out."""

    def __len__(self) -> int:
        return len(self.ids)

    def joined(self, other: "Tokens") -> "Tokens":
        """Return these texts and then others, for a model that pools prompts as well."""
        types = self.all_types() + other.all_types() if self.types or other.types else None
        return Tokens(self.ids + other.ids, types, None)

    def part(self, first: int, last: int) -> "Tokens":
        """Return the texts from index `first` up to, and without, index `last`."""
        types = None if self.types is None else self.types[first:last]
        return Tokens(self.ids[first:last], types, self.prompt_length)

    def some(self, rows: Sequence[int]) -> "Tokens":
        """Return the texts of some indices."""
        types = None if self.types is None else [self.types[row] for row in rows]
        return Tokens([self.ids[row] for row in rows], types, self.prompt_length)

    def names(self) -> list[bytes]:
        """Yield bytes for each text that are the same for the same tokens only."""
        types = [b""] * len(self) if self.types is None else [some.tobytes() for some in self.types]
        head = f"{self.prompt_length} ".encode()
        return [head + ids.tobytes() + b"\0" + some for ids, some in zip(self.ids, types, strict=True)]

    def all_types(self) -> list[NDArray[np.int64]]:
        """Return the token types of every text, also where all are 0."""
        return self.types or [np.zeros_like(ids) for ids in self.ids]


class ModuleChain:
    """A transformer and the modules behind it, which make vectors of one side's texts.

    Args:
        transformer: transformer module of sentence-transformers.
        rest: pooling, and the modules behind it.
        task: `query` or `document`.
    """

    def __init__(self, transformer: Transformer, rest: Sequence[nn.Module], task: str) -> None:
        self.transformer, self.rest, self.task = transformer, list(rest), task

    @property
    def packed(self) -> bool:
        """Whether the transformer reads packed tokens, so that no padding is computed."""
        return runs_packed(self.transformer.model)

    @property
    def way(self) -> str:
        """Description of how attention is computed, for people."""
        return "packed" if self.packed else "padded, sorted by length"

    @property
    def _nothing(self) -> int:
        """Return the token of an empty text, where the tokenizer adds none of its own."""
        tokenizer: Any = self.transformer.tokenizer
        return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def tokenise(self, texts: Sequence[Text], prompt: str) -> Tokens:
        """Return token ids as sentence-transformers makes them, prompt included, cut at the side's length."""
        if not texts:
            return Tokens([], None, None)
        form: Any = {"text": {"padding": False}, "common": {"return_tensors": None}}
        features = self.transformer.preprocess(
            list(texts), prompt=prompt or None, task=self.task, processing_kwargs=form
        )
        types = [np.array(types or [0], dtype=np.int64) for types in features.get("token_type_ids", ())]
        return Tokens(
            [np.array(ids or [self._nothing], dtype=np.int64) for ids in features["input_ids"]],
            types if any(some.any() for some in types) else None,
            features.get("prompt_length"),
        )

    def vectors(self, tokens: Tokens, rows: Sequence[int] | NDArray[np.int64], device: torch.device) -> Tensor:
        """Return vectors of some of the texts, [S, H], with gradient where that is on.

        Args:
            tokens: tokens of all texts.
            rows: indices of the texts that are encoded.
            device: device of the model.
        """
        types = None if tokens.types is None else [tokens.types[row] for row in rows]
        batch = pack([tokens.ids[row] for row in rows], types).to(device)
        features: dict[str, Any] = {
            TOKENS: token_states(self.transformer.model, batch)[None],
            "cu_seq_lens_q": batch.bounds,
            "seq_idx": batch.owners[None],
        }
        if tokens.prompt_length is not None:
            features["prompt_length"] = tokens.prompt_length
        for module in self.rest:
            features = module(features)
        return features[VECTOR]


def find_chain(model: SentenceTransformer, task: str) -> ModuleChain | None:
    """Return the chain of one side, or None where sentence-transformers alone can run its modules."""
    modules = _side_modules(model, task)
    if modules is None or len(modules) < 2 or not _reads_text(modules[0]):
        return None
    first, pooling, *others = modules
    if type(pooling) is not Pooling or not all(type(other) in AFTER_POOLING for other in others):
        return None
    if any(getattr(other, "module_input_name", VECTOR) != VECTOR for other in others):
        return None
    return ModuleChain(first, [pooling, *others], task)


def _side_modules(model: SentenceTransformer, task: str) -> list[Any] | None:
    """Return the modules that the texts of a side go through, with routers resolved."""
    modules: list[Any] = []
    for module in model.children():
        if isinstance(module, Router):
            if module.route_mappings or task not in module.sub_modules:
                return None
            modules += module.sub_modules[task].children()
        else:
            modules.append(module)
    return modules


def _reads_text(module: nn.Module) -> bool:
    """Return whether a module is a plain transformer over text whose last states are pooled."""
    return (
        type(module) is Transformer
        and module.backend == "torch"
        and module.transformer_task == "feature-extraction"
        and module.module_output_name == TOKENS
        and "message" not in module.modality_config
        and module.modality_config.get("text") == {"method": "forward", "method_output_name": "last_hidden_state"}
        and module.query_expansion is None
        and not getattr(module.config, "output_hidden_states", False)
    )
