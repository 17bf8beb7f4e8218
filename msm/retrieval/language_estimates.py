"""Estimates language vectors with an encoder, from parallel sentences or from the searched passages themselves.

Texts are encoded in parts of `SHARD_PASSAGES`. Each part leaves a record of the sums of its languages; several
processes split the parts, and all add up the records in one order, so any number of them gets the same vectors.
"""

import hashlib
import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from msm import distributed
from msm.collections.collection import Collection
from msm.collections.records import Passage
from msm.collections.runs import Floats
from msm.corpora.codes import canonical
from msm.corpora.documents import read
from msm.encoders.encoder import Encoder
from msm.errors import BadInput
from msm.files import within
from msm.retrieval import stream
from msm.retrieval.inner_products import DenseVectors
from msm.retrieval.language_labels import Labels, given_labels, labels_by
from msm.retrieval.language_vectors import (
    NO_LANGUAGE_VECTORS,
    LanguageVectors,
    Means,
    language_sums,
    relative,
)
from msm.retrieval.ranking import cut_by_language
from msm.retrieval.settings import GIVEN, Retrieve
from msm.retrieval.shard_records import digest, recorded_digest, write_record
from msm.retrieval.text_vectors import check_finite

Encode = Callable[[list[Passage]], Floats]


def estimate(
    settings: Retrieve, sources: Path, collection: Collection, encoder: Encoder, work: Path
) -> LanguageVectors:
    """Return the language vectors that the settings name.

    Args:
        settings: settings of the stage.
        sources: folder that holds the parallel texts.
        collection: collection whose languages need vectors; with `own`, its passages give them.
        encoder: texts to vectors.
        work: folder of records, one for all processes.

    Raises:
        BadInput: a language without texts, texts that are not parallel, or a vector that is not finite.
    """
    kind, cosine = settings.language_vectors, encoder.similarity == "cosine"
    if kind == "none":
        return NO_LANGUAGE_VECTORS
    if (vector_kind := encoder.protocol().get("vectors", "fp32")) != "fp32":
        raise BadInput(f"language_vectors are taken off before vectors are stored as {vector_kind}; give them fp32")
    passage_languages, query_languages = set(collection.passages.counts), {text.language for text in collection.queries}
    if kind == "own":
        if silent_languages := query_languages - passage_languages:
            raise BadInput(f"language_vectors own: no passage in {_listed(silent_languages)}, which has questions")
        sample = _own_sample(settings, collection)
        labels = labels_by(settings.language_labels, passage_languages)
        means = means_of(sample, encoder.encode_passages, work, "own", labels)
        # A language that no passage of the sample is taken for has no vector, and is no guess from here on.
        return LanguageVectors(means, means, cosine, labels_by(settings.language_labels, means))
    pivot = canonical(settings.language_pivot)
    languages = passage_languages | ({pivot} if kind == "shift" else query_languages)
    texts = parallel_sentences(within(sources, settings.language_texts), languages, settings.language_sentences)
    labels = labels_by(settings.language_labels, passage_languages | query_languages)
    means = means_of(texts, encoder.encode_passages, work, "passages")
    if kind == "shift":
        return LanguageVectors(relative(means, pivot), {}, cosine, labels)
    return LanguageVectors(means, means_of(texts, _as_queries(encoder), work, "questions"), cosine, labels)


def described(settings: Retrieve) -> dict[str, str]:
    """Return the choice in the words of a protocol; empty where vectors stay as they are."""
    kind, count = settings.language_vectors, settings.language_sentences or "all"
    if kind == "none":
        return {}
    labels = Path(settings.language_labels).name
    guess = "" if labels == GIVEN else f", languages guessed by {labels}"
    if kind == "own":
        return {"language_vectors": f"own (transductive, {count} passages a language{guess})"}
    pivot = f" from {canonical(settings.language_pivot)}" if kind == "shift" else ""
    return {"language_vectors": f"{kind}{pivot} ({count} sentences of {Path(settings.language_texts).name}{guess})"}


