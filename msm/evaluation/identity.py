"""Writes `collection.json` beside the scores: checksums of the questions, candidates and judgements.

Two numbers may be compared only where all three agree, whatever the benchmark is called. A checksum does not depend
on the order of the queries or judgements; that of the candidates does, because equal scores may stand in their order.

| name | of |
|---|---|
| `questions` | id, language and text of every query, and the question it asks; and the pools |
| `candidates` | id, language, title and text of every passage, in order |
| `qrels` | every judgement, or the answers where passages are matched with answers |
| `rules` | the rules of scoring themselves, as the benchmark's protocol says them |
"""

import hashlib
from collections.abc import Iterable

from msm.collections.bitext import Bitext
from msm.collections.collection import Collection

FILE = "collection.json"
NAMES = ("questions", "candidates", "qrels")


def checksums(collection: Collection) -> dict[str, str]:
    """Return the checksum of each part of a collection."""
    questions = (tuple(query) for query in collection.queries)
    rows = ((*query, question) for query, question in zip(questions, collection.questions, strict=True))
    pools = (tuple(map(str, pool)) for pool in collection.pools)
    return {
        "questions": _digest([*sorted(rows), *pools]),
        "candidates": collection.passages.digest,
        "qrels": _digest(sorted([*_judgements(collection), *_answers(collection)])),
    }


def bitext_checksums(pairs: Iterable[Bitext]) -> dict[str, str]:
    """Return the checksums of bitext: sources, targets with distractors, and the pairs that are aligned by line."""
    sources, targets, names = [], [], []
    for bitext in pairs:
        sources.append((bitext.name, *bitext.sources))
        targets.append((bitext.name, *bitext.targets, *bitext.distractors))
        names.append((bitext.name, str(len(bitext.sources))))
    return dict(zip(NAMES, map(_digest, (sources, targets, names)), strict=True))


def _judgements(collection: Collection) -> Iterable[tuple[str, ...]]:
    qrels = collection.qrels
    queries, passages = qrels.query_ids.to_pylist(), qrels.passage_ids.to_pylist()
    rows = zip(qrels.queries.tolist(), qrels.passages.tolist(), qrels.labels.tolist(), strict=True)
    return ((queries[query], passages[passage], str(label)) for query, passage, label in rows)


def _answers(collection: Collection) -> Iterable[tuple[str, ...]]:
    return ((query_id, *answers) for query_id, answers in collection.answers.items())


def _digest(rows: Iterable[tuple[str, ...]]) -> str:
    """SHA-256 of texts that no other rows have."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update("\0".join(row).encode(errors="surrogatepass") + b"\1")
    return digest.hexdigest()
