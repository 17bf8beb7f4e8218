"""The part that encoders of all kinds share: records become texts, and every choice has a name and a source."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import torch

from msm.collections.records import Passage
from msm.encoders.usage import Choice, Side, Text, passage_texts, query_texts

Prepared = TypeVar("Prepared")
Rows = TypeVar("Rows")


class TextEncoder(Generic[Prepared, Rows]):
    """Base of all encoders: texts go in, vectors of some kind come out."""

    choices: dict[str, Choice]
    """Name of each choice to its value and source; see `msm.encoders.loading`."""
    kind = "dense"
    """Name of the kind of vectors in runs."""
    bulk = 1
    """Approximate memory of the vectors of a text, as a multiple of the memory of one vector."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Device of the model."""

    @abstractmethod
    def describe(self) -> dict[str, Choice]:
        """Return every choice that decides the vectors, and its source: a file, a flag or a default."""

    @abstractmethod
    def prepare(self, texts: Sequence[Text], side: Side) -> Prepared:
        """Do the part of encoding that needs no accelerator; it may run in another thread."""

    @abstractmethod
    def encode_prepared(self, prepared_texts: Prepared, side: Side) -> Rows:
        """Return vectors of what `prepare` gave for this side; a text alone gives the same vector."""

    @property
    def similarity(self) -> str:
        """Similarity of two vectors, `cosine` or `dot`."""
        return str(self.choices["similarity"].value)

    @property
    def precision(self) -> str:
        """Number format of the model's products, `fp32` or `bf16`."""
        return str(self.choices["precision"].value)

    @property
    def width(self) -> int:
        """Number of dimensions of a vector."""
        return int(str(self.choices["dimensions"].value))

    def protocol(self) -> dict[str, object]:
        """Return the choices that two comparable runs must share; empty ones are left out."""
        values = {name: choice.value for name, choice in self.choices.items()}
        return {name: value for name, value in values.items() if value not in ("", None)}

    def encode(self, texts: Sequence[Text], side: Side = "query") -> Rows:
        """Encode texts or pairs of texts.

        Args:
            texts: texts without prompt. The prompt of the side is put before them; nothing else is changed.
            side: `query` or `passage`, which may have different prompts and modules.

        Returns:
            Vectors in the order of the texts.
        """
        return self.encode_prepared(self.prepare(texts, side), side)

    def encode_queries(self, texts: Sequence[str]) -> Rows:
        """Encode questions, without question marks where the model was trained so."""
        return self.encode_prepared(self.prepare_queries(texts), "query")

    def encode_passages(self, passages: Sequence[Passage]) -> Rows:
        """Encode passages with the context that the model was trained with."""
        return self.encode_prepared(self.prepare_passages(passages), "passage")

    def prepare_queries(self, texts: Sequence[str]) -> Prepared:
        """Prepare questions for encoding."""
        return self.prepare(query_texts(texts, str(self.choices["question_mark"].value)), "query")

    def prepare_passages(self, passages: Sequence[Passage]) -> Prepared:
        """Prepare passages for encoding."""
        prompt = str(self.choices["text_prompt"].value) if "text_prompt" in self.choices else ""
        return self.prepare(passage_texts(passages, str(self.choices["passage_context"].value), prompt), "passage")

    def _prompt(self, side: Side) -> str:
        return str(self.choices[f"{side}_prompt"].value)
