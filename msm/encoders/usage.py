"""Describes how a model turns records into vectors, and the source of each choice."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from msm.collections.records import Passage

Side = Literal["query", "passage"]
Text = str | list[str]
"""One text, or a pair such as title and text."""

TASKS: dict[Side, str] = {"query": "query", "passage": "document"}
"""Names of the two sides in sentence-transformers."""


class Choice(NamedTuple):
    """A value that decides the vectors, and its source."""

    value: object
    source: str
    """Source of the value: `flag`, `default`, or a file such as `file 1_Pooling/config.json`."""


@dataclass(frozen=True)
class Usage:
    """Choices of a caller about the use of a model. None leaves a choice to the model's files."""

    pooling: str | None = None
    """`cls`, `mean`, `max`, `weightedmean`, `lasttoken`, `mean_sqrt_len_tokens`, or `pooler`: the first token's state
    through the checkpoint's own dense layer and tanh."""
    similarity: str | None = None
    """Similarity of two vectors, `cosine` or `dot`."""
    query_prompt: str | None = None
    """Text that is put before every question."""
    passage_prompt: str | None = None
    """Text that is put before every passage."""
    query_tokens: int | None = None
    """Largest number of tokens of a question, special tokens included."""
    passage_tokens: int | None = None
    """Largest number of tokens of a passage, special tokens included."""
    dimensions: int | None = None
    """Number of leading dimensions of a vector that are kept."""
    vectors: str | None = None
    """Number format of a passage's vector in an index: `fp32`, `fp16`, `int8` or `binary`; see
    `msm.encoders.vectors`."""
    passage_context: str | None = None
    """Text that is encoded with a passage: `none`, `paragraph` (sentence and paragraph as one text), `title` (a pair
    of title and text), or `title_text` (title and text as one text with a blank between, as in BEIR)."""
    question_mark: str | None = None
    """Whether a question keeps its mark (`kept`), or loses one ASCII `?` at its end (`stripped`, DPR)."""
    trust_remote_code: bool | None = None
    """Whether code that comes with the model may run."""

    def updated(self, other: "Usage") -> "Usage":
        """Return this usage with every choice that the other one makes."""
        values = {name: value for name, value in dataclasses.asdict(other).items() if value is not None}
        return dataclasses.replace(self, **values)


CONTEXTS = ("none", "paragraph", "title", "title_text")
QUESTION_MARKS = ("kept", "stripped")
SIMILARITIES = ("cosine", "dot")
PRECISIONS = ("auto", "fp32", "bf16")
VECTOR_KINDS = ("fp32", "fp16", "int8", "binary")
"""Kinds of stored vectors. `int8` are whole numbers from -127 to 127 times one scale a vector; `binary` are signs."""


def query_texts(texts: Sequence[str], question_mark: str) -> list[Text]:
    """Return questions as the model was trained to read them."""
    return [text.removesuffix("?") if question_mark == "stripped" else text for text in texts]


def passage_texts(passages: Sequence[Passage], context: str, text_prompt: str = "") -> list[Text]:
    """Return passages with the context that the model was trained with.

    Args:
        passages: passages with their titles and contexts.
        context: value of `Usage.passage_context`.
        text_prompt: prompt before the text of a pair, behind the title, where version 0.1.0 put it.
    """
    if text_prompt:
        passages = [passage._replace(text=text_prompt + passage.text) for passage in passages]
    return [_passage_text(passage, context) for passage in passages]


def _passage_text(passage: Passage, context: str) -> Text:
    if context == "paragraph":
        # LAReQA's code joins sentence and paragraph without a separator and drops line ends.
        return (passage.text + passage.context).replace("\n", "")
    if context == "title":
        return [passage.title, passage.text]
    if context == "title_text":
        return f"{passage.title} {passage.text}".strip()
    return passage.text
