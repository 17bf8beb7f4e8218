"""Runs and judgements of any system, as arrays of integers in memory; `trec_files` reads and writes them.

Shapes: Q queries, P passages, E entries of a run, J judgements, K depth.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


class Run(NamedTuple):
    """A run: the passages retrieved for each query, one entry each, by query and best first."""

    query_ids: pa.Array
    """Ids of the queries, text, [Q]."""
    passage_ids: pa.Array
    """Ids of the passages, text, [P]; each once."""
    queries: Integers
    """Index in `query_ids` of each entry, ascending, int32, [E]."""
    passages: Integers
    """Index in `passage_ids` of each entry, int32, [E]."""
    scores: Floats
    """Score of each entry, [E], float32 or float64; finite, and descending within a query."""


class Qrels(NamedTuple):
    """Judgements, each (query, passage) once; a query without any is not part of the average."""

    query_ids: pa.Array
    """Ids of the queries, text, [Q]."""
    passage_ids: pa.Array
    """Ids of the passages, text, [P]; each once."""
    queries: Integers
    """Index in `query_ids` of each judgement, [J]."""
    passages: Integers
    """Index in `passage_ids` of each judgement, [J]."""
    labels: Integers
    """Label of each judgement, [J]; 1 or more means relevant."""


def sorted_run(
    query_ids: Any, passage_ids: Any, queries: Integers, passages: Integers, scores: Floats, *, double: bool = False
) -> Run:
    """Make a run of entries in any order; entries with equal scores keep their order.

    Args:
        query_ids: ids of the queries, text, [Q].
        passage_ids: ids of the passages, text, [P].
        queries: index in `query_ids` of each entry, [E].
        passages: index in `passage_ids` of each entry, [E].
        scores: scores of the entries, [E].
        double: whether scores are kept as float64; else they become float32.
    """
    scores = scores.astype(np.float64 if double else np.float32, copy=False)
    is_same_query = queries[1:] == queries[:-1]
    if not np.all((queries[1:] > queries[:-1]) | (is_same_query & (scores[1:] <= scores[:-1]))):
        order = np.lexsort((-scores, queries))
        queries, passages, scores = queries[order], passages[order], scores[order]
    queries, passages = queries.astype(np.int32, copy=False), passages.astype(np.int32, copy=False)
    return Run(pa.array(query_ids), pa.array(passage_ids), queries, passages, scores)


def ranked_run(query_ids: Any, passage_ids: Any, passages: Integers, scores: Floats) -> Run:
    """Make a run of one ranking for each query.

    Args:
        query_ids: ids of the queries, text, [Q].
        passage_ids: ids of the passages, text, [P].
        passages: indices in `passage_ids`, best first, [Q, K]; -1 where there are fewer than K.
        scores: scores of these passages, [Q, K].
    """
    queries, columns = np.nonzero(passages >= 0)
    return sorted_run(query_ids, passage_ids, queries, passages[queries, columns], scores[queries, columns])


def without_own_ids(run: Run, depth: int | None = None) -> Run:
    """Return the run without the passages that bear the id of their query.

    Args:
        run: run of any system.
        depth: largest number of entries that are kept of a query; all where not given.
    """
    own_passages = (
        pc.call_function("index_in", [run.query_ids], pc.SetLookupOptions(run.passage_ids)).fill_null(-1).to_numpy()
    )
    is_kept = own_passages[run.queries] != run.passages
    run = run._replace(queries=run.queries[is_kept], passages=run.passages[is_kept], scores=run.scores[is_kept])
    if depth is None:
        return run
    best = np.arange(len(run.queries)) - np.searchsorted(run.queries, run.queries) < depth
    return run._replace(queries=run.queries[best], passages=run.passages[best], scores=run.scores[best])
