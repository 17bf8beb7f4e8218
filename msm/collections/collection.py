"""Collections: questions, passages, judgements, and the pools in which passages are ranked.

Shapes: Q queries, J judgements.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from msm.collections.passages import Passages, Read
from msm.collections.records import Qrel, Query
from msm.collections.runs import Qrels
from msm.errors import BadInput


class Pool(NamedTuple):
    """A set of passages that are ranked together, and the questions that are asked of them."""

    name: str
    """Name of the pool and of its run, `NAME.trec.gz`."""
    query_language: str | None
    """Language of its questions; None for all languages."""
    candidate_language: str | None
    """Language of its passages; None for all languages."""


PassageContext = Literal["none", "paragraph", "title_text"]
"""What is searched of a passage: its text, its text and the paragraph around it, or its title and its text."""
OwnIds = Literal["kept", "dropped"]
"""Whether passages with the id of the question are kept among its answers, or dropped."""
MULTILINGUAL = Pool("multilingual", None, None)
"""Pool of all questions and all passages."""


class Rules(NamedTuple):
    """Rules of a collection beside its measures."""

    passage_context: PassageContext = "none"
    """Text of a passage that the official run searches. A model that was trained with another text keeps its own."""
    own_ids: OwnIds = "kept"
    """Whether passages with the id of the question are kept or dropped."""
    instruction: str = ""
    """Published instruction for models whose prompt asks for one; empty for none."""


class Draft(NamedTuple):
    """Result of a reader: questions and judgements. Passages are not read yet."""

    queries: list[Query]
    qrels: list[Qrel]
    passages: Mapping[str | None, Read]
    """Passages in their files."""
    pools: list[Pool]
    questions: list[str] | None = None
    """Id of what each query asks, where queries are translations of each other; None where none is."""
    answers: Mapping[str, list[str]] = MappingProxyType({})
    """Answer strings of each query id, where passages are matched with them."""
    clusters: Sequence[str] = ()
    """Name of the text that each query is about, as in `Collection`."""


class Collection(NamedTuple):
    """The data of a benchmark: questions and judgements in memory, passages in their files."""

    queries: list[Query]
    questions: list[str]
    """Id of what each query asks, [Q]; translations of a question share it."""
    passages: Passages
    qrels: Qrels
    """Judgements over all queries in their order, with relevant passages that the corpus lacks."""
    pools: list[Pool]
    answers: Mapping[str, list[str]] = MappingProxyType({})
    """Answer strings of each query id, where passages are not judged but matched with answers."""
    clusters: Sequence[str] = ()
    """Name of the text that each query is about (paragraph, story, document), [Q]; empty where each question stands
    alone."""
    rules: Rules = Rules()
    """Rules by which its passages are searched."""

    @property
    def query_clusters(self) -> Sequence[str]:
        """Return the cluster of each query, [Q]; a question without one is a cluster of its own."""
        return self.clusters or self.questions

    @property
    def spare(self) -> int:
        """Return how many passages beyond the depth are searched for a question, because they may be dropped again."""
        return 1 if self.rules.own_ids == "dropped" else 0

    def pool_queries(self, pool: Pool) -> list[int]:
        """Return the indices of the pool's queries, ascending."""
        language = pool.query_language
        return [position for position, query in enumerate(self.queries) if language in (None, query.language)]

    def pool_passages(self, pool: Pool) -> range:
        """Return the indices of the pool's passages among all."""
        counts, candidate_language = self.passages.counts, pool.candidate_language
        if candidate_language is None:
            return range(len(self.passages))
        first = sum(counts[language] for language in takewhile(lambda other: other != candidate_language, counts))
        return range(first, first + counts[candidate_language])

    def pool_qrels(self, pool: Pool) -> Qrels:
        """Return the judgements of the pool's queries and passages; only queries with a judgement count in means.

        A relevant passage that the corpus lacks counts where its language cannot be another one: in the pool of all
        candidates, in a pool whose questions and candidates share their language, and in the pool of the one language
        of all other passages that are judged for the question.
        """
        qrels = self.qrels
        queries = np.zeros(len(self.queries), bool)
        queries[self.pool_queries(pool)] = True
        is_in_pool = queries[qrels.queries]
        if pool.candidate_language is not None:
            is_monolingual = pool.query_language == pool.candidate_language
            is_in_pool &= (
                self._judged_languages(pool.query_language if is_monolingual else None) == pool.candidate_language
            )
        return qrels._replace(
            queries=qrels.queries[is_in_pool], passages=qrels.passages[is_in_pool], labels=qrels.labels[is_in_pool]
        )

    def _judged_languages(self, otherwise: str | None) -> NDArray[np.object_]:
        """Return the language of the passage of each judgement, [J]; see `pool_qrels` for passages that are missing."""
        qrels = self.qrels
        passage_languages = np.array(
            [self.passages.languages.get(text) for text in qrels.passage_ids.to_pylist()], object
        )
        languages = passage_languages[qrels.passages]
        for row in [row for row, language in enumerate(languages.tolist()) if language is None]:
            others = {language for language in languages[qrels.queries == qrels.queries[row]] if language is not None}
            languages[row] = otherwise or (others.pop() if len(others) == 1 else None)
        return languages

    def missing(self) -> list[str]:
        """Return the ids of relevant passages that the corpus lacks. They count as not retrieved."""
        return [text for text in self.qrels.passage_ids.to_pylist() if text not in self.passages.languages]

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the numbers of queries and passages of every language."""
        queries, passages = Counter(query.language for query in self.queries), self.passages.counts
        return {language: (queries[language], passages[language]) for language in sorted(queries | passages)}


def assemble(draft: Draft) -> Collection:
    """Make a collection of a draft; its passages are read once, to be counted.

    A relevant passage that the corpus lacks stays among the judgements, and is never found. One that is judged
    irrelevant need not be there.

    Raises:
        BadInput: an id stands twice, or a judged query is missing.
    """
    query_positions = _query_positions(draft.queries)
    for qrel in draft.qrels:
        if qrel.query_id not in query_positions:
            raise BadInput(f"judged query {qrel.query_id} is not among the queries")
    passages = Passages(draft.passages, (qrel.passage_id for qrel in draft.qrels))
    passage_positions = {passage_id: position for position, passage_id in enumerate(passages.languages)}
    for qrel in draft.qrels:
        if qrel.label >= 1:
            passage_positions.setdefault(qrel.passage_id, len(passage_positions))
    rows = [
        (query_positions[qrel.query_id], passage_positions[qrel.passage_id], qrel.label)
        for qrel in draft.qrels
        if qrel.passage_id in passage_positions
    ]
    queries, judged_passages, labels = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    query_ids, passage_ids = pa.array(query_positions, pa.string()), pa.array(passage_positions, pa.string())
    questions = draft.questions or [f"{query.language}-{query.query_id}" for query in draft.queries]
    qrels = Qrels(query_ids, passage_ids, queries, judged_passages, labels)
    return Collection(draft.queries, questions, passages, qrels, draft.pools, draft.answers, draft.clusters)


def _query_positions(queries: list[Query]) -> dict[str, int]:
    positions: dict[str, int] = {}
    for position, query in enumerate(queries):
        if positions.setdefault(query.query_id, position) != position:
            raise BadInput(f"query id stands twice: {query.query_id}")
    return positions
