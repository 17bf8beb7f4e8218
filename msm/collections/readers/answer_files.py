"""Reads files of questions with their answers, and of the passages that were retrieved for them.

| benchmark | questions | predictions |
|---|---|---|
| XOR-Retrieve | JSON Lines: `id`, `answers` | JSON list: `id`, `lang`, `ctxs` (texts, best first) |
| Natural Questions | JSON Lines: `question`, `answers` or `answer`; or DPR's `nq-test.qa.csv` | JSON list: `question`, `ctxs` (texts, or objects with `text`), perhaps `answers` |
"""  # noqa: E501

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msm.collections.text_lines import read_table
from msm.corpora.codes import said_canonical
from msm.errors import BadInput, bad_line
from msm.files import plain_name, read_json, read_json_lines


class Prediction(NamedTuple):
    """Passages that were retrieved for a question."""

    question_id: str
    language: str
    passages: list[str]
    """Texts of the passages, best first."""


def read_xor_answers(path: Path) -> dict[str, list[str]]:
    """Read the answers of each question id; of an id that stands twice the last line counts, as in the official scorer.

    Raises:
        BadInput: a line without `id` or `answers`, or no line.
    """
    answers = {}
    for number, record in read_json_lines(path):
        where = f"{path}:{number}"
        answers[_text(record, "id", where)] = _texts(record, "answers", where)
    return _some(answers, path)


def read_xor_predictions(path: Path) -> list[Prediction]:
    """Predictions in the official format.

    Raises:
        BadInput: not that format, or a question twice.
    """
    predictions = []
    for where, record in _records(path):
        question = _text(record, "id", where)
        predictions.append(Prediction(question, _language(record, where), _texts(record, "ctxs", where)))
    _refuse_twice(path, [prediction.question_id for prediction in predictions])
    return predictions


def read_nq_answers(path: Path) -> dict[str, list[str]]:
    """Read the answers of each question; the second of the same text is named with `#2` behind it, and so on.

    Raises:
        BadInput: a line that is not a question with answers, or no line.
    """
    names = _Names()
    return _some({names.name(question): answers for question, answers in read_nq_rows(path)}, path)


def read_nq_rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Read questions and their answers, in order.

    Raises:
        BadInput: a line that is not a question with answers.
    """
    is_table = plain_name(path).endswith((".csv", ".tsv"))
    return _table_rows(path) if is_table else _json_rows(path)


def read_nq_predictions(path: Path) -> tuple[list[Prediction], dict[str, list[str]]]:
    """Read predictions as DPR writes them, and the answers that stand beside them.

    Raises:
        BadInput: not that format.
    """
    names, predictions, answers = _Names(), [], {}
    for where, record in _records(path):
        question = names.name(_text(record, "question", where))
        language = _language(record, where) if "lang" in record else "en"
        texts = [_passage(passage, where) for passage in _list(record, "ctxs", where)]
        predictions.append(Prediction(question, language, texts))
        if "answers" in record:
            answers[question] = _texts(record, "answers", where)
    return predictions, answers


class _Names:
    """Names for questions by their text: the second of the same text is another question."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def name(self, question: str) -> str:
        self._seen[question] += 1
        return question if self._seen[question] == 1 else f"{question}#{self._seen[question]}"


def _json_rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    for number, record in read_json_lines(path):
        where = f"{path}:{number}"
        yield _text(record, "question", where), _texts(record, "answer" if "answer" in record else "answers", where)


def _table_rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    for number, (question, answer_list) in read_table(path, 2):
        try:
            answers = ast.literal_eval(answer_list)
        except (SyntaxError, ValueError) as error:
            raise bad_line(path, number, f"answers are not a list: {answer_list[:60]}") from error
        yield question, _texts({"answers": answers}, "answers", f"{path}:{number}")


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    value = read_json(path)
    if not isinstance(value, list):
        raise BadInput(f"{path}: expected a JSON list of predictions, got {str(value)[:60]!r}")
    if not value:
        raise BadInput(f"{path}: no prediction")
    for number, record in enumerate(value):
        if not isinstance(record, dict):
            raise BadInput(f"{path}: [{number}]: expected a JSON object, got {str(record)[:60]!r}")
        yield f"{path}: [{number}]", record


def _passage(value: Any, where: str) -> str:
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise BadInput(f"{where}: a passage must be text or an object with `text`, got {str(value)[:60]!r}")
    return text


def _text(record: dict[str, Any], name: str, where: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise BadInput(f"{where}: field {name!r} must be text, got {value!r}")
    return value


def _language(record: dict[str, Any], where: str) -> str:
    return said_canonical(_text(record, "lang", where).strip(), where.partition(": [")[0])


def _list(record: dict[str, Any], name: str, where: str) -> list[Any]:
    value = record.get(name)
    if not isinstance(value, list):
        raise BadInput(f"{where}: field {name!r} must be a list, got {str(value)[:60]!r}")
    return value


def _texts(record: dict[str, Any], name: str, where: str) -> list[str]:
    values = _list(record, name, where)
    for value in values:
        if not isinstance(value, str):
            raise BadInput(f"{where}: field {name!r} must hold texts, got {str(value)[:60]!r}")
    return values


def _some(answers: dict[str, list[str]], path: Path) -> dict[str, list[str]]:
    if not answers:
        raise BadInput(f"{path}: no question")
    return answers


def _refuse_twice(path: Path, ids: list[str]) -> None:
    for question, times in Counter(ids).items():
        if times > 1:
            raise BadInput(f"{path}: question {question} stands {times} times")
