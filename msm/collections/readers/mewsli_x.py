"""Mewsli-X: a mention in its sentence, asked of the descriptions of 1,003,893 entities in 50 languages, in one pool.

Files of release `mewsli-x_20220518_6`: `candidate_set_entities.jsonl`, `wikinews_mentions-dev.jsonl`. Exactly one
entity is right, so the mAP@20 that XTREME-R reports equals mrr@20. The labels of XTREME-R's test are withheld; dev is
what is scored.

Source: XTREME-R, arXiv:2104.07412; google-research/dense_representations_for_entity_retrieval.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from msm.collections.collection import MULTILINGUAL, Draft
from msm.collections.layout import find_file
from msm.collections.readers.mewsli_x_texts import entity_text, mention_text
from msm.collections.records import Passage, Qrel, Query
from msm.corpora.codes import said_canonical
from msm.errors import BadInput
from msm.files import read_json_lines

T = TypeVar("T")


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read the mentions of dev on all entities, in one pool.

    Raises:
        BadInput: a file is missing or malformed.
    """
    mentions = [mention for mention in read_mentions(folder) if not languages or mention.query.language in languages]
    return Draft(
        [mention.query for mention in mentions],
        [Qrel(mention.query.query_id, mention.entity, 1) for mention in mentions],
        {None: partial(read_entities, folder)},
        [MULTILINGUAL],
        clusters=[mention.article for mention in mentions],
    )


class Mention(NamedTuple):
    """A name in its sentence."""

    query: Query
    entity: str
    """Id of the entity that the name means."""
    article: str
    """Id of the news article of the sentence."""


def read_mentions(folder: Path) -> Iterator[Mention]:
    """Read the mentions of dev.

    Raises:
        BadInput: the file is missing or malformed.
    """
    for where, record in _records(folder, "wikinews_mentions-dev.jsonl"):
        for mention in record.get("mentions") or [record.get("mention")]:
            query, entity = _field(where, _query, {"context": record.get("context"), "mention": mention})
            query = query._replace(language=said_canonical(query.language, where.rpartition(":")[0]))
            yield Mention(query, entity, str(record["context"].get("document_id") or query.query_id))


def read_entities(folder: Path) -> Iterator[Passage]:
    """Yield all entities, one at a time; their titles are not part of the text.

    Raises:
        BadInput: the file is missing or malformed.
    """
    for where, record in _records(folder, "candidate_set_entities.jsonl"):
        entity = _field(where, _entity, record)
        yield entity._replace(language=said_canonical(entity.language, where.rpartition(":")[0]))


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
    path = find_file(folder, name)
    return ((f"{path}:{number}", record) for number, record in read_json_lines(path))
