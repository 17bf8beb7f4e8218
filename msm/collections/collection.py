"""What a benchmark consists of: questions, candidates, judgements, and which are ranked against which.

Shapes: Q queries, J judgements.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from msm.collections.passages import Passages
from msm.collections.records import Query
from msm.collections.runs import Qrels


class Pool(NamedTuple):
    """Candidates that are ranked together, and the questions asked of them."""

    name: str
    """Of its run: the file is `NAME.trec.gz`."""
    query_language: str | None
    """Of its questions; None for all."""
    candidate_language: str | None
    """Of its candidates; None for all."""


class Collection(NamedTuple):
    """A benchmark: questions and judgements in memory, candidates wherever they are."""

    queries: list[Query]
    questions: list[str]
    """What each query asks: the same id in every language, [Q]."""
    passages: Passages
    qrels: Qrels
    """Over all queries, in their order, and the judged passages."""
    pools: list[Pool]
    answers: Mapping[str, list[str]] = MappingProxyType({})
    """Of each query id, where passages are not judged but matched with answer strings."""
    clusters: Sequence[str] = ()
    """The text that each query is about (paragraph, story, document), [Q]; empty where each question stands alone."""

    @property
    def query_clusters(self) -> Sequence[str]:
        """The cluster of each query, [Q]; a question without one is a cluster of its own."""
        return self.clusters or self.questions

    def pool_queries(self, pool: Pool) -> list[int]:
        """Places of the pool's queries, ascending."""
        wanted = pool.query_language
        return [place for place, query in enumerate(self.queries) if wanted in (None, query.language)]

    def pool_passages(self, pool: Pool) -> range:
        """Places of the pool's passages among all."""
        counts, wanted = self.passages.counts, pool.candidate_language
        if wanted is None:
            return range(len(self.passages))
        first = sum(counts[language] for language in takewhile(lambda other: other != wanted, counts))
        return range(first, first + counts[wanted])

    def pool_qrels(self, pool: Pool) -> Qrels:
        """Judgements of the pool's queries and passages; a query that has none there is not part of the average."""
        qrels = self.qrels
        queries = np.zeros(len(self.queries), bool)
        queries[self.pool_queries(pool)] = True
        languages = (self.passages.languages[text] for text in qrels.passage_ids.to_pylist())
        inside = np.array([pool.candidate_language in (None, language) for language in languages], bool)
        kept = queries[qrels.queries] & inside[qrels.passages]
        return qrels._replace(queries=qrels.queries[kept], passages=qrels.passages[kept], labels=qrels.labels[kept])

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Queries and passages of every language."""
        queries, passages = Counter(query.language for query in self.queries), self.passages.counts
        return {language: (queries[language], passages[language]) for language in sorted(queries | passages)}
