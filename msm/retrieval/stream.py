"""Encode and search in one stream: memory holds two shards of passages and the best found, whatever the corpus.

While one shard is encoded and searched, the next one is read and tokenised. What a shard adds to the best passages is
written down when it is done, so a killed run goes on with the first unfinished shard, and several processes split the
shards: each takes those of its number, and the records of all are merged.

Shapes: Q queries, H width, K depth, E entries.
"""

import hashlib
import io
import itertools
import sys
from collections.abc import Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from msm import distributed
from msm.collections.collection import Pool
from msm.collections.records import Passage, Query
from msm.collections.runs import Floats, Integers, Run, sorted_run
from msm.encoders.text_model import TextEncoder
from msm.errors import BadInput
from msm.files import new_file
from msm.retrieval.search import BestPassages, nearest

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
    """SHA-256 of ids and texts: the record of another shard is not taken for this one's."""
    tokens: list[NDArray[np.int64]]
    """Empty where it was done before."""


class Entries(NamedTuple):
    """What a shard adds to the best passages of a pool."""

    queries: Integers
    """Rows of the pool, [E]."""
    places: Integers
    """In the corpus, [E]."""
    scores: Floats


class Found:
    """The best passages of every pool, and their ids.

    Args:
        queries: Q of each pool.
        depths: K of each pool.
    """

    def __init__(self, queries: dict[Pool, int], depths: dict[Pool, int]) -> None:
        self.best = {pool: BestPassages(queries[pool], depth) for pool, depth in depths.items()}
        self.ids: dict[int, str] = {}
        """Of the places that are among the best."""

    def add(self, pool: Pool, entries: Entries) -> None:
        """Merge entries of one shard, each query's together."""
        best = self.best[pool]
        counts = np.bincount(entries.queries, minlength=len(best.passages))
        columns = np.arange(len(entries.queries)) - np.repeat(np.cumsum(counts) - counts, counts)
        shape = (len(best.passages), int(counts.max(initial=0)))
        places, scores = np.full(shape, -1), np.full(shape, -np.inf, np.float32)
        places[entries.queries, columns], scores[entries.queries, columns] = entries.places, entries.scores
        best.add(places, scores)

    def keep_ids(self, ids: dict[int, str]) -> None:
        """Take ids in, and let go of those no longer among the best."""
        known = self.ids | ids
        places = np.unique(np.concatenate([best.passages.ravel() for best in self.best.values()]))
        self.ids = {place: known[place] for place in places[places >= 0].tolist()}

    def run(self, pool: Pool, query_ids: list[str]) -> Run:
        """The run of a pool.

        Args:
            pool: whose.
            query_ids: of its queries, in their order.
        """
        best = self.best[pool]
        queries, columns = np.nonzero(best.passages >= 0)
        places, passages = np.unique(best.passages[queries, columns], return_inverse=True)
        ids = [self.ids[place] for place in places.tolist()]
        return sorted_run(query_ids, ids, queries, passages, best.scores[queries, columns])


def search(
    queries: list[Query], passages: Iterable[Passage], encoder: TextEncoder, depths: dict[Pool, int], work: Path
) -> Found:
    """The best passages of every pool.

    Args:
        queries: of all pools.
        passages: read once, in order; where a pool is of one language, those of a language together.
        encoder: texts to vectors.
        depths: passages to keep for each query, by pool.
        work: folder of the records of finished shards, one for all processes.

    Raises:
        BadInput: a vector that is not finite.
    """
    vectors = encoder.encode_queries([query.text for query in queries])
    _check(vectors, [query.query_id for query in queries])
    rows = {
        language: np.flatnonzero([language in (None, query.language) for query in queries])
        for language in {pool.query_language for pool in depths}
    }
    found = Found({pool: len(rows[pool.query_language]) for pool in depths}, depths)
    asked = {language: vectors[chosen] for language, chosen in rows.items()}
    done: set[int] = set()
    total = len(passages) if isinstance(passages, Sized) else None
    by_language = any(pool.candidate_language for pool in depths)
    with tqdm(total=total, desc="encode and search", unit=" passages", disable=distributed.rank() > 0) as progress:
        for shard in _ahead(_tokenised(passages, encoder, work, by_language)):
            record = _record_path(work, shard.number)
            if shard.tokens:
                _write_record(record, shard, *_search_shard(shard, encoder, asked, found))
            _replay(found, record)
            done.add(shard.number)
            progress.update(len(shard.ids))
    _merge_others(found, done, work)
    return found


