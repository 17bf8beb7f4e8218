"""Training pairs from the files people train on: SQuAD JSON, Natural Questions with QED's sentences, sentence pairs.

The positive is the sentence in which the answer starts, with its paragraph as context.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msm.artifacts import open_text, read_json_lines
from msm.corpora.squad import read_squad
from msm.errors import BadInput, bad_line
from msm.records import Example, Passage, Query


def read_examples(sources: Path, names: Sequence[str], language: str) -> list[Example]:
    """Examples of all files, in order.

    Args:
        sources: folder of the sources.
        names: files or folders below it. A folder holds `LANG.json` in SQuAD layout, or lines that belong
            together in `src-*.txt` (sentences) and `tgt-*.txt` (questions).
        language: of the questions to read from a folder with several; that of every other file.

    Raises:
        BadInput: a file is missing, malformed, of unknown kind or without an example.
    """
    examples = [example for name in names for example in _read(_find(sources, name), language)]
    if not examples:
        raise BadInput(f"{sources}: no training example in {', '.join(names) or 'nothing'}")
    return examples


def _find(sources: Path, name: str) -> Path:
    found = next((path for path in (sources / name, sources / f"{name}.gz") if path.exists()), None)
    if found is None:
        raise BadInput(f"{sources / name}: no such file among the sources")
    return found


def _read(path: Path, language: str) -> Iterator[Example]:
    kind = path.name.removesuffix(".gz")
    if path.is_dir() and (pairs := sorted(path.glob("src-*.txt*"))):
        for source in pairs:
            yield from _sentence_pairs(source, source.with_name(source.name.replace("src-", "tgt-", 1)), language)
    elif path.is_dir():
        yield from _squad(_find(path, f"{language}.json"), language)
    elif kind.endswith(".json"):
        yield from _squad(path, language)
    elif kind.endswith(".jsonl"):
        yield from _qed(path, language)
    else:
        raise BadInput(f"{path}: examples are read from .json, .jsonl and folders")


def _squad(path: Path, language: str) -> Iterator[Example]:
    for paragraph in read_squad(path, language):
        for question in paragraph.questions:
            sentence = paragraph.sentences[question.answer_sentence]
            passage_id = f"{paragraph.paragraph_id}/{question.answer_sentence}"
            passage = Passage(passage_id, language, sentence, paragraph.title, paragraph.context)
            yield Example(Query(question.question_id, language, question.text), passage, [])


def _qed(path: Path, language: str) -> Iterator[Example]:
    for number, row in read_json_lines(path):
        try:
            query = Query(str(row["example_id"]), language, row["question_text"])
            answer = _answer_start(row)
            # Some rows have an offset outside the text or no sentence offsets: nothing says which sentence answers.
            if 0 <= answer < len(row["paragraph_text"]) and row["sentence_starts"]:
                yield Example(query, _qed_passage(row, answer, language), [])
        except (KeyError, IndexError, TypeError) as error:
            raise bad_line(path, number, f"not a QED record: {error!r}") from error


def _answer_start(row: dict[str, Any]) -> int:
    """Of the first answer; the published development file nests it, the compact training file does not."""
    return row["answer_spans"][0][0] if "answer_spans" in row else row["original_nq_answers"][0][0]["start"]


def _qed_passage(row: dict[str, Any], answer: int, language: str) -> Passage:
    text, starts = row["paragraph_text"], row["sentence_starts"]
    number = max(0, bisect_right(starts, answer) - 1)
    start, end = (*starts, len(text))[number : number + 2]
    paragraph = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Passage(f"{paragraph}/{number}", language, text[start:end].strip(), str(row.get("title_text", "")), text)


def _sentence_pairs(source: Path, target: Path, language: str) -> Iterator[Example]:
    with open_text(source) as sentences, open_text(target) as questions:
        for number, (sentence, question) in enumerate(zip(sentences, questions, strict=True), start=1):
            if not sentence.strip() or not question.strip():
                raise bad_line(source if not sentence.strip() else target, number, "empty line")
            passage_id = hashlib.sha256(sentence.encode()).hexdigest()[:16]
            query = Query(f"{target.name}:{number}", language, question.strip())
            yield Example(query, Passage(passage_id, language, sentence.strip(), "", sentence.strip()), [])
