"""Which language the best answers come from, for each language of the question.

A ranker without a bias puts an answer where its content belongs, whatever its language. Two yardsticks stand beside
the shares: those of the candidates (a random ranking) and those of the relevant ones (a perfect one).

Shapes: Q languages of questions, L languages of candidates.
"""

from typing import NamedTuple

import numpy as np

from msm.errors import BadInput
from msm.evaluation.collection import Collection
from msm.retrieval.runs import Floats, Integers, Run


class Bias(NamedTuple):
    """Shares of the languages among the best answers."""

    asked: list[str]
    """Languages of the questions, sorted, [Q]."""
    answered: list[str]
    """Languages of the candidates, sorted, [L]."""
    shares: Floats
    """Of the best answers to the questions of a language; each row sums to 1, [Q, L]; NaN without any answer."""
    relevant: Floats
    """Of the relevant candidates, the same, [Q, L]."""
    candidates: Floats
    """Of all candidates, [L]."""

    @property
    def own(self) -> float:
        """Mean over the languages of the share of the question's own language; NaN where it has no candidates."""
        places = [self.answered.index(language) if language in self.answered else -1 for language in self.asked]
        if not places or min(places) < 0:
            return float("nan")
        return float(np.mean(self.shares[np.arange(len(places)), places]))


def bias(collection: Collection, run: Run, depth: int) -> Bias:
    """Shares of the languages among the best answers of a run.

    Args:
        collection: languages of queries and passages.
        run: on the pool of all languages.
        depth: answers of each question that are counted.

    Raises:
        BadInput: the run has a query or passage that the collection has not.
    """
    asked = sorted({query.language for query in collection.queries})
    answered = sorted(collection.passages.counts)
    of_query = {query.query_id: asked.index(query.language) for query in collection.queries}
    found = collection.passages.texts(run.passage_ids.to_pylist()).values()
    rows = _languages(run.query_ids.to_pylist(), of_query)
    columns = _languages(
        run.passage_ids.to_pylist(), {passage.passage_id: answered.index(passage.language) for passage in found}
    )
    ranks = np.arange(len(run.queries)) - np.searchsorted(run.queries, run.queries)
    best = ranks < depth
    shape = (len(asked), len(answered))
    relevant = collection.qrels.labels >= 1
    query_rows = np.array(list(of_query.values()), np.int64)
    judged = collection.passages.languages
    judged_columns = np.array([answered.index(judged[text]) for text in collection.qrels.passage_ids.to_pylist()])
    candidates = np.array([collection.passages.counts[language] for language in answered])
    return Bias(
        asked,
        answered,
        _shares(rows[run.queries[best]], columns[run.passages[best]], shape),
        _shares(
            query_rows[collection.qrels.queries[relevant]], judged_columns[collection.qrels.passages[relevant]], shape
        ),
        candidates / candidates.sum(),
    )


def _languages(ids: list[str], known: dict[str, int]) -> Integers:
    for text in ids:
        if text not in known:
            raise BadInput(f"{text} is no query or passage of this benchmark; the run was made for another one")
    return np.array([known[text] for text in ids], np.int64)


def _shares(rows: Integers, columns: Integers, shape: tuple[int, int]) -> Floats:
    counts = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(shape, np.nan), where=totals > 0)
