"""LAReQA's layout: `LANG.json` of SQuAD JSON, in which translations of a question share their id.

Candidates are the sentences of all paragraphs of all languages; which text stands where decides their identity, so
equal sentences stay apart. Relevant are, in each language in which the question exists, the sentence where the
answer starts, and every sentence of that paragraph with the same text. Languages are taken in alphabetical order, so
the order of the candidates is fixed.

Source: arXiv:2004.05484; github.com/google-research-datasets/lareqa.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from msm.collections.clusters import connected
from msm.collections.collection import MULTILINGUAL, Draft, Pool
from msm.collections.passages import Read
from msm.collections.readers.squad import Paragraph, language_files, read_squad
from msm.collections.records import Passage, Qrel, Query


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
