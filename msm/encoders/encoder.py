"""The encoder: turns texts into vectors.

Shapes: S texts, H width.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from msm.encoders.module_chain import ModuleChain, Tokens, find_chain
from msm.encoders.text_encoder import TextEncoder
from msm.encoders.usage import TASKS, Choice, Side, Text
from msm.encoders.vector_store import VectorStore
from msm.encoders.vectors import stored

BATCH_TOKENS = 16384
CPU_BATCH_TOKENS = 4096
"""Largest number of tokens that are encoded at once on a CPU. With 16,384 the states of a layer leave its cache, and
encoding takes 1.25 times as long (4 layers of 256, one core)."""
BATCH_TEXTS = 64
"""Number of texts in a batch where sentence-transformers runs the model itself."""
Vectors = NDArray[np.float32]
Prepared = Tokens | list[Text]
"""Prepared texts: token ids, or the texts themselves where sentence-transformers runs the model."""


class Encoder(nn.Module, TextEncoder[Prepared, Vectors]):
    """A sentence-transformers model, and every choice that decides its vectors.

    Its vectors are float32, [S, H]. Their inner products are the scores: with cosine they have length 1.

    Args:
        model: modules of the model.
        choices: value and source of each choice, by name; see `msm.encoders.loading`.
        device: device of the model.
        batch_tokens: number of tokens that are encoded at once; on a CPU at most `CPU_BATCH_TOKENS`.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        choices: Mapping[str, Choice],
        *,
        device: torch.device,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        super().__init__()
        self.model, self.choices, self.batch_tokens = model, dict(choices), batch_tokens
        self.store: VectorStore | None = None
        """Store of vectors of texts that were encoded before, which also keeps new ones; None for no store."""
        self.chains: dict[Side, ModuleChain | None] = {side: find_chain(model, task) for side, task in TASKS.items()}
        self.to(device).eval()

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.device

    @property
    def shared(self) -> bool:
        """Whether questions and passages go through the same modules, prompts and all, and can share a batch."""
        first, second = (None if chain is None else [chain.transformer, *chain.rest] for chain in self.chains.values())
        return first is not None and first == second and getattr(first[1], "include_prompt", True)

    def describe(self) -> dict[str, Choice]:
        """Return every choice that decides the vectors, and its source: a file, a flag or a default."""
        ways = {side: "sentence-transformers" if chain is None else chain.way for side, chain in self.chains.items()}
        attention = " / ".join(dict.fromkeys(ways.values()))
        return self.choices | {"attention": Choice(attention, "default"), "device": Choice(str(self.device), "default")}

    def prepare(self, texts: Sequence[Text], side: Side) -> Prepared:
        """Do the part of encoding that needs no accelerator, such as tokenising; it may run in another thread."""
        chain = self.chains[side]
        return list(texts) if chain is None else chain.tokenise(texts, self._prompt(side))

    def encode_prepared(self, prepared_texts: Prepared, side: Side) -> Vectors:
        """Return vectors of what `prepare` gave for this side, [S, H]; a text alone gives the same vector."""
        if not len(prepared_texts):
            return np.empty((0, self.width), np.float32)
        if self.store is None:
            return self._encode(prepared_texts, side)
        names = [f"{side} ".encode() + name for name in _names(prepared_texts)]
        return self.store.filled(names, lambda rows: self._encode(_some(prepared_texts, rows), side))

    def _encode(self, prepared_texts: Prepared, side: Side) -> Vectors:
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, self.precision == "bf16"):
            if isinstance(prepared_texts, Tokens):
                return self._encode_tokens(prepared_texts, side)
            return self._kept(self._finished(self._by_sentence_transformers(prepared_texts, side)), side).cpu().numpy()

    def forward(self, tokens: Tokens, side: Side) -> Tensor:
        """Return vectors of all texts in one batch, [S, H], in fp32 and with gradient where that is on."""
        return self._finished(self._chain(side).vectors(tokens, range(len(tokens)), self.device))

    def _encode_tokens(self, tokens: Tokens, side: Side) -> Vectors:
        """Encode the longest texts first, so that a batch that does not fit in memory fails at once."""
        vectors = np.empty((len(tokens), self.width), np.float32)
        order = np.argsort([-len(ids) for ids in tokens.ids], kind="stable")
        budget = min(self.batch_tokens, CPU_BATCH_TOKENS) if self.device.type == "cpu" else self.batch_tokens
        for rows in batches_of(order, [len(ids) for ids in tokens.ids], budget):
            rows_of_vectors = self._finished(self._chain(side).vectors(tokens, rows, self.device))
            vectors[rows] = self._kept(rows_of_vectors, side).cpu().numpy()
        return vectors

    def _by_sentence_transformers(self, texts: list[Text], side: Side) -> Tensor:
        encode = self.model.encode_query if side == "query" else self.model.encode_document
        return encode(
            texts,  # type: ignore[arg-type]
            prompt=self._prompt(side),
            batch_size=BATCH_TEXTS,
            show_progress_bar=False,
            convert_to_tensor=True,
        )

    def _finished(self, vectors: Tensor) -> Tensor:
        """Return vectors cut to the dimensions that are kept, of length 1 where that is wanted, in fp32."""
        vectors = vectors.float()[:, : self.width]
        return F.normalize(vectors, dim=1) if self.similarity == "cosine" else vectors

    def _kept(self, vectors: Tensor, side: Side) -> Tensor:
        """Return vectors of passages as an index would store them; those of questions are unchanged."""
        return vectors if side == "query" else stored(vectors, str(self.choices["vectors"].value))

    def _chain(self, side: Side) -> ModuleChain:
        chain = self.chains[side]
        if chain is None:
            raise ValueError("this model is run by sentence-transformers, and gives no gradient here")
        return chain


def part_of(prepared_texts: Prepared, first: int, last: int) -> Prepared:
    """Return the texts from index `first` up to, and without, index `last`."""
    return prepared_texts.part(first, last) if isinstance(prepared_texts, Tokens) else prepared_texts[first:last]


def _some(prepared_texts: Prepared, rows: Sequence[int]) -> Prepared:
    return prepared_texts.some(rows) if isinstance(prepared_texts, Tokens) else [prepared_texts[row] for row in rows]


def _names(prepared_texts: Prepared) -> list[bytes]:
    return (
        prepared_texts.names()
        if isinstance(prepared_texts, Tokens)
        else [repr(text).encode() for text in prepared_texts]
    )


def batches_of(order: NDArray[np.int64], lengths: Sequence[int], budget: int) -> Iterator[NDArray[np.int64]]:
    """Cut an order of texts where the tokens of a batch would pass the budget."""
    tokens, start = 0, 0
    for end, index in enumerate(order):
        if tokens and tokens + lengths[index] > budget:
            yield order[start:end]
            tokens, start = 0, end
        tokens += lengths[index]
    yield order[start:]