def parallel_sentences(path: Path, languages: Iterable[str], count: int) -> list[Passage]:
    """Return the same sentences in several languages, as passages.

    Only documents that all the languages have, with as many sentences in each, are parallel.

    Args:
        path: documents that are split into sentences, in a form that the stage `documents` reads.
        languages: canonical codes.
        count: sentences of each language, from the first on; 0 for all.

    Raises:
        BadInput: a language that has no document, or no document that is parallel.
    """
    documents: dict[str, dict[str, list[str]]] = {language: {} for language in sorted(languages)}
    for source in read(path):
        if source.is_split and source.language in documents:
            documents[source.language][source.document_id] = source.texts
    if silent_languages := {language for language, texts in documents.items() if not texts}:
        raise BadInput(
            f"{path}: no sentences in {_listed(silent_languages)}, so its language vector cannot be estimated"
        )
    first, *others = documents.values()
    names = [name for name, texts in first.items() if all(len(other.get(name, ())) == len(texts) for other in others)]
    if not names:
        raise BadInput(f"{path}: no document has as many sentences in each of {_listed(documents)}")
    return [
        Passage(f"{language}-{number}", language, text)
        for language, texts in documents.items()
        for number, text in enumerate(
            itertools.islice(itertools.chain.from_iterable(texts[name] for name in names), count or None)
        )
    ]


def _own_sample(settings: Retrieve, collection: Collection) -> Iterable[Passage]:
    """Return the passages whose means `own` subtracts: of every language, or of all where it is guessed."""
    count = settings.language_sentences
    if settings.language_labels == GIVEN:
        return sampled(collection.passages, count)
    without_labels = (passage._replace(language="") for passage in collection.passages)
    return sampled(without_labels, count * len(collection.passages.counts))


def sampled(passages: Iterable[Passage], count: int) -> Iterable[Passage]:
    """Return passages of every language, those whose ids have the least SHA-256; memory holds no more than these.

    Args:
        passages: passages of any languages.
        count: most passages of a language; 0 for all, as they come.
    """
    if not count:
        return passages
    heaps: dict[str, list[tuple[int, int, Passage]]] = defaultdict(list)
    for number, passage in enumerate(passages):
        name = passage.passage_id.encode(errors="surrogatepass")
        # The heap's first has the greatest hash.
        entry = (-int.from_bytes(hashlib.sha256(name).digest()[:8]), number, passage)
        heap = heaps[passage.language]
        if len(heap) < count:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    return [passage for language in sorted(heaps) for *_, passage in sorted(heaps[language], reverse=True)]


def means_of(texts: Iterable[Passage], encode: Encode, work: Path, name: str, labels: Labels = given_labels) -> Means:
    """Return the mean vector of each language, in bounded memory.

    Args:
        texts: texts of several languages.
        encode: function from texts to vectors, [S, H].
        work: folder of records.
        name: name of the records.
        labels: function that gives the language of each text.

    Raises:
        BadInput: a vector that is not finite.
    """
    parts = 0
    for number, (_, part) in enumerate(cut_by_language(texts, stream.SHARD_PASSAGES, False)):
        parts += 1
        path = _record_path(work, name, number)
        if number % distributed.world_size() == distributed.rank() and recorded_digest(path) != digest(part):
            vectors = encode(part)
            check_finite(DenseVectors(vectors), [text.passage_id for text in part])
            languages, sums, counts = language_sums(vectors, labels(part))
            write_record(path, digest(part), {"languages": np.array(languages), "sums": sums, "counts": counts})
    distributed.barrier()
    return _added([_record_path(work, name, number) for number in range(parts)])


def _added(paths: list[Path]) -> Means:
    """The means of all parts, from their records in order."""
    sums: dict[str, Floats] = {}
    counts: dict[str, float] = {}
    for path in paths:
        record = stream.read_whole(path)
        for language, part, count in zip(record["languages"].tolist(), record["sums"], record["counts"], strict=True):
            sums[language] = sums[language] + part if language in sums else part
            counts[language] = counts.get(language, 0) + count
    return {language: total / counts[language] for language, total in sums.items()}


def _listed(languages: Iterable[str]) -> str:
    return ", ".join(language or "no language" for language in sorted(languages))


def _as_queries(encoder: Encoder) -> Encode:
    return lambda part: encoder.encode_queries([text.text for text in part])


def _record_path(work: Path, name: str, number: int) -> Path:
    return work / f"language-{name}-{number:06d}.npz"
