"""Encodes and searches in one stream: memory holds two shards, the relevant passages, and the best so far.

While one shard is encoded and searched, the next one is read and tokenised. What a shard adds to the best passages, and
counts for the relevant ones, is written down when it is done, so a killed run goes on with the first unfinished shard,
and several processes split the shards: each takes those of its number, and the records of all are merged. The relevant
passages themselves are encoded first, in parts of the same size.

Shapes: Q queries, K depth, E entries, T relevant passages, R relevant pairs.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from msm import distributed
from msm.collections.collection import OwnIds, Pool
from msm.collections.records import Passage, Query
from msm.collections.runs import Floats
from msm.encoders.encoder import Encoder
from msm.encoders.other_encoder import OtherEncoder
from msm.errors import BadInput
from msm.execution import Part
from msm.progress import Progress, progress
from msm.retrieval.inner_products import DenseVectors
from msm.retrieval.language_vectors import NO_LANGUAGE_VECTORS, LanguageVectors, take_off
from msm.retrieval.pieces import Pieces, encode_in_pieces, encode_questions
from msm.retrieval.ranking import SHARD_PASSAGES, Ranking, cut_by_language
from msm.retrieval.relevant import NO_PAIRS, RelevantPairs
from msm.retrieval.shard_records import digest, read_record, recorded_digest, write_record
from msm.retrieval.text_vectors import Arrays, TextVectors, check_finite
from msm.retrieval.vector_kinds import restored

WHOLE = Part(0, 1)

T = TypeVar("T")


class PassageShard(NamedTuple):
    """Consecutive passages."""

    number: int
    first: int
    """Position of its first passage in the corpus."""
    language: str
    """Language of all passages, where a pool has one language."""
    ids: list[str]
    digest: str
    others: list[Passage]
    """Passages that are not relevant to any query."""
    texts: Any
    """These passages, ready to encode; None where the shard was done before."""


def search(
    queries: list[Query],
    passages: Iterable[Passage],
    encoder: Encoder | OtherEncoder,
    depths: dict[Pool, int],
    work: Path,
    relevant: RelevantPairs = NO_PAIRS,
    own_ids: OwnIds = "kept",
    *,
    part: Part = WHOLE,
    language_vectors: LanguageVectors = NO_LANGUAGE_VECTORS,
) -> Ranking:
    """Return the best passages of every pool, and the ranks of the relevant ones.

    Args:
        queries: queries of all pools.
        passages: read once, in order; where a pool is of one language, those of a language together.
        encoder: encoder of texts.
        depths: number of passages to keep for each query, by pool.
        work: folder of the records of finished shards, one for all processes.
        relevant: queries with their relevant passages, which are among the passages.
        own_ids: whether a passage may be retrieved for a query that bears its id.
        part: the share of the shards that is searched; the ranking is of these alone then, and their records serve a
            search of the whole in the same folder.
        language_vectors: taken off the vectors before they are searched.

    Raises:
        BadInput: a vector that is not finite.
    """
    with progress(len(queries), "encode questions", "questions", visible=not distributed.rank()) as bar:
        vectors = encode_questions(encoder, [query.text for query in queries], bar)
    check_finite(vectors, [query.query_id for query in queries])
    vectors = _without(vectors, queries, language_vectors.queries, language_vectors)
    by_language = any(pool.candidate_language for pool in depths)
    stream = _Stream(encoder, vectors, work, relevant, by_language, part, language_vectors)
    ranking = Ranking(queries, vectors, depths, relevant, stream.relevant_vectors, own_ids)
    shard_numbers: set[int] = set()
    total = len(passages) if isinstance(passages, Sized) else None
    with progress(total, "encode and search", "passages", visible=not distributed.rank()) as bar:
        for shard in _ahead(stream.shards(passages)):
            if shard.texts is not None:
                record = ranking.search(shard.first, shard.language, shard.ids, stream.vectors(shard, bar))
                write_record(stream.record_path(shard.number), shard.digest, record)
            ranking.add(read_whole(stream.record_path(shard.number)))
            shard_numbers.add(shard.number)
            bar.update(len(shard.ids) - (0 if shard.texts is None else len(shard.texts)))
    if part == WHOLE:
        _merge_others(ranking, shard_numbers, stream)
    return ranking


class _Stream:
    """Shards of one corpus, and how they are encoded.

    Args:
        encoder: encoder of texts.
        queries: vectors of the same kind.
        work: folder of the records.
        relevant: queries with their relevant passages; these are encoded here.
        by_language: whether a shard is of one language.
        part: share of the shards that is searched.
        language_vectors: language vectors that are subtracted from the vectors of passages.
    """

    def __init__(
        self,
        encoder: Encoder | OtherEncoder,
        queries: TextVectors,
        work: Path,
        relevant: RelevantPairs,
        by_language: bool,
        part: Part,
        language_vectors: LanguageVectors,
    ) -> None:
        self.encoder, self.work, self.by_language = encoder, work, by_language
        self.shard_passages = max(SHARD_PASSAGES // encoder.bulk, 1)
        self.language_vectors = language_vectors
        self.own = part.number * distributed.world_size() + distributed.rank()
        """Number of this process among all processes of all parts."""
        self.processes = part.parts * distributed.world_size()
        vectors_of_texts = queries[:0].joined(self._encode_relevant(relevant.passages))
        self.relevant_vectors = self._without_languages(vectors_of_texts, relevant.passages)
        """Vectors of the relevant passages, T of them."""
        self._texts = {passage.passage_id: text for text, passage in enumerate(relevant.passages)}

    def record_path(self, number: int) -> Path:
        """Return the file of the record of a shard."""
        return self.work / f"shard-{number:06d}.npz"

    def shards(self, passages: Iterable[Passage]) -> Iterator[PassageShard]:
        """Yield the shards of this process, ready to encode."""
        for number, (first, texts) in enumerate(cut_by_language(passages, self.shard_passages, self.by_language)):
            if number % self.processes == self.own:
                made_of = digest(texts)
                is_done = recorded_digest(self.record_path(number)) == made_of
                other_passages = [text for text in texts if text.passage_id not in self._texts]
                ready = None if is_done else self.encoder.prepare_passages(other_passages) if other_passages else []
                ids = [text.passage_id for text in texts]
                yield PassageShard(number, first, texts[0].language, ids, made_of, other_passages, ready)

    def vectors(self, shard: PassageShard, bar: Progress) -> TextVectors:
        """Return the vectors of its passages; those of the relevant ones exist already."""
        texts = np.array([self._texts.get(passage_id, -1) for passage_id in shard.ids], np.int64)
        pieces = Pieces(self.work, f"shard-{shard.number:06d}", shard.digest)
        if shard.texts:
            vectors_of_texts = encode_in_pieces(self.encoder, shard.texts, pieces, bar)
        else:
            vectors_of_texts = self.relevant_vectors[:0]
        other_rows, relevant_rows = np.flatnonzero(texts < 0), np.flatnonzero(texts >= 0)
        vectors = self._without_languages(vectors_of_texts, shard.others)
        if len(relevant_rows):
            back = np.argsort(np.concatenate([other_rows, relevant_rows]))
            vectors = vectors.joined([self.relevant_vectors[texts[relevant_rows]]])[back]
        check_finite(vectors, shard.ids)
        return vectors

    def _without_languages(self, vectors: TextVectors, passages: list[Passage]) -> TextVectors:
        return _without(vectors, passages, self.language_vectors.passages, self.language_vectors)

    def _encode_relevant(self, passages: list[Passage]) -> list[TextVectors]:
        """Return vectors of the relevant passages; the processes split the parts, and each reads all."""
        size = self.shard_passages
        parts = [passages[first : first + size] for first in range(0, len(passages), size)]
        paths = [self.work / f"relevant-{number:06d}.npz" for number in range(len(parts))]
        mine = slice(distributed.rank(), None, distributed.world_size())
        for path, part in list(zip(paths, parts, strict=True))[mine]:
            if recorded_digest(path) != (made_of := digest(part)):
                texts = self.encoder.prepare_passages(part)
                with progress(len(part), "encode relevant passages", "passages", visible=not distributed.rank()) as bar:
                    vectors = encode_in_pieces(self.encoder, texts, Pieces(self.work, path.stem, made_of), bar)
                check_finite(vectors, [passage.passage_id for passage in part])
                write_record(path, made_of, vectors.arrays())
        distributed.barrier()
        return [restored(read_whole(path)) for path in paths]


def _without(
    vectors: TextVectors,
    texts: Sequence[Query | Passage],
    means: Mapping[str, Floats],
    language_vectors: LanguageVectors,
) -> TextVectors:
    """Vectors without those of their languages, which only one vector a text can have."""
    if not means:
        return vectors
    return DenseVectors(
        take_off(cast(DenseVectors, vectors).values, language_vectors.labels(texts), means, language_vectors.cosine)
    )


def _merge_others(ranking: Ranking, shard_numbers: set[int], stream: _Stream) -> None:
    """Add what the other processes found."""
    distributed.barrier()
    if distributed.world_size() > 1:
        for number in itertools.count():
            record = stream.record_path(number)
            if not record.is_file():
                break
            if number not in shard_numbers:
                ranking.add(read_whole(record))
    distributed.barrier()


def read_whole(path: Path) -> Arrays:
    """Return the arrays of a record that was written before.

    Raises:
        BadInput: the record is missing or damaged.
    """
    record = read_record(path)
    if record is None:
        raise BadInput(f"{path}: gone or damaged while the run was at work; start it again")
    return record


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items; the next one is made in a thread while one is used."""
    with ThreadPoolExecutor(1) as thread:
        next_item = thread.submit(next, items, None)
        while (item := next_item.result()) is not None:
            next_item = thread.submit(next, items, None)
            yield item
