"""LAReQA's layout: `LANG.json` of SQuAD JSON, in which translations of a question share their id.

Candidates are the sentences of all paragraphs of all languages; which text stands where decides their identity, so
equal sentences stay apart. Relevant are, in each language in which the question exists, the sentence where the
answer starts, and every sentence of that paragraph with the same text. Languages are taken in alphabetical order, so
the order of the candidates is fixed.

The protocol of hybrid batches takes the sentences without their paragraph. Its paper does not say what a candidate is,
but its monolingual numbers fit only as many queries as there are distinct question texts, so equal questions of a
language were merged: `read_merged` does that.

Sources: arXiv:2004.05484; github.com/google-research-datasets/lareqa; arXiv:2408.10536.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import MULTILINGUAL, Draft, Pool
from msm.collections.passages import Read
from msm.collections.question_clusters import connected
from msm.collections.readers.squad import Paragraph, language_files, read_squad
from msm.collections.records import Passage, Qrel, Query
from msm.files import read_json


def read_sentences(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions on sentences, each with the paragraph around it.

    Args:
        folder: folder with `LANG.json` of at least one language.
        languages: languages that are read; all that the folder has where none is named.

    Raises:
        BadInput: no or malformed files.
    """
    files = language_files(folder, languages)
    paragraphs = {language: read_squad(path, language) for language, path in files.items()}
    answers = _answers(paragraphs)
    queries, questions, qrels = [], [], []
    for language, texts in paragraphs.items():
        for question in (question for paragraph in texts for question in paragraph.questions):
            query = Query(f"{language}-{question.question_id}", language, question.text)
            queries.append(query)
            questions.append(question.question_id)
            qrels += [Qrel(query.query_id, answer, 1) for answer in answers[question.question_id]]
    parts: dict[str | None, Read] = {
        language: partial(_passages, language, texts) for language, texts in paragraphs.items()
    }
    pools = [MULTILINGUAL, *(Pool(f"pool.{language}", None, language) for language in paragraphs)]
    clusters = _clusters(paragraphs)
    return Draft(queries, qrels, parts, pools, questions, clusters=[clusters[text] for text in questions])


def _clusters(paragraphs: dict[str, list[Paragraph]]) -> dict[str, str]:
    """Return question id to the paragraph that it is about; translations of a question share theirs."""
    return connected(
        (f"{language} paragraph {number}", question.question_id)
        for language, texts in paragraphs.items()
        for number, paragraph in enumerate(texts)
        for question in paragraph.questions
    )


def _passages(language: str, paragraphs: list[Paragraph]) -> Iterator[Passage]:
    for number, paragraph in enumerate(paragraphs):
        for position, sentence in enumerate(paragraph.sentences):
            yield Passage(
                _passage_id(language, number, position), language, sentence, paragraph.title, paragraph.context
            )


def _answers(paragraphs: dict[str, list[Paragraph]]) -> dict[str, list[str]]:
    """Return question id to the passages that answer it, in all languages."""
    answers: dict[str, list[str]] = {}
    for language, texts in paragraphs.items():
        for number, paragraph in enumerate(texts):
            for question in paragraph.questions:
                right = {paragraph.sentences[position] for position in question.answer_sentences}
                positions = [position for position, sentence in enumerate(paragraph.sentences) if sentence in right]
                passage_ids = [_passage_id(language, number, position) for position in positions]
                answers.setdefault(question.question_id, []).extend(passage_ids)
    return answers


def _passage_id(language: str, paragraph: int, sentence: int) -> str:
    return f"{language}-{paragraph}-{sentence}"


def read_alone(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions on sentences alone.

    Raises:
        BadInput: no or malformed files.
    """
    draft = read_sentences(folder, languages)
    return draft._replace(passages={language: partial(_alone, part) for language, part in draft.passages.items()})


def read_merged(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read a collection, and merge equal questions of a language."""
    return merge_equal_questions(read_alone(folder, languages), written_questions(folder, languages))


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
