"""Questions and passages that exist in several languages: a question is right with its passage in every language."""

from collections.abc import Mapping
from typing import NamedTuple

from msm.collections.collection import MULTILINGUAL, Draft, Pool
from msm.collections.passages import Read
from msm.collections.question_clusters import connected
from msm.collections.records import Passage, Qrel, Query


class SideQuestion(NamedTuple):
    """A question in one language."""

    question: str
    """Id of the question, the same in every language."""
    text: str
    passage_id: str
    """Id of the passage of its own language that answers it."""


class Side(NamedTuple):
    """One language of a parallel collection."""

    questions: list[SideQuestion]
    passages: dict[str, Passage]
    """Passages of the language, by id."""


def own_pools(sides: Mapping[str, Side]) -> list[Pool]:
    """Return the pools of the questions of each language on its own passages."""
    return [Pool(f"pool.{language}", language, language) for language in sides]


def cross_pools(sides: Mapping[str, Side]) -> list[Pool]:
    """Return the pools of the questions of all languages on the passages of each one."""
    return [Pool(f"pool.{language}", None, language) for language in sides]


def monolingual_draft(sides: Mapping[str, Side]) -> Draft:
    """Return the questions of each language on its own passages alone."""
    return _draft(sides, own_pools(sides), {})


def parallel_draft(sides: Mapping[str, Side], pools: list[Pool]) -> Draft:
    """Return all questions on the passages of all languages in one pool, and in more pools.

    Args:
        sides: one side for each language, in the order of the passages.
        pools: pools beside the pool of all languages.
    """
    answers: dict[str, list[str]] = {}
    for question in (question for side in sides.values() for question in side.questions):
        answers.setdefault(question.question, []).append(question.passage_id)
    return _draft(sides, [MULTILINGUAL, *pools], answers)


def _draft(sides: Mapping[str, Side], pools: list[Pool], answers: Mapping[str, list[str]]) -> Draft:
    """Return a draft in which `answers` or, where it names none, its own passage is right for a question."""
    questions = [question for side in sides.values() for question in side.questions]
    queries = [
        Query(f"{language}-{question.question}", language, question.text)
        for language, side in sides.items()
        for question in side.questions
    ]
    qrels = [
        Qrel(query.query_id, passage_id, 1)
        for query, question in zip(queries, questions, strict=True)
        for passage_id in answers.get(question.question, [question.passage_id])
    ]
    parts: dict[str | None, Read] = {language: side.passages.values for language, side in sides.items()}
    # Translations of a question share its name, so they lie in one cluster, and their passages with them.
    clusters = connected((f"passage {question.passage_id}", question.question) for question in questions)
    names = [question.question for question in questions]
    return Draft(queries, qrels, parts, pools, names, clusters=[clusters[name] for name in names])
