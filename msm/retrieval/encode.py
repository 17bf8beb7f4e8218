"""Texts to vectors: a model folder that says itself how it is to be used.

Beside the Hugging Face files stands `encoder.json`: pooling, similarity, scale, lengths and prefixes, as the
model was trained. The files of sentence-transformers are written too, so that it gives the same vectors.

Shapes: S texts, H width.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from msm.artifacts import read_json, write_json
from msm.encoder import load_bare, pool, token_states
from msm.errors import BadInput
from msm.packing import Packed, pack
from msm.records import Passage

CARD = "encoder.json"
BATCH_TOKENS = 16384


@dataclass(frozen=True)
class Usage:
    """How a model turns texts into vectors."""

    pooling: str
    """`cls`, `mean`, or `pooler`: first token through a dense layer and tanh."""
    similarity: str
    """`cosine` (vectors of length 1) or `dot`."""
    scale: float
    """What the similarity was multiplied by in training; does not change a ranking."""
    query_tokens: int
    passage_tokens: int
    passage_context: str
    """`none`, `paragraph` (sentence and paragraph as one text), or `title` (a text pair)."""
    query_prefix: str = ""
    passage_prefix: str = ""


def write_usage(folder: Path, usage: Usage) -> None:
    """Write `encoder.json`, and what sentence-transformers needs to give the same vectors."""
    write_json(folder / CARD, dataclasses.asdict(usage))
    modules = [("", "sentence_transformers.models.Transformer")]
    modules.append(("1_Pooling", "sentence_transformers.models.Pooling"))
    if usage.similarity == "cosine":
        modules.append(("2_Normalize", "sentence_transformers.models.Normalize"))
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": kind} for number, (path, kind) in enumerate(modules)
    ]
    (folder / "1_Pooling").mkdir(exist_ok=True)
    width = read_json(folder / "config.json")["hidden_size"]
    mode = "mean" if usage.pooling == "mean" else "cls"
    write_json(folder / "1_Pooling" / "config.json", {"embedding_dimension": width, "pooling_mode": mode})
    if usage.similarity == "cosine":
        (folder / "2_Normalize").mkdir(exist_ok=True)
    write_json(folder / "modules.json", listed)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": usage.passage_tokens, "do_lower_case": False})


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
    """An encoder, its tokenizer and its usage.

    Args:
        model: a BERT-like encoder.
        tokenizer: of the same vocabulary.
        usage: lengths, pooling, similarity.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, usage: Usage) -> None:
        super().__init__()
        self.model, self.tokenizer, self.usage = model, tokenizer, usage

    def query_ids(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Token ids of questions, special tokens included, cut at the trained length."""
        return self._ids([self.usage.query_prefix + text for text in texts], None, self.usage.query_tokens)

    def passage_ids(self, passages: Sequence[Passage]) -> list[NDArray[np.int64]]:
        """Token ids of passages with the context that the model was trained with."""
        usage = self.usage
        texts = [usage.passage_prefix + passage.text for passage in passages]
        if usage.passage_context == "paragraph":
            # LAReQA's code joins sentence and paragraph without a separator and drops line ends.
            pairs = zip(texts, passages, strict=True)
            texts = [(text + passage.context).replace("\n", "") for text, passage in pairs]
        if usage.passage_context == "title":
            return self._ids([passage.title for passage in passages], texts, usage.passage_tokens)
        return self._ids(texts, None, usage.passage_tokens)

    def _ids(self, texts: list[str], pairs: list[str] | None, longest: int) -> list[NDArray[np.int64]]:
        encoded = self.tokenizer(texts, pairs, truncation=True, max_length=longest, return_attention_mask=False)
        return [np.array(ids, dtype=np.int64) for ids in encoded["input_ids"]]

    def forward(self, packed: Packed) -> Tensor:
        """Vectors of packed sequences, [S, H], in fp32; of length 1 where the similarity is cosine."""
        states = token_states(self.model, packed)
        if self.usage.pooling == "pooler":
            vectors = self.model.pooler(states[packed.starts][:, None])
        else:
            vectors = pool(states, packed, self.usage.pooling)
        vectors = vectors.float()
        return F.normalize(vectors, dim=1) if self.usage.similarity == "cosine" else vectors


class TextEncoder:
    """A model at work: texts in, vectors out.

    Args:
        model: with tokenizer and usage.
        device: where it runs.
        precision: `fp32` or `bf16`.
        batch_tokens: tokens encoded at once.
    """

    def __init__(self, model: TextModel, device: torch.device, precision: str, batch_tokens: int) -> None:
        self.model = model.to(device).eval()
        self.device, self.precision, self.batch_tokens = device, precision, batch_tokens

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, [S, H], fp32."""
        return self._encode(self.model.query_ids(texts))

    def encode_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Vectors of passages, [S, H], fp32."""
        return self._encode(self.model.passage_ids(passages))

    def _encode(self, ids: list[NDArray[np.int64]]) -> NDArray[np.float32]:
        """Longest first, so that a batch that does not fit fails at once; a text alone gives the same vector."""
        order = np.argsort([-len(text) for text in ids], kind="stable")
        vectors: NDArray[np.float32] | None = None
        for batch in _token_budget(order, ids, self.batch_tokens):
            with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, self.precision == "bf16"):
                found = self.model(pack([ids[index] for index in batch]).to(self.device)).cpu().numpy()
            if vectors is None:
                vectors = np.empty((len(ids), found.shape[1]), dtype=np.float32)
            vectors[batch] = found
        return np.empty((0, self.model.model.config.hidden_size), np.float32) if vectors is None else vectors


def _token_budget(order: NDArray[np.int64], ids: list[NDArray[np.int64]], budget: int) -> list[NDArray[np.int64]]:
    """Cut an order of texts where the tokens of a batch would pass the budget."""
    batches, tokens, start = [], 0, 0
    for place, index in enumerate(order):
        if tokens and tokens + len(ids[index]) > budget:
            batches.append(order[start:place])
            tokens, start = 0, place
        tokens += len(ids[index])
    return [*batches, order[start:]] if len(order) else []


def load_text_model(folder: Path, usage: Usage | None = None) -> TextModel:
    """A model folder, with its own usage or the given one.

    Raises:
        BadInput: not a model folder, or nothing says how it is used.
    """
    usage = usage or read_usage(folder)
    return TextModel(load_bare(folder), AutoTokenizer.from_pretrained(folder), usage)


def load_text_encoder(
    folder: Path, *, device: torch.device, precision: str, batch_tokens: int = BATCH_TOKENS
) -> TextEncoder:
    """A fine-tuned model folder, ready to encode."""
    return TextEncoder(load_text_model(folder), device, precision, batch_tokens)
