"""Encode and search in one stream: memory holds two shards of passages and the best found, whatever the corpus.

While one shard is encoded and searched, the next one is read and tokenised. What a shard adds to the best passages, and
counts for the relevant ones, is written down when it is done, so a killed run goes on with the first unfinished shard,
and several processes split the shards: each takes those of its number, and the records of all are merged. The relevant
passages themselves are encoded first, in parts of the same size.

Shapes: Q queries, H width, K depth, E entries, T relevant passages, R relevant pairs.
"""

import itertools
from collections.abc import Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from msm import distributed
from msm.collections.collection import Pool
from msm.collections.exact_ranks import COUNTS, ExactRanks
from msm.collections.records import Passage, Query
from msm.collections.runs import Floats, Integers, Run, sorted_run
from msm.encoders.encoder import Encoder, Prepared
from msm.errors import BadInput
from msm.retrieval.relevant import NO_PAIRS, RankedPairs, RelevantPairs
from msm.retrieval.search import BestPassages, Entries, search_shard
from msm.retrieval.shard_records import Arrays, digest, read_record, recorded_digest, write_record

SHARD_PASSAGES = 16384
"""Passages encoded before they are searched; bounds the memory."""

T = TypeVar("T")


class Shard(NamedTuple):
    """Consecutive passages."""

    number: int
    first: int
    """Place of its first passage in the corpus."""
    language: str
    """Of all of them, where a pool is of one language."""
    ids: list[str]
    digest: str
    texts: Prepared | None
    """The passages that are not relevant to any query, ready to encode; None where the shard was done before."""


class Ranking:
    """The best passages of every pool with their ids, and what was counted for the relevant ones.

    Args:
        queries: of all pools.
        depths: K of each pool.
        relevant: the relevant pairs.
    """

    def __init__(self, queries: list[Query], depths: dict[Pool, int], relevant: RankedPairs) -> None:
        self.queries, self.relevant = queries, relevant
        self.rows = {pool: _rows(queries, pool.query_language) for pool in depths}
        """Places of the queries of each pool among all, ascending."""
        self.best = {pool: BestPassages(len(self.rows[pool]), depth) for pool, depth in depths.items()}
        self.ids: dict[int, str] = {}
        """Of the places that are among the best."""
        self.pairs = {pool: relevant.of(pool) for pool in depths}
        self.counts = {pool: np.zeros((len(pairs), len(COUNTS)), np.int64) for pool, pairs in self.pairs.items()}
        """Of the pairs of each pool, [R, 4]."""
        self.passages = dict.fromkeys(depths, 0)
        """Passages of each pool that were searched."""

    def add(self, record: Arrays) -> None:
        """Merge what a shard found."""
        for pool in self.best:
            if f"{pool.name}/queries" in record:
                queries, places, scores = (record[f"{pool.name}/{name}"] for name in Entries._fields)
                self.best[pool].add_entries(Entries(queries, places, scores))
                self.counts[pool] += record[f"{pool.name}/counts"]
                self.passages[pool] += int(record["passages"])
        known = self.ids | dict(zip(record["places"].tolist(), record["ids"].tolist(), strict=True))
        places = np.unique(np.concatenate([best.passages.ravel() for best in self.best.values()]))
        self.ids = {place: known[place] for place in places[places >= 0].tolist()}

    def run(self, pool: Pool) -> Run:
        """The run of a pool."""
        best = self.best[pool]
        queries, columns = np.nonzero(best.passages >= 0)
        places, passages = np.unique(best.passages[queries, columns], return_inverse=True)
        ids = [self.ids[place] for place in places.tolist()]
        return sorted_run(self._query_ids(pool), ids, queries, passages, best.scores[queries, columns])

    def exact_ranks(self, pool: Pool) -> ExactRanks:
        """Where the relevant passages stand in the ranking of a whole pool."""
        chosen, pairs = self.pairs[pool], self.relevant.pairs
        return ExactRanks(
            pa.array(self._query_ids(pool), pa.string()),
            pa.array([passage.passage_id for passage in pairs.passages], pa.string()),
            np.searchsorted(self.rows[pool], pairs.queries[chosen]),
            pairs.texts[chosen],
            self.relevant.scores[chosen],
            self.counts[pool],
            self.passages[pool],
            whole=True,
        )

    def _query_ids(self, pool: Pool) -> list[str]:
        return [self.queries[place].query_id for place in self.rows[pool]]


