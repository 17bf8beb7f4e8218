"""Writes `languages.jsonl`: the languages of the best answers, for each language of the questions.

A ranker without a bias puts an answer where its content belongs, whatever its language. Two yardsticks stand beside
the shares: those of the candidates (a random ranking) and those of the relevant ones (a perfect one).

A line is a depth and a pair of languages: `depth, query_language, candidate_language, share, relevant, candidates`; a
share of nothing is null.

Shapes: Q languages of questions, L languages of candidates.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from msm.collections.collection import Collection
from msm.collections.runs import Floats, Integers, Run
from msm.errors import BadInput
from msm.evaluation.exported import score_lines

FILE = "languages.jsonl"
DEPTHS = (1, 5, 10, 20, 100)
"""Numbers of best answers that are counted."""


class Bias(NamedTuple):
    """Shares of the languages among the best answers."""

    query_languages: list[str]
    """Languages of the questions, sorted, [Q]."""
    candidate_languages: list[str]
    """Languages of the candidates, sorted, [L]."""
    shares: Floats
    """Share of the best answers in each language, [Q, L]; each row sums to 1, or is NaN without any answer."""
    relevant: Floats
    """Share of the relevant candidates in each language, [Q, L]."""
    candidates: Floats
    """Share of all candidates in each language, [L]."""

    @property
    def own(self) -> float:
        """Mean over the languages of the share of the question's own language; NaN where it has no candidates."""
        columns = [
            self.candidate_languages.index(language) if language in self.candidate_languages else -1
            for language in self.query_languages
        ]
        if not columns or min(columns) < 0:
            return float("nan")
        return float(np.mean(self.shares[np.arange(len(columns)), columns]))


def retrieved_languages(collection: Collection, run: Run) -> dict[str, str]:
    """Return the language of every passage of a run that the collection holds. It reads the corpus once."""
    passage_ids = set(run.passage_ids.to_pylist())
    return {text.passage_id: text.language for text in collection.passages if text.passage_id in passage_ids}


def bias(
    collection: Collection, run: Run, depths: Sequence[int], languages: Mapping[str, str] | None = None
) -> dict[int, Bias]:
    """Count the languages of the best answers of a run, for several numbers of answers.

    Args:
        collection: languages of queries and passages.
        run: run on the pool of all languages.
        depths: numbers of answers of each question that are counted.
        languages: language of each passage of the run, where it is known already.

    Raises:
        BadInput: the run has a query or passage that the collection has not.
    """
    query_languages = sorted({query.language for query in collection.queries})
    candidate_languages = sorted(collection.passages.counts)
    row_of = {query.query_id: query_languages.index(query.language) for query in collection.queries}
    rows = _languages(run.query_ids.to_pylist(), row_of)
    ids = run.passage_ids.to_pylist()
    language_of = retrieved_languages(collection, run) if languages is None else languages
    column_of = {passage_id: candidate_languages.index(language) for passage_id, language in language_of.items()}
    columns = _languages(ids, column_of)
    ranks = np.arange(len(run.queries)) - np.searchsorted(run.queries, run.queries)
    shape = (len(query_languages), len(candidate_languages))
    judged_languages = collection.passages.languages
    judged_columns = np.array(
        [
            candidate_languages.index(judged_languages[text]) if text in judged_languages else -1
            for text in collection.qrels.passage_ids.to_pylist()
        ],
        np.int64,
    )
    # A relevant passage that the corpus lacks has no language.
    relevant = (collection.qrels.labels >= 1) & (judged_columns[collection.qrels.passages] >= 0)
    query_rows = np.array(list(row_of.values()), np.int64)
    perfect = _shares(
        query_rows[collection.qrels.queries[relevant]], judged_columns[collection.qrels.passages[relevant]], shape
    )
    candidates = np.array([collection.passages.counts[language] for language in candidate_languages])
    shares_by_depth = {}
    for depth in depths:
        best = ranks < depth
        shares = _shares(rows[run.queries[best]], columns[run.passages[best]], shape)
        shares_by_depth[depth] = Bias(
            query_languages, candidate_languages, shares, perfect, candidates / candidates.sum()
        )
    return shares_by_depth


def bias_rows(shares_by_depth: Mapping[int, Bias]) -> Iterator[dict[str, Any]]:
    """Yield the lines of `languages.jsonl`."""
    for depth, bias in shares_by_depth.items():
        cells = product(enumerate(bias.query_languages), enumerate(bias.candidate_languages))
        for (row, query_language), (column, candidate_language) in cells:
            values = bias.shares[row, column], bias.relevant[row, column], bias.candidates[column]
            share, relevant, candidates = (None if np.isnan(value) else float(value) for value in values)
            yield {
                "depth": depth,
                "query_language": query_language,
                "candidate_language": candidate_language,
                "share": share,
                "relevant": relevant,
                "candidates": candidates,
            }


def read_bias(folder: Path, depth: int) -> Bias:
    """Read the lines that `bias_rows` wrote of one depth.

    Args:
        folder: folder of scores, or the path that stands for it in exported results.
        depth: number of answers of each question that were counted.

    Raises:
        BadInput: there are no such lines, none of that depth, or one of another form.
    """
    lines = [row for _, row in score_lines(folder, FILE)]
    if not lines:
        raise BadInput(f"{FILE}: languages of the answers were not counted; score the run again")
    rows = [row for row in lines if row.get("depth") == depth]
    if not rows:
        raise BadInput(f"{folder}: no shares of languages at depth {depth}")
    try:
        cells = {(row["query_language"], row["candidate_language"]): row for row in rows}
        query_languages, candidate_languages = (sorted({pair[side] for pair in cells}) for side in (0, 1))
        shares, relevant = (
            np.array([[cells[q, c][name] for c in candidate_languages] for q in query_languages], np.float64)
            for name in ("share", "relevant")
        )
        candidates = np.array(
            [cells[query_languages[0], language]["candidates"] for language in candidate_languages], np.float64
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{folder}: not shares of languages: {error!r}") from error
    return Bias(query_languages, candidate_languages, shares, relevant, candidates)


def _languages(ids: list[str], numbers: dict[str, int]) -> Integers:
    for text in ids:
        if text not in numbers:
            raise BadInput(f"{text} is no query or passage of this benchmark; the run was made for another one")
    return np.array([numbers[text] for text in ids], np.int64)


def _shares(rows: Integers, columns: Integers, shape: tuple[int, int]) -> Floats:
    counts = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(shape, np.nan), where=totals > 0)
