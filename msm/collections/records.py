"""What the parts of the platform hand to each other."""

from typing import NamedTuple


class Document(NamedTuple):
    """Consecutive sentences of one text in one language."""

    language: str
    document_id: str
    sentences: list[str]


class Query(NamedTuple):
    """A question to be answered by passages."""

    query_id: str
    language: str
    text: str


class Passage(NamedTuple):
    """A candidate answer; `context` is the text around it (LAReQA: its paragraph), `title` that of its article."""

    passage_id: str
    language: str
    text: str
    title: str = ""
    context: str = ""


class Qrel(NamedTuple):
    """A judgement: `label` 1 or more means relevant."""

    query_id: str
    passage_id: str
    label: int


class Example(NamedTuple):
    """A training pair: a question, the passage that answers it, and passages that look like it but do not."""

    query: Query
    positive: Passage
    negatives: list[Passage]
    others: tuple[str, ...] = ()
    """Ids of more passages that are right: never a negative of this question."""
    answers: tuple[str, ...] = ()
    """Answer strings, where the data have them."""
