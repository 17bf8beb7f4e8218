"""Stage `lexical`: BM25 on the questions and candidates of a benchmark.

BM25 as Lucene has it (idf = log(1 + (N - n + 0.5) / (n + 0.5))), by bm25s; every pool has an index of its own, so
that its statistics are those of the passages that are ranked. A passage that shares no term with the question is
not retrieved, so a question may have fewer passages than the depth, or none.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from msm.collections.collection import Collection, Pool
from msm.collections.exact_ranks import COUNTS, ExactRanks, write_exact_ranks
from msm.collections.records import Passage
from msm.collections.registry import find_benchmark
from msm.collections.run_folder import pool_depth, ranks_file, write_pool, write_protocol
from msm.collections.runs import Floats, Integers
from msm.files import within
from msm.retrieval.analyzers import ANALYZERS
from msm.retrieval.relevant import RelevantPairs, relevant_pairs
from msm.retrieval.settings import Lexical

Terms = NDArray[np.int32]
"""Numbers of the terms of a text, in order, with repetitions."""


class Vocabulary:
    """Numbers for terms, given in order of appearance; each text is analysed once.

    Args:
        analyzer: name in `ANALYZERS`.
    """

    def __init__(self, analyzer: str) -> None:
        self._analyze = ANALYZERS[analyzer]
        self._numbers: dict[str, int] = {}
        self._texts: dict[str, Terms] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def terms(self, text: str) -> Terms:
        """Return the numbers of the terms of a text."""
        if text not in self._texts:
            numbers = [self._numbers.setdefault(term, len(self._numbers)) for term in self._analyze(text)]
            self._texts[text] = np.array(numbers, dtype=np.int32)
        return self._texts[text]


def run(settings: Lexical, *, sources: Path, out: Path) -> dict[str, Any]:
    """Write a run for every pool of a benchmark.

    Args:
        settings: settings of the stage.
        sources: folder that holds the folder of questions.
        out: empty folder to fill.

    Returns:
        Counts for the manifest.

    Raises:
        BadInput: malformed questions.
    """
    benchmark = find_benchmark(settings.benchmark)
    collection = benchmark.read(within(sources, settings.questions))
    depths = {pool: pool_depth(benchmark, pool, settings.depth, settings.pool_depth) for pool in collection.pools}
    relevant = relevant_pairs(collection)
    vocabulary = Vocabulary(settings.analyzer)
    context = settings.passage_context
    context = collection.rules.passage_context if context == "benchmark" else context
    passages = [_terms(passage, vocabulary, context) for passage in collection.passages]
    queries = [vocabulary.terms(query.text) for query in collection.queries]
    for pool, depth in tqdm(depths.items(), desc="BM25", unit=" pools", disable=None):
        candidates = np.array(collection.pool_passages(pool))
        query_terms = [queries[position] for position in collection.pool_queries(pool)]
        pairs = PoolPairs(collection, pool, relevant)
        passage_terms = [passages[position] for position in candidates]
        positions, scores = search(query_terms, passage_terms, settings.k1, settings.b, depth + collection.spare, pairs)
        best = np.where(positions >= 0, candidates[positions], -1)
        write_pool(out, collection, pool, best, scores, f"bm25-{settings.analyzer}")
        if not collection.answers:
            write_exact_ranks(ranks_file(out, pool), pairs.exact_ranks())
    write_protocol(out, {"analyzer": settings.analyzer, "k1": settings.k1, "b": settings.b, "passage_context": context})
    return {"queries": len(queries), "passages": len(passages), "terms": len(vocabulary)}


def _terms(passage: Passage, vocabulary: Vocabulary, context: str) -> Terms:
    """The terms of what is searched of a passage."""
    around = {"paragraph": passage.context, "title_text": passage.title}.get(context, "")
    terms = vocabulary.terms(passage.text)
    return np.concatenate([vocabulary.terms(around), terms]) if around else terms


class PoolPairs:
    """Relevant passages of a pool's queries, and their ranks by BM25 where they share a term with their query.

    Args:
        collection: queries, passages and pools.
        pool: pool that is searched.
        relevant: relevant pairs of the collection.
    """

    def __init__(self, collection: Collection, pool: Pool, relevant: RelevantPairs) -> None:
        queries, candidates = collection.pool_queries(pool), collection.pool_passages(pool)
        positions = relevant.positions[relevant.texts] - candidates.start
        inside = np.isin(relevant.queries, queries) & (positions >= 0) & (positions < len(candidates))
        self._query_ids = [collection.queries[position].query_id for position in queries]
        self._ids = [passage.passage_id for passage in collection.passages.of(pool.candidate_language)]
        self._rows = np.searchsorted(np.array(queries, np.int64), relevant.queries[inside])
        self._places = positions[inside]
        self._id_ranks = np.argsort(np.argsort(np.array(self._ids, object), kind="stable"))
        self._scores = np.zeros(len(self._rows), np.float32)
        self._counts = np.zeros((len(self._rows), len(COUNTS)), np.int64)
        position_of = dict(zip(self._ids, range(len(self._ids)), strict=True)) if collection.spare else {}
        self._own = [position_of.get(query_id) for query_id in self._query_ids]

    def count(self, row: int, values: Floats) -> None:
        """Count the scores of all passages for one query; a passage that is dropped for its id gets 0.

        Args:
            row: index of the query in the pool.
            values: score of each passage, 0 where it shares no term with the query, [N].
        """
        if self._own[row] is not None:
            values[self._own[row]] = 0
        for pair in range(*np.searchsorted(self._rows, (row, row + 1)).tolist()):
            position = self._places[pair]
            is_equal = values == values[position]
            is_equal[position] = False
            by_id = is_equal & (self._id_ranks > self._id_ranks[position])
            counts = (values > values[position], is_equal, by_id, is_equal[:position])
            self._scores[pair] = values[position]
            self._counts[pair] = [np.count_nonzero(which) for which in counts]

    def exact_ranks(self) -> ExactRanks:
        """Return the ranks of the relevant passages that share a term with their query; the others have none."""
        is_ranked = self._scores > 0
        positions, passages = np.unique(self._places[is_ranked], return_inverse=True)
        return ExactRanks(
            pa.array(self._query_ids, pa.string()),
            pa.array([self._ids[position] for position in positions], pa.string()),
            self._rows[is_ranked],
            passages,
            self._scores[is_ranked],
            self._counts[is_ranked],
            len(self._ids),
            whole=False,
        )


def search(
    queries: list[Terms], passages: list[Terms], k1: float, b: float, depth: int, relevant: PoolPairs | None = None
) -> tuple[Integers, Floats]:
    """Return the passages that share terms with each query, best first.

    Args:
        queries: terms of each query; a term counts as often as it occurs.
        passages: terms of each passage.
        k1: saturation of the term frequency.
        b: share of the length normalisation.
        depth: most passages for each query.
        relevant: relevant pairs whose ranks are counted from the scores of all passages; None for none.

    Returns:
        Positions and scores, both [queries, depth]; equal scores in order of position; -1 and minus infinity for none.
    """
    positions = np.full((len(queries), depth), -1, dtype=np.int64)
    scores = np.full((len(queries), depth), -np.inf, dtype=np.float32)
    for row, values in enumerate(_scores(queries, passages, k1, b)):
        if relevant:
            relevant.count(row, values)
        best = _best(values, depth)
        positions[row, : len(best)], scores[row, : len(best)] = best, values[best]
    return positions, scores


def _scores(queries: list[Terms], passages: list[Terms], k1: float, b: float) -> Iterator[Floats]:
    """Yield BM25 of all passages for one query after the other, 0 where no term is shared."""
    # The index must know no term that its passages have not, so they are numbered anew.
    terms, numbers = np.unique(np.concatenate(passages), return_inverse=True)
    new_numbers = np.full(max(int(text.max(initial=0)) for text in [*queries, terms]) + 1, -1)
    new_numbers[terms] = np.arange(len(terms))
    bounds = np.cumsum([len(passage) for passage in passages])
    texts = [part.tolist() for part in np.split(numbers, bounds[:-1])]
    index = bm25s.BM25(k1=k1, b=b, method="lucene")
    index.index((texts, dict(enumerate(range(len(terms))))), create_empty_token=False, show_progress=False)
    for query in queries:
        query_numbers = new_numbers[query]
        yield index.get_scores_from_ids(query_numbers[query_numbers >= 0].tolist())


def _best(scores: Floats, depth: int) -> Integers:
    """Return the indices of the greatest scores above 0, best first, equal ones in ascending order."""
    positions = np.flatnonzero(scores > 0)
    if len(positions) > depth:
        least = np.partition(scores[positions], -depth)[-depth]
        positions = positions[scores[positions] >= least]
    return positions[np.argsort(-scores[positions], kind="stable")[:depth]]
