"""Texts to vectors: a model folder that says itself how it is to be used.

Beside the Hugging Face files stands `encoder.json`: towers, pooling, similarity, scale, lengths and prefixes, as the
model was trained (`msm.encoders.model_folder` writes it).

Shapes: S texts, H width.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from msm.collections.records import Passage
from msm.encoders.checkpoints import load_bare
from msm.encoders.packing import Packed, pack
from msm.encoders.pooling import Pooling, pooled_states
from msm.errors import BadInput
from msm.files import read_json

CARD = "encoder.json"
BATCH_TOKENS = 16384
CPU_BATCH_TOKENS = 4096
"""Most tokens at once on a CPU: with 16,384 the states of a layer leave its cache, and encoding takes 1.25 times as
long (4 layers x 256, one core)."""
TOWERS = ("query", "passage")
"""Folders of a model with two towers."""
Kind = Literal["query", "passage"]


@dataclass(frozen=True)
class Usage:
    """How a model turns texts into vectors."""

    pooling: Pooling
    """How the states of a text become its vector; see `msm.encoders.pooling`."""
    similarity: str
    """`cosine` (vectors of length 1) or `dot`."""
    scale: float
    """What the similarity was multiplied by in training; does not change a ranking."""
    query_tokens: int
    passage_tokens: int
    passage_context: str
    """`none`, `paragraph` (sentence and paragraph as one text), `title` (a text pair), or `title_text` (title and text
    as one text with a blank between, as in BEIR)."""
    query_prefix: str = ""
    passage_prefix: str = ""
    question_mark: str = "kept"
    """`stripped`: one ASCII `?` at the end of a question is taken off, no other mark (DPR)."""
    towers: str = "one"
    """`two`: an encoder for questions and another one for passages, in the folders `query` and `passage`."""


def read_usage(folder: Path) -> Usage:
    """The usage of a fine-tuned model.

    Raises:
        BadInput: the folder has no `encoder.json`, or one of another form.
    """
    if not (folder / CARD).is_file():
        raise BadInput(f"{folder}: no {CARD}, so nothing says how this model is to be used; fine-tune it first")
    try:
        return Usage(**read_json(folder / CARD))
    except TypeError as error:
        raise BadInput(f"{folder / CARD}: {error}") from error


class TextModel(nn.Module):
    """One encoder for all texts or two, their tokenizer and their usage.

    Args:
        towers: one BERT-like encoder, or that of the questions and that of the passages.
        tokenizer: of the same vocabulary.
        usage: lengths, pooling, similarity.
    """

    def __init__(self, towers: Sequence[PreTrainedModel], tokenizer: PreTrainedTokenizerBase, usage: Usage) -> None:
        super().__init__()
        self.towers, self.tokenizer, self.usage = nn.ModuleList(towers), tokenizer, usage

    @property
    def encoders(self) -> list[PreTrainedModel]:
        """The towers: one, or that of the questions and that of the passages."""
        return [cast(PreTrainedModel, tower) for tower in self.towers]

    @property
    def width(self) -> int:
        """H."""
        return self.encoders[0].config.hidden_size

    def query_ids(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Token ids of questions, special tokens included, cut at the trained length."""
        if self.usage.question_mark == "stripped":
            texts = [text.removesuffix("?") for text in texts]
        return self._ids([self.usage.query_prefix + text for text in texts], None, self.usage.query_tokens)

    def passage_ids(self, passages: Sequence[Passage]) -> list[NDArray[np.int64]]:
        """Token ids of passages with the context that the model was trained with."""
        usage = self.usage
        texts = [usage.passage_prefix + passage.text for passage in passages]
        if usage.passage_context == "paragraph":
            # LAReQA's code joins sentence and paragraph without a separator and drops line ends.
            pairs = zip(texts, passages, strict=True)
            texts = [(text + passage.context).replace("\n", "") for text, passage in pairs]
        if usage.passage_context == "title_text":
            texts = [usage.passage_prefix + f"{passage.title} {passage.text}".strip() for passage in passages]
        if usage.passage_context == "title":
            return self._ids([passage.title for passage in passages], texts, usage.passage_tokens)
        return self._ids(texts, None, usage.passage_tokens)

    def _ids(self, texts: list[str], pairs: list[str] | None, longest: int) -> list[NDArray[np.int64]]:
        if not texts:
            return []
        encoded = self.tokenizer(texts, pairs, truncation=True, max_length=longest, return_attention_mask=False)
        return [np.array(ids, dtype=np.int64) for ids in encoded["input_ids"]]

    def forward(self, packed: Packed, kind: Kind) -> Tensor:
        """Vectors of packed sequences, [S, H], in fp32; of length 1 where the similarity is cosine."""
        tower = self.encoders[-1 if kind == "passage" else 0]
        vectors = pooled_states(tower, packed, self.usage.pooling).float()
        return F.normalize(vectors, dim=1) if self.usage.similarity == "cosine" else vectors


