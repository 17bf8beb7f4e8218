"""What a benchmark consists of: questions, candidates, judgements, and which are ranked against which.

Shapes: Q queries, P passages, J judgements.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from msm.records import Passage, Query
from msm.retrieval.runs import Qrels


class Pool(NamedTuple):
    """Candidates that are ranked together, and the questions asked of them."""

    name: str
    """Of its run: the file is `NAME.trec.gz`."""
    query_language: str | None
    """Of its questions; None for all."""
    candidate_language: str | None
    """Of its candidates; None for all."""


class Collection(NamedTuple):
    """A benchmark in memory."""

    queries: list[Query]
    questions: list[str]
    """What each query asks: the same id in every language, [Q]."""
    passages: list[Passage]
    """By language."""
    qrels: Qrels
    """Over all queries and passages, in their order."""
    pools: list[Pool]
    answers: Mapping[str, list[str]] = MappingProxyType({})
    """Of each query id, where passages are not judged but matched with answer strings."""

    def pool_queries(self, pool: Pool) -> list[int]:
        """Places of the pool's queries, ascending."""
        wanted = pool.query_language
        return [place for place, query in enumerate(self.queries) if wanted in (None, query.language)]

    def pool_passages(self, pool: Pool) -> list[int]:
        """Places of the pool's passages, ascending."""
        wanted = pool.candidate_language
        return [place for place, passage in enumerate(self.passages) if wanted in (None, passage.language)]

    def pool_qrels(self, pool: Pool) -> Qrels:
        """Judgements of the pool's queries and passages; a query that has none there is not part of the average."""
        queries, passages = np.zeros(len(self.queries), bool), np.zeros(len(self.passages), bool)
        queries[self.pool_queries(pool)] = True
        passages[self.pool_passages(pool)] = True
        qrels = self.qrels
        kept = queries[qrels.queries] & passages[qrels.passages]
        return qrels._replace(queries=qrels.queries[kept], passages=qrels.passages[kept], labels=qrels.labels[kept])

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Queries and passages of every language."""
        queries, passages = (Counter(record.language for record in kind) for kind in (self.queries, self.passages))
        return {language: (queries[language], passages[language]) for language in sorted(queries | passages)}
