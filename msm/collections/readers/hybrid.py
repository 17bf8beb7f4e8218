"""The layout of the hybrid-batch protocol: LAReQA's files, sentences without their paragraph.

The paper does not say what a candidate is. Its monolingual numbers fit only as many queries as there are distinct
question texts, so equal questions of a language were merged: `read_merged` does that.

Source: arXiv:2408.10536.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from msm.collections.clusters import connected
from msm.collections.collection import Draft
from msm.collections.passages import Read
from msm.collections.readers.lareqa import read_sentences
from msm.collections.readers.squad import language_files
from msm.collections.records import Passage
from msm.files import read_json


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions on sentences alone.

    Raises:
        BadInput: no or malformed files.
    """
    draft = read_sentences(folder, languages)
    return draft._replace(passages={language: partial(_alone, part) for language, part in draft.passages.items()})


def read_merged(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read a collection, and merge equal questions of a language."""
    return merge_equal_questions(read(folder, languages), written_questions(folder, languages))


def _alone(part: Read) -> Iterator[Passage]:
    return (passage._replace(context="") for passage in part())


def written_questions(folder: Path, languages: Sequence[str] = ()) -> dict[str, str]:
    """Return query id to the question as its file has it, blanks included, by which the paper counts."""
    return {
        f"{language}-{question['id']}": question["question"]
        for language, path in language_files(folder, languages).items()
        for article in read_json(path)["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    }


def merge_equal_questions(draft: Draft, texts_by_id: Mapping[str, str]) -> Draft:
    """Merge questions of one language with the same text into one, with the answers of all.

    Args:
        draft: questions and sentences.
        texts_by_id: query id to the text as its file has it.
    """
    firsts: dict[tuple[str, str], str] = {}
    first_of = {
        query.query_id: firsts.setdefault((query.language, texts_by_id[query.query_id]), query.query_id)
        for query in draft.queries
    }
    # A question that stands for two texts ties them together.
    texts = {query.query_id: text for query, text in zip(draft.queries, draft.clusters, strict=True)}
    clusters = connected((texts[first], texts[query_id]) for query_id, first in first_of.items())
    names = draft.questions or [query.query_id for query in draft.queries]
    positions = [position for position, query in enumerate(draft.queries) if first_of[query.query_id] == query.query_id]
    return draft._replace(
        queries=[draft.queries[position] for position in positions],
        questions=[names[position] for position in positions],
        clusters=[clusters[draft.clusters[position]] for position in positions],
        qrels=list(dict.fromkeys(qrel._replace(query_id=first_of[qrel.query_id]) for qrel in draft.qrels)),
    )