def search(
    queries: list[Query],
    passages: Iterable[Passage],
    encoder: Encoder,
    depths: dict[Pool, int],
    work: Path,
    relevant: RelevantPairs = NO_PAIRS,
) -> Ranking:
    """The best passages of every pool, and the ranks of the relevant ones.

    Args:
        queries: of all pools.
        passages: read once, in order; where a pool is of one language, those of a language together.
        encoder: texts to vectors.
        depths: passages to keep for each query, by pool.
        work: folder of the records of finished shards, one for all processes.
        relevant: queries with their relevant passages, which are among the passages.

    Raises:
        BadInput: a vector that is not finite.
    """
    vectors = encoder.encode_queries([query.text for query in queries])
    _check(vectors, [query.query_id for query in queries])
    stream = _Stream(encoder, work, vectors, relevant, any(pool.candidate_language for pool in depths))
    ranking = Ranking(queries, depths, RankedPairs(relevant, queries, vectors, stream.relevant_vectors))
    done: set[int] = set()
    total = len(passages) if isinstance(passages, Sized) else None
    with tqdm(total=total, desc="encode and search", unit=" passages", disable=distributed.rank() > 0) as progress:
        for shard in _ahead(stream.shards(passages)):
            if shard.texts is not None:
                write_record(stream.record_path(shard.number), shard.digest, stream.search(shard, ranking))
            ranking.add(_record(stream.record_path(shard.number)))
            done.add(shard.number)
            progress.update(len(shard.ids))
    _merge_others(ranking, done, stream)
    return ranking


