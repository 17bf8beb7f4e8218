"""Mewsli-X: a mention in its sentence, asked of the descriptions of 1,003,893 entities in 50 languages, in one pool.

Files of release `mewsli-x_20220518_6`: `candidate_set_entities.jsonl`, `wikinews_mentions-dev.jsonl`. Exactly one
entity is right, so the mAP@20 that XTREME-R reports equals mrr@20. The labels of XTREME-R's test are withheld; dev is
what is scored.

Source: XTREME-R, arXiv:2104.07412; google-research/dense_representations_for_entity_retrieval.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from msm.collections.collection import Collection, Pool
from msm.collections.readers.mewsli_x import entity_text, mention_text
from msm.collections.readers.trec import assemble
from msm.collections.records import Passage, Qrel, Query
from msm.errors import BadInput
from msm.files import read_json_lines

MEASURES = ("map@20",)
ENTITIES = 1003893
ENTITY_LANGUAGES = 50
MENTIONS = {
    "ar": 318,
    "de": 326,
    "en": 316,
    "es": 311,
    "fa": 72,
    "ja": 310,
    "pl": 304,
    "ro": 145,
    "ta": 312,
    "tr": 262,
    "uk": 315,
}
"""Of dev; 2,991 in all."""

T = TypeVar("T")


def read_official(folder: Path) -> Collection:
    """Mewsli-X dev on all entities.

    Raises:
        BadInput: a file is missing or malformed, or the counts are not those of the release.
    """
    queries, qrels, clusters = read_mentions(folder)
    found = Counter(query.language for query in queries)
    for language in sorted(MENTIONS | found):
        if found[language] != MENTIONS.get(language, 0):
            raise _unofficial(
                folder, f"{language} has {found[language]} mentions instead of {MENTIONS.get(language, 0)}"
            )
    collection = _collection(folder, queries, qrels, clusters)
    entities, languages = len(collection.passages), len(collection.passages.counts)
    if (entities, languages) != (ENTITIES, ENTITY_LANGUAGES):
        what = f"{entities} entities of {languages} languages instead of {ENTITIES} of {ENTITY_LANGUAGES}"
        raise _unofficial(folder, what)
    return collection


def read(folder: Path) -> Collection:
    """A pool of one's own in the same files."""
    queries, qrels, clusters = read_mentions(folder)
    return _collection(folder, queries, qrels, clusters)


def _collection(folder: Path, queries: list[Query], qrels: list[Qrel], clusters: list[str]) -> Collection:
    parts = {None: partial(read_entities, folder)}
    return assemble(queries, parts, qrels, [Pool("multilingual", None, None)], clusters)


def read_mentions(folder: Path) -> tuple[list[Query], list[Qrel], list[str]]:
    """Mentions of dev, the entities that they mean, and the news article that each mention stands in.

    Raises:
        BadInput: the file is missing or malformed.
    """
    queries, qrels, clusters = [], [], []
    for where, record in _records(folder, "wikinews_mentions-dev.jsonl"):
        mentions = record.get("mentions") or [record.get("mention")]
        for mention in mentions:
            query, entity = _field(where, _query, {"context": record.get("context"), "mention": mention})
            queries.append(query)
            qrels.append(Qrel(query.query_id, entity, 1))
            clusters.append(str(record["context"].get("document_id") or query.query_id))
    return queries, qrels, clusters


def read_entities(folder: Path) -> Iterator[Passage]:
    """All candidates, one at a time; their titles are not part of the text.

    Raises:
        BadInput: the file is missing or malformed.
    """
    for where, record in _records(folder, "candidate_set_entities.jsonl"):
        yield _field(where, _entity, record)


def _query(record: dict[str, Any]) -> tuple[Query, str]:
    mention = record["mention"]
    query = Query(str(mention["example_id"]), str(record["context"]["language"]), mention_text(record))
    return query, str(mention["entity_id"])


def _entity(record: dict[str, Any]) -> Passage:
    return Passage(str(record["entity_id"]), str(record["description_language"]), entity_text(record))


def _field(where: str, make: Callable[[dict[str, Any]], T], record: dict[str, Any]) -> T:
    try:
        return make(record)
    except (KeyError, TypeError, ValueError) as error:
        problem = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise BadInput(f"{where}: {problem}") from error


def _records(folder: Path, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    path = folder / name if (folder / name).is_file() else folder / f"{name}.gz"
    return ((f"{path}:{number}", record) for number, record in read_json_lines(path))


def _unofficial(folder: Path, what: str) -> BadInput:
    return BadInput(
        f"{folder}: not the official Mewsli-X: {what}; give a pool of your own a name of its own, such as mewsli_x:NAME"
    )
