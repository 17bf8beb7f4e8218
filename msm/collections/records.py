"""The records that all parts of the package exchange: documents, queries, passages, judgements and examples."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple


class Document(NamedTuple):
    """Consecutive sentences of one text in one language."""

    language: str
    document_id: str
    sentences: list[str]


class Query(NamedTuple):
    """A question that passages answer."""

    query_id: str
    language: str
    text: str


class Passage(NamedTuple):
    """A text that is searched. `context` is the text around it (LAReQA: its paragraph), `title` that of its article."""

    passage_id: str
    language: str
    text: str
    title: str = ""
    context: str = ""


class Qrel(NamedTuple):
    """A judgement of a passage for a query: a label of 1 or more means relevant."""

    query_id: str
    passage_id: str
    label: int


class Example(NamedTuple):
    """A training example: a question, a passage that answers it, and hard negatives, which do not."""

    query: Query
    positive: Passage
    negatives: list[Passage]
    others: tuple[str, ...] = ()
    """Ids of further right passages, which are never negatives of this question."""
    answers: tuple[str, ...] = ()
    """Answer strings, where the data give them."""
    other_negatives: Sequence[Passage] = ()
    """Passages of DPR's `negative_ctxs` that are asked for: not hard, and ranked in a development set only."""


def text_id(text: str) -> str:
    """Return an id for a text that has none: equal texts have equal ids."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
