"""Approximate indexes of FAISS beside the exact search: which share of the exact best they find, by language.

`hnsw`: a graph of neighbours over whole vectors. `ivf_pq`: vectors in lists around centres, each kept as the codes of
its parts, a fraction of the bytes. Both are faster on large collections and miss passages, not of all languages alike;
so what they find is shown against the exact search and never scored in its place.

Shapes: Q queries, N passages, H width, K depth.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import faiss
import numpy as np

from msm.collections.collection import Collection, Pool
from msm.collections.runs import Floats, Integers
from msm.retrieval.ranking import SHARD_PASSAGES, Ranking

INDEXES = ("hnsw", "ivf_pq")
NEIGHBOURS, BUILD_BREADTH, LEAST_BREADTH = 32, 200, 128
"""Sizes of the graph: links of a passage; candidates while it is built; least number of candidates of a search."""
TRAINING = 39
"""Number of vectors for each centre from which FAISS trains without a warning."""
CODE_BITS, PART_WIDTH = 8, 4
"""Number of bits of a code, and of dimensions that share one."""
VISITED = 1 / 16
"""Share of the lists that a query visits."""
LEAST_TRAINING, MOST_TRAINING = 2, 100_000


class Recall(NamedTuple):
    """Share of the exact best passages that an index found."""

    kind: str
    """One of `INDEXES`."""
    pool: str
    """Name of the pool that was searched."""
    depth: int
    """Number of passages of a query that are compared, K."""
    mean: float
    """Mean over the languages."""
    languages: dict[str, float]
    """Mean share of the exact best passages over the queries of each language."""
    build_seconds: float
    search_seconds: float
    passage_bytes: float
    """Number of bytes that the index keeps of a passage, links included."""


Vectors = Callable[[slice | Integers], Floats]
"""Function that gives the vectors of the passages at some positions of a collection, float32, [any, H]."""


def recalls(kind: str, collection: Collection, queries: Floats, passages: Vectors, exact: Ranking) -> Iterator[Recall]:
    """Search the pool of all languages, or without one each language's own pool, with an approximate index.

    Args:
        kind: one of `INDEXES`.
        collection: queries and passages.
        queries: vectors of all queries, float32, [Q, H].
        passages: function that gives the vectors of passages.
        exact: result of the exact search of the same vectors.
    """
    languages = np.array([passage.language for passage in collection.passages], object)
    query_languages = np.array([query.language for query in collection.queries], object)
    for pool in compared(list(exact.best)):
        positions = np.flatnonzero([pool.candidate_language in (None, language) for language in languages])
        best = exact.best[pool].passages
        rows = exact.rows[pool]
        if not best.size:
            continue
        build_start = time.perf_counter()
        index = build(kind, lambda part, positions=positions: passages(positions[part]), len(positions))
        build_end = time.perf_counter()
        spare = int(collection.rules.own_ids == "dropped")
        best_of_index = nearest(index, queries[rows], min(best.shape[1] + spare, len(positions)), positions)
        search_end = time.perf_counter()
        shares = found_shares(best, best_of_index)
        by_language = {
            str(name): float(shares[query_languages[rows] == name].mean()) for name in np.unique(query_languages[rows])
        }
        mean = float(np.mean(list(by_language.values())))
        size = stored_bytes(kind, queries.shape[1])
        yield Recall(
            kind, pool.name, best.shape[1], mean, by_language, build_end - build_start, search_end - build_end, size
        )


def compared(pools: list[Pool]) -> list[Pool]:
    """Return the pool of all languages where there is one, else the languages' own."""
    whole = [pool for pool in pools if pool.query_language is None and pool.candidate_language is None]
    return whole or [pool for pool in pools if pool.query_language == pool.candidate_language]


def build(kind: str, vectors: Callable[[slice], Floats], count: int) -> Any:
    """Return an index of passages, which are read in pieces.

    Args:
        kind: one of `INDEXES`.
        vectors: function that gives the vectors of consecutive passages.
        count: number of passages, N.
    """
    width = vectors(slice(0, 1)).shape[1]
    index: Any = faiss.index_factory(width, _description(kind, width, count), faiss.METRIC_INNER_PRODUCT)
    if kind == "hnsw":
        index.hnsw.efConstruction = BUILD_BREADTH
    elif not index.is_trained:
        step = -(-count // MOST_TRAINING)
        index.train(np.ascontiguousarray(vectors(slice(0, count, step))))
        index.nprobe = max(1, round(VISITED * index.nlist))
    for first in range(0, count, SHARD_PASSAGES):
        index.add(np.ascontiguousarray(vectors(slice(first, min(first + SHARD_PASSAGES, count)))))
    return index


def _description(kind: str, width: int, count: int) -> str:
    """Return FAISS's description of an index; small collections get fewer lists and shorter codes to train."""
    if kind == "hnsw":
        return f"HNSW{NEIGHBOURS},Flat"
    if count < LEAST_TRAINING:
        return "Flat"
    lists = max(1, min(round(4 * count**0.5), count // TRAINING))
    bits = max(1, min(CODE_BITS, (count // TRAINING).bit_length() - 1))
    return f"IVF{lists},PQ{_parts(width)}x{bits}"


def _parts(width: int) -> int:
    """Return the number of parts of a vector: the most that divide it evenly, of `PART_WIDTH` dimensions or more."""
    return max(parts for parts in range(1, max(width // PART_WIDTH, 1) + 1) if width % parts == 0)


def stored_bytes(kind: str, width: int) -> float:
    """Return the bytes that an index keeps of a passage, with the links of a graph or the number of a passage."""
    if kind == "hnsw":
        return 4 * width + 4 * 2 * NEIGHBOURS
    return _parts(width) * CODE_BITS / 8 + 8


def nearest(index: Any, queries: Floats, depth: int, positions: Integers) -> Integers:
    """Return the positions in the collection of the best passages, [Q, K]; -1 for none.

    Args:
        index: index of some passages.
        queries: vectors of the queries, [Q, H].
        depth: number of passages of each query, K.
        positions: positions in the collection of the passages of the index, [N].
    """
    if hasattr(index, "hnsw"):
        index.hnsw.efSearch = max(LEAST_BREADTH, 2 * depth)
    _, indices = index.search(np.ascontiguousarray(queries), depth)
    return np.where(indices >= 0, positions[indices], -1)


def found_shares(exact: Integers, approximate: Integers) -> Floats:
    """Return the share of each query's exact best passages that were found too, [Q].

    Args:
        exact: positions of the exact best passages, [Q, any]; -1 for none.
        approximate: positions that the index found, [Q, any]; -1 for none.
    """
    shares = [np.isin(best[best >= 0], passages).mean() for best, passages in zip(exact, approximate, strict=True)]
    return np.array(shares, np.float64)


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table: a row for each index and pool, a column for each language, in percent of the exact best."""
    languages = sorted({language for row in rows for language in row["languages"]})
    yield f"{'recall of the exact best, %':34}{'mean':>7}" + "".join(f"{language:>7}" for language in languages)
    for row in rows:
        name = f"{row['kind']}, {row['pool']}, best {row['depth']}"
        shares = (row["mean"], *(row["languages"].get(language) for language in languages))
        cells = "".join(f"{'' if share is None else f'{100 * share:.1f}':>7}" for share in shares)
        yield f"{name:34}{cells}  {row['passage_bytes']:g} bytes a passage"