class _Stream:
    """Shards of one corpus, and how they are encoded and searched.

    Args:
        encoder: texts to vectors.
        work: folder of the records.
        vectors: of all queries, [Q, H].
        relevant: queries with their relevant passages; these are encoded here.
        by_language: whether a shard is of one language.
    """

    def __init__(
        self, encoder: Encoder, work: Path, vectors: Floats, relevant: RelevantPairs, by_language: bool
    ) -> None:
        self.encoder, self.work, self.vectors, self.by_language = encoder, work, vectors, by_language
        self.relevant_vectors = self._encode_relevant(relevant.passages)
        """[T, H]."""
        self._texts = {passage.passage_id: text for text, passage in enumerate(relevant.passages)}

    def record_path(self, number: int) -> Path:
        """The record of a shard."""
        return self.work / f"shard-{number:06d}.npz"

    def shards(self, passages: Iterable[Passage]) -> Iterator[Shard]:
        """The shards of this process, ready to encode."""
        for number, (first, texts) in enumerate(shards(passages, SHARD_PASSAGES, self.by_language)):
            if number % distributed.world_size() == distributed.rank():
                made_of = digest(texts)
                done = recorded_digest(self.record_path(number)) == made_of
                others = [text for text in texts if text.passage_id not in self._texts]
                ready = None if done else self.encoder.prepare_passages(others)
                yield Shard(number, first, texts[0].language, [text.passage_id for text in texts], made_of, ready)

    def search(self, shard: Shard, ranking: Ranking) -> Arrays:
        """What a shard adds to the best so far, and counts for the relevant passages, as its record."""
        vectors = self._shard_vectors(shard)
        arrays: Arrays = {"passages": np.array(len(vectors))}
        pools = [pool for pool in ranking.best if pool.candidate_language in (None, shard.language)]
        kept: list[Integers] = [np.empty(0, np.int64)]
        for language in dict.fromkeys(pool.query_language for pool in pools):
            sharing = [pool for pool in pools if pool.query_language == language]
            found = self._search_pools(shard, vectors, sharing, ranking)
            for pool, (entries, counts) in found.items():
                entries = entries._replace(places=entries.places + shard.first)
                kept.append(entries.places)
                arrays |= {f"{pool.name}/{name}": values for name, values in entries._asdict().items()}
                arrays[f"{pool.name}/counts"] = counts.astype(np.uint32)
        arrays["places"] = np.unique(np.concatenate(kept))
        arrays["ids"] = np.array([shard.ids[place - shard.first] for place in arrays["places"]], str)
        return arrays

    def _search_pools(
        self, shard: Shard, vectors: Floats, pools: list[Pool], ranking: Ranking
    ) -> dict[Pool, tuple[Entries, Integers]]:
        """Entries and counts of pools with the same queries: one product serves all of them."""
        rows = ranking.rows[pools[0]]
        pairs = np.unique(np.concatenate([ranking.pairs[pool] for pool in pools]))
        leasts = {pool: ranking.best[pool].least() for pool in pools}
        depth = max(ranking.best[pool].depth for pool in pools)
        relevant = ranking.relevant.in_shard(pairs, rows, shard.first, shard.ids) if len(pairs) else None
        least = np.min(list(leasts.values()), axis=0)
        entries, counts = search_shard(self.vectors[rows], vectors, least, depth, relevant)
        ranks = np.arange(len(entries.queries)) - np.searchsorted(entries.queries, entries.queries)
        found = {}
        for pool in pools:
            wanted = (entries.scores >= leasts[pool][entries.queries]) & (ranks < ranking.best[pool].depth)
            chosen = np.searchsorted(pairs, ranking.pairs[pool])
            found[pool] = entries.part(wanted), counts[chosen]
        return found

    def _shard_vectors(self, shard: Shard) -> Floats:
        """The vectors of its passages: those of the relevant ones stand ready."""
        texts = np.array([self._texts.get(passage_id, -1) for passage_id in shard.ids], np.int64)
        encoded = self.encoder.encode_prepared(shard.texts or [], "passage")
        vectors = np.empty((len(texts), self.vectors.shape[1]), np.float32)
        vectors[texts < 0] = encoded
        vectors[texts >= 0] = self.relevant_vectors[texts[texts >= 0]]
        _check(vectors, shard.ids)
        return vectors

    def _encode_relevant(self, passages: list[Passage]) -> Floats:
        """Vectors of the relevant passages; the processes split the parts, and each reads all."""
        parts = [passages[first : first + SHARD_PASSAGES] for first in range(0, len(passages), SHARD_PASSAGES)]
        paths = [self.work / f"relevant-{number:06d}.npz" for number in range(len(parts))]
        mine = slice(distributed.rank(), None, distributed.world_size())
        for path, part in list(zip(paths, parts, strict=True))[mine]:
            if recorded_digest(path) != (made_of := digest(part)):
                vectors = self.encoder.encode_passages(part)
                _check(vectors, [passage.passage_id for passage in part])
                write_record(path, made_of, {"vectors": vectors})
        distributed.barrier()
        empty = np.empty((0, self.vectors.shape[1]), np.float32)
        return np.concatenate([empty, *(_record(path)["vectors"] for path in paths)])


def _rows(queries: list[Query], language: str | None) -> Integers:
    return np.flatnonzero([language in (None, query.language) for query in queries])


def _merge_others(ranking: Ranking, done: set[int], stream: _Stream) -> None:
    """Add what the other processes found."""
    distributed.barrier()
    if distributed.world_size() > 1:
        for number in itertools.count():
            record = stream.record_path(number)
            if not record.is_file():
                break
            if number not in done:
                ranking.add(_record(record))
    distributed.barrier()


def _record(path: Path) -> Arrays:
    record = read_record(path)
    if record is None:
        raise BadInput(f"{path}: gone or damaged while the run was at work; start it again")
    return record


def shards(passages: Iterable[Passage], size: int, by_language: bool) -> Iterator[tuple[int, list[Passage]]]:
    """Place of the first passage, and at most so many passages, of one language if asked; in the given order."""
    first = 0
    for _, same in itertools.groupby(passages, key=lambda passage: by_language and passage.language):
        while shard := list(itertools.islice(same, size)):
            yield first, shard
            first += len(shard)


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The same; the next one is made in a thread while one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _check(vectors: Floats, ids: list[str]) -> None:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise BadInput(f"the model's vector of {ids[int(np.argmin(finite))]} is not finite; its training diverged")
