"""Reads SQuAD JSON: paragraphs in sentences, with the questions they answer.

Sentences are those of `sentence_breaks` where the file has them (XQuAD-R, constructed worlds), else those of the
sentence splitter. Offsets count characters (code points), as in the published files. An answer at -1, which the
text does not hold word for word (CMRC), is passed over where the question has another; a question that is said to
be impossible (SQuAD 2) is left out.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msm.collections.layout import find_files
from msm.corpora.codes import said_canonical
from msm.corpora.sentences import split
from msm.errors import BadInput
from msm.files import plain_name, read_json


class Question(NamedTuple):
    """A question about a paragraph."""

    question_id: str
    text: str
    answer_sentences: list[int]
    """Indices of the sentences in which an answer starts, each once, the first answer's first; at least one."""
    answers: tuple[str, ...]
    """Answer strings, where the file has them."""

    @property
    def answer_sentence(self) -> int:
        """Index of the sentence in which the first answer starts."""
        return self.answer_sentences[0]


class Paragraph(NamedTuple):
    """A paragraph, its sentences and its questions."""

    paragraph_id: str
    """Id that follows from the paragraph's text, so that the same paragraph has it in every file."""
    title: str
    context: str
    """Whole text of the paragraph."""
    sentences: list[str]
    """Sentences without blanks around them."""
    questions: list[Question]


def language_files(folder: Path, languages: Sequence[str] = ()) -> dict[str, Path]:
    """Return language to file, in alphabetical order of languages.

    Args:
        folder: folder of `LANG.json`.
        languages: languages that are read; all that the folder has where none is named.

    Raises:
        BadInput: no such file, a language in two files, or a wanted one in none.
    """
    files: dict[str, Path] = {}
    for path in find_files(folder, "*.json"):
        language = said_canonical(plain_name(path).removesuffix(".json"), str(path))
        if language in files:
            raise BadInput(f"{path}: {language} stands in {files[language].name} too; keep one of them")
        files[language] = path
    if not files:
        raise BadInput(f"{folder}: no questions here (LANG.json, plain or compressed)")
    if absent := [language for language in languages if language not in files]:
        raise BadInput(f"{folder}: no {absent[0]}.json here; there are {', '.join(sorted(files))}")
    return {language: files[language] for language in sorted(languages or files)}


def read_squad(path: Path, language: str) -> list[Paragraph]:
    """Read all paragraphs of a file, in order.

    Args:
        path: file of SQuAD JSON; `.gz` is decompressed.
        language: language of the text, for the sentence splitter.

    Raises:
        BadInput: not JSON, or a field that is missing, empty or of the wrong type, an offset outside the text, or
            a question id that stands twice; the message names the file and the position.
    """
    paragraphs, question_ids = [], set()
    for where, title, record in _records(path):
        paragraph = _paragraph(record, title, language, where)
        paragraphs.append(paragraph)
        for question in paragraph.questions:
            if question.question_id in question_ids:
                raise BadInput(f"{where}: question id stands twice in the file: {question.question_id}")
            question_ids.add(question.question_id)
    if not question_ids:
        raise BadInput(f"{path}: no question")
    return paragraphs


def _records(path: Path) -> Iterator[tuple[str, str, Any]]:
    articles = _field(read_json(path), "data", list, f"{path}: top level")
    for number, article in enumerate(articles):
        where = f"{path}: data[{number}]"
        for paragraph_number, record in enumerate(_field(article, "paragraphs", list, where)):
            yield f"{where}.paragraphs[{paragraph_number}]", str(article.get("title", "")), record


def _paragraph(record: Any, title: str, language: str, where: str) -> Paragraph:
    context = _field(record, "context", str, where)
    bounds = _breaks(record, context, where) if "sentence_breaks" in record else _split(context, language)
    if not bounds:
        raise BadInput(f"{where}: a paragraph without a sentence")
    entries = enumerate(_field(record, "qas", list, where))
    questions = [_question(entry, len(context), bounds, f"{where}.qas[{number}]") for number, entry in entries]
    return Paragraph(
        hashlib.sha256(context.encode()).hexdigest()[:16],
        title,
        context,
        [context[start:end].strip() for start, end in bounds],
        [question for question in questions if question.answer_sentences],
    )


def _breaks(record: Any, context: str, where: str) -> list[tuple[int, int]]:
    bounds, last = [], 0
    for pair in _field(record, "sentence_breaks", list, where):
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(offset) is int for offset in pair)):
            raise BadInput(f"{where}: a sentence break must be two offsets, got {pair!r}")
        start, end = pair
        if not last <= start < end <= len(context):
            raise BadInput(f"{where}: sentence break out of order or outside the text ({len(context)}): {pair}")
        if not context[start:end].strip():
            raise BadInput(f"{where}: sentence break around blanks only: {pair}")
        bounds.append((start, end))
        last = end
    return bounds


def _split(context: str, language: str) -> list[tuple[int, int]]:
    """Return the bounds of sentences. The splitter changes blanks only, so other characters are counted."""
    positions = [position for position, character in enumerate(context) if not character.isspace()]
    bounds, count = [], 0
    for sentence in split(context, language):
        length = sum(not character.isspace() for character in sentence)
        bounds.append((positions[count], positions[count + length - 1] + 1))
        count += length
    return bounds


def _question(entry: Any, length: int, bounds: list[tuple[int, int]], where: str) -> Question:
    text = _field(entry, "question", str, where)
    if not text.strip():
        raise BadInput(f"{where}: empty question")
    question_id = _field(entry, "id", (str, int), where)
    answers = _field(entry, "answers", list, where)
    if not answers and not entry.get("is_impossible"):
        raise BadInput(f"{where}: question {question_id} has no answer")
    starts = [_field(answer, "answer_start", int, where) for answer in answers]
    offsets = [start for start in starts if start != -1] or starts
    for start in offsets:
        if not 0 <= start < length:
            raise BadInput(f"{where}: answer_start outside the text ({length}): {start}")
    sentences = dict.fromkeys(_sentence_at(start, bounds) for start in offsets)
    texts = dict.fromkeys(str(answer["text"]) for answer in answers if answer.get("text"))
    return Question(str(question_id), text.strip(), list(sentences), tuple(texts))


def _sentence_at(start: int, bounds: list[tuple[int, int]]) -> int:
    """Return the sentence that holds a character; for blanks between two, the second one."""
    return next((number for number, (_, end) in enumerate(bounds) if start < end), len(bounds) - 1)


def _field(record: Any, name: str, kind: type | tuple[type, ...], where: str) -> Any:
    if not isinstance(record, dict):
        raise BadInput(f"{where}: expected a JSON object, got {str(record)[:60]!r}")
    if name not in record:
        raise BadInput(f"{where}: no field {name!r}")
    if not isinstance(record[name], kind) or isinstance(record[name], bool):
        raise BadInput(f"{where}: field {name!r} is of the wrong type: {str(record[name])[:60]!r}")
    return record[name]