def _merge_others(found: Found, done: set[int], work: Path) -> None:
    """Add what the other processes found."""
    distributed.barrier()
    if distributed.world_size() > 1:
        for number in itertools.count():
            record = _record_path(work, number)
            if not record.is_file():
                break
            if number not in done:
                _replay(found, record)
    distributed.barrier()


def _search_shard(
    shard: Shard, encoder: TextEncoder, asked: dict[str | None, Floats], found: Found
) -> tuple[dict[Pool, Entries], dict[int, str]]:
    """What a shard adds to the best so far, and the ids of it."""
    vectors = encoder.encode_ids(shard.tokens, "passage")
    _check(vectors, shard.ids)
    pools = [pool for pool in found.best if pool.candidate_language in (None, shard.language)]
    added = {}
    for language in {pool.query_language for pool in pools}:
        sharing = [pool for pool in pools if pool.query_language == language]
        depth = max(found.best[pool].depth for pool in sharing)
        places, scores = nearest(asked[language], vectors, depth)
        for pool in sharing:
            best = found.best[pool]
            queries, columns = np.nonzero(scores[:, : best.depth] >= best.least()[:, None])
            added[pool] = Entries(queries, places[queries, columns] + shard.first, scores[queries, columns])
    kept = np.unique(np.concatenate([entries.places for entries in added.values()])) if added else []
    return added, {int(place): shard.ids[place - shard.first] for place in kept}


def shards(passages: Iterable[Passage], size: int, by_language: bool) -> Iterator[tuple[int, list[Passage]]]:
    """Place of the first passage, and at most so many passages, of one language if asked; in the given order."""
    first = 0
    for _, same in itertools.groupby(passages, key=lambda passage: by_language and passage.language):
        while shard := list(itertools.islice(same, size)):
            yield first, shard
            first += len(shard)


def _tokenised(passages: Iterable[Passage], encoder: TextEncoder, work: Path, by_language: bool) -> Iterator[Shard]:
    """The shards of this process; one that was done before has no tokens."""
    for number, (first, texts) in enumerate(shards(passages, SHARD_PASSAGES, by_language)):
        if number % distributed.world_size() == distributed.rank():
            digest = _digest(texts)
            known = _recorded_digest(_record_path(work, number)) == digest
            tokens = [] if known else encoder.model.passage_ids(texts)
            yield Shard(number, first, texts[0].language, [text.passage_id for text in texts], digest, tokens)


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The same; the next one is made in a thread while one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _digest(passages: list[Passage]) -> str:
    digest = hashlib.sha256()
    for passage in passages:
        digest.update("\0".join(passage).encode(errors="surrogatepass") + b"\1")
    return digest.hexdigest()


def _record_path(work: Path, number: int) -> Path:
    return work / f"shard-{number:06d}.npz"


def _write_record(path: Path, shard: Shard, added: dict[Pool, Entries], ids: dict[int, str]) -> None:
    """Write what a shard adds: the checksum, then the arrays."""
    arrays: dict[str, Any] = {
        "digest": np.array(shard.digest),
        "places": np.array(list(ids), np.int64),
        "ids": np.array(list(ids.values()), str),
    }
    for pool, entries in added.items():
        arrays |= {f"{pool.name}/{field}": values for field, values in entries._asdict().items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    data = buffer.getvalue()
    with new_file(path, "wb") as file:
        file.write(hashlib.sha256(data).digest() + data)


def _read_record(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a record; None where it is missing or damaged."""
    if not path.is_file():
        return None
    data = path.read_bytes()
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        sys.stderr.write(f"{path}: damaged; its shard is encoded again\n")
        return None
    with np.load(io.BytesIO(data[32:]), allow_pickle=False) as arrays:
        return dict(arrays)


def _recorded_digest(path: Path) -> str | None:
    record = _read_record(path)
    return str(record["digest"]) if record else None


def _replay(found: Found, path: Path) -> None:
    record = _read_record(path)
    if record is None:
        raise BadInput(f"{path}: gone or damaged while the run was at work; start it again")
    for pool in found.best:
        if f"{pool.name}/queries" in record:
            found.add(pool, Entries(*(record[f"{pool.name}/{field}"] for field in Entries._fields)))
    found.keep_ids(dict(zip(record["places"].tolist(), record["ids"].tolist(), strict=True)))


def _check(vectors: Floats, ids: list[str]) -> None:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise BadInput(f"the model's vector of {ids[int(np.argmin(finite))]} is not finite; its training diverged")
