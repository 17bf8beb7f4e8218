"""LAReQA: a question in any language, its answer sentences in all languages, in one pool.

Candidates are the sentences of all paragraphs of all languages; which text stands where decides their identity, so
equal sentences stay apart. Relevant are, in each language in which the question exists, the sentence where the
answer starts, and every sentence of that paragraph with the same text. The official measure is map@20 on the pool
of all languages (the XTREME-R scorer divides by min(relevant, 20); with 11 relevant that is trec_eval's map_cut).
The same questions are asked of the candidates of one language too: their own (monolingual) and each other
(cross-lingual).

A pool of one's own has the same layout, a file `LANG.json` of SQuAD JSON for each language in which translations of
a question share their id. Languages are taken in alphabetical order, so the order of the candidates is fixed.

Source: arXiv:2004.05484; github.com/google-research-datasets/lareqa; XTREME-R, arXiv:2104.07412.
"""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from msm.collections.clusters import connected
from msm.collections.collection import Collection, Pool
from msm.collections.passages import Passages, Read
from msm.collections.readers.squad import Paragraph, read_squad
from msm.collections.records import Passage, Query
from msm.collections.runs import Qrels
from msm.errors import BadInput

MEASURES = ("map@20",)

OFFICIAL_QUESTIONS = 1190
"""In each language."""
OFFICIAL_CANDIDATES = {
    "ar": 1222,
    "de": 1276,
    "el": 1234,
    "en": 1180,
    "es": 1215,
    "hi": 1244,
    "ru": 1219,
    "th": 852,
    "tr": 1167,
    "vi": 1209,
    "zh": 1196,
}
"""Sentences of each language; 13,014 in all."""


def read_official(folder: Path) -> Collection:
    """XQuAD-R as published.

    Args:
        folder: with `LANG.json` or `LANG.json.gz` of the 11 languages.

    Raises:
        BadInput: a file is malformed, or the counts are not those of the published data.
    """
    collection = read(folder)
    expected = {language: (OFFICIAL_QUESTIONS, count) for language, count in OFFICIAL_CANDIDATES.items()}
    found = collection.sizes()
    for language in sorted(expected | found):
        if found.get(language, (0, 0)) != expected.get(language, (0, 0)):
            raise BadInput(
                f"{folder}: not the official XQuAD-R: {language} has (questions, sentences) "
                f"{found.get(language, (0, 0))} instead of {expected.get(language, (0, 0))}; "
                "give a benchmark of your own a name of its own"
            )
    return collection


def read(folder: Path) -> Collection:
    """A pool of one's own in the layout of XQuAD-R.

    Args:
        folder: with `LANG.json` or `LANG.json.gz` of at least one language.

    Raises:
        BadInput: no or malformed files.
    """
    paragraphs = {language: read_squad(path, language) for language, path in language_files(folder).items()}
    queries, questions = _queries(paragraphs)
    parts: dict[str | None, Read] = {
        language: partial(_passages, language, texts) for language, texts in paragraphs.items()
    }
    places = {passage.passage_id: place for place, passage in enumerate(chain(*(read() for read in parts.values())))}
    answers = _answers(paragraphs)
    pairs = [(query, places[answer]) for query, question in enumerate(questions) for answer in answers[question]]
    asked, answering = np.array(pairs, dtype=np.int64).T
    query_ids = pa.array([query.query_id for query in queries])
    qrels = Qrels(query_ids, pa.array(places), asked, answering, np.ones(len(pairs), np.int64))
    pools = [Pool("multilingual", None, None), *(Pool(f"pool.{language}", None, language) for language in paragraphs)]
    clusters = _clusters(paragraphs)
    return Collection(
        queries, questions, Passages(parts, places), qrels, pools, clusters=[clusters[text] for text in questions]
    )


def language_files(folder: Path) -> dict[str, Path]:
    """Language to file, in alphabetical order of languages."""
    files: dict[str, Path] = {}
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.json.gz")]):
        language = path.name.split(".json")[0]
        if language in files:
            raise BadInput(f"{path}: {language} stands in {files[language].name} too")
        files[language] = path
    if not files:
        raise BadInput(f"{folder}: no questions here (LANG.json or LANG.json.gz)")
    return dict(sorted(files.items()))


def _queries(paragraphs: dict[str, list[Paragraph]]) -> tuple[list[Query], list[str]]:
    """Every question in every language, and its id without the language."""
    asked = [
        (language, question)
        for language, texts in paragraphs.items()
        for paragraph in texts
        for question in paragraph.questions
    ]
    queries = [Query(f"{language}-{question.question_id}", language, question.text) for language, question in asked]
    return queries, [question.question_id for _, question in asked]


def _clusters(paragraphs: dict[str, list[Paragraph]]) -> dict[str, str]:
    """Question id to the paragraph that it is about; translations of a question share theirs."""
    return connected(
        (f"{language} paragraph {number}", question.question_id)
        for language, texts in paragraphs.items()
        for number, paragraph in enumerate(texts)
        for question in paragraph.questions
    )


def _passages(language: str, paragraphs: list[Paragraph]) -> Iterator[Passage]:
    for number, paragraph in enumerate(paragraphs):
        for place, sentence in enumerate(paragraph.sentences):
            yield Passage(_passage_id(language, number, place), language, sentence, paragraph.title, paragraph.context)


def _answers(paragraphs: dict[str, list[Paragraph]]) -> dict[str, list[str]]:
    """Question id to the candidates that answer it, in all languages."""
    answers: dict[str, list[str]] = {}
    for language, texts in paragraphs.items():
        for number, paragraph in enumerate(texts):
            for question in paragraph.questions:
                right = {paragraph.sentences[place] for place in question.answer_sentences}
                places = [place for place, sentence in enumerate(paragraph.sentences) if sentence in right]
                found = [_passage_id(language, number, place) for place in places]
                answers.setdefault(question.question_id, []).extend(found)
    return answers


def _passage_id(language: str, paragraph: int, sentence: int) -> str:
    return f"{language}-{paragraph}-{sentence}"