class TextEncoder:
    """A model at work: texts in, vectors out.

    Args:
        model: with tokenizer and usage.
        device: where it runs.
        precision: `fp32` or `bf16`.
        batch_tokens: tokens encoded at once; on a CPU at most `CPU_BATCH_TOKENS`.
    """

    def __init__(self, model: TextModel, device: torch.device, precision: str, batch_tokens: int) -> None:
        self.model = model.to(device).eval()
        self.device, self.precision = device, precision
        self.batch_tokens = min(batch_tokens, CPU_BATCH_TOKENS) if device.type == "cpu" else batch_tokens

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, [S, H], fp32."""
        return self.encode_ids(self.model.query_ids(texts), "query")

    def encode_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Vectors of passages, [S, H], fp32."""
        return self.encode_ids(self.model.passage_ids(passages), "passage")

    def encode_ids(self, ids: list[NDArray[np.int64]], kind: Kind) -> NDArray[np.float32]:
        """Vectors of token ids as `TextModel` makes them, [S, H], fp32; a text alone gives the same vector.

        Longest first, so that a batch that does not fit fails at once.
        """
        order = np.argsort([-len(text) for text in ids], kind="stable")
        vectors: NDArray[np.float32] | None = None
        for batch in _token_budget(order, ids, self.batch_tokens):
            with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, self.precision == "bf16"):
                found = self.model(pack([ids[index] for index in batch]).to(self.device), kind).cpu().numpy()
            if vectors is None:
                vectors = np.empty((len(ids), found.shape[1]), dtype=np.float32)
            vectors[batch] = found
        return np.empty((0, self.model.width), np.float32) if vectors is None else vectors


def _token_budget(order: NDArray[np.int64], ids: list[NDArray[np.int64]], budget: int) -> list[NDArray[np.int64]]:
    """Cut an order of texts where the tokens of a batch would pass the budget."""
    batches, tokens, start = [], 0, 0
    for place, index in enumerate(order):
        if tokens and tokens + len(ids[index]) > budget:
            batches.append(order[start:place])
            tokens, start = 0, place
        tokens += len(ids[index])
    return [*batches, order[start:]] if len(order) else []


def load_text_model(folder: Path, usage: Usage | None = None, *, fresh_pooler: bool = False) -> TextModel:
    """A model folder, with its own usage or the given one.

    Two towers come of two folders, or both of the one encoder that they start from.

    Args:
        folder: of the model.
        usage: instead of its own.
        fresh_pooler: draw a pooler where the encoder has none, for training.

    Raises:
        BadInput: not a model folder, nothing says how it is used, or it has two towers and one is wanted.
    """
    usage = usage or read_usage(folder)
    two = usage.towers == "two"
    if not (folder / TOWERS[0]).is_dir():
        encoder = load_bare(folder, fresh_pooler=fresh_pooler)
        towers = [encoder, copy.deepcopy(encoder)] if two else [encoder]
        return TextModel(towers, AutoTokenizer.from_pretrained(folder), usage)
    if not two:
        raise BadInput(f"{folder}: a model with two towers, but one is wanted")
    return TextModel(
        [load_bare(folder / tower) for tower in TOWERS], AutoTokenizer.from_pretrained(folder / TOWERS[0]), usage
    )


def load_text_encoder(
    folder: Path, *, device: torch.device, precision: str, batch_tokens: int = BATCH_TOKENS
) -> TextEncoder:
    """A fine-tuned model folder, ready to encode."""
    return TextEncoder(load_text_model(folder), device, precision, batch_tokens)
