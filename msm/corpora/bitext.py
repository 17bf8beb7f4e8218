"""Reads parallel sentences: aligned documents, questions with their English, and your own bitext.

A collection is one of
- a JSON Lines file of documents with `sentences` (`documents/ntrex128.jsonl.gz`): sentence i of a document is parallel
  to sentence i of the document with the same `document_id` in another language;
- a JSON Lines file of objects with `language`, `text` and `english` (`parallel/xor_questions.jsonl.gz`);
- a folder with one sentence a line, either `LANG.txt` for every language, or Moses files as OPUS has them,
  `NAME.de-en.de` beside `NAME.de-en.en`. Any file may be compressed.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msm.corpora import documents
from msm.errors import BadInput, bad_line
from msm.files import open_text, plain_name, read_json_lines

MOSES = re.compile(r"(?P<stem>.+)\.(?P<first>[A-Za-z0-9_]+)-(?P<second>[A-Za-z0-9_]+)\.(?P<language>[A-Za-z0-9_]+)")


class TranslationPair(NamedTuple):
    """A sentence of the pivot language and its translation."""

    language: str
    """Language of the translation."""
    pivot: str
    """Sentence in the pivot language."""
    text: str
    """Its translation."""


def read_pairs(collection: Path, pivot: str) -> Iterator[TranslationPair]:
    """Yield the sentences of a collection that exist in the pivot language and in another one.

    Lines with a blank side are skipped. So are documents with different numbers of sentences in the two languages,
    because nothing tells which sentences belong together.

    Raises:
        BadInput: the collection is empty or malformed; the message names the file and the line.
    """
    if collection.is_dir():
        pairs = _folder_pairs(collection, pivot)
    elif "document_id" in _first_record(collection):
        pairs = _document_pairs(collection, pivot)
    else:
        pairs = _question_pairs(collection, pivot)
    return (pair for pair in pairs if pair.pivot and pair.text)


def read_translations(path: Path) -> Iterator[TranslationPair]:
    """Yield the pairs of a file whose lines hold `language`, `text` and `english`; the pivot is English.

    Raises:
        BadInput: a line lacks one of the three; the message names the line.
    """
    for number, row in read_json_lines(path):
        texts = [row.get(name) for name in ("language", "english", "text")]
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise bad_line(path, number, "expected texts `language`, `text` and `english`")
        yield TranslationPair(*(str(text).strip() for text in texts))


def _first_record(path: Path) -> dict[str, object]:
    for _, row in read_json_lines(path):
        return row
    raise BadInput(f"{path}: holds nothing")


def _question_pairs(path: Path, pivot: str) -> Iterator[TranslationPair]:
    for language, english, text in read_translations(path):
        if pivot == "en":
            yield TranslationPair(language, english, text)
        elif language == pivot:
            yield TranslationPair("en", text, english)


def _document_pairs(path: Path, pivot: str) -> Iterator[TranslationPair]:
    pivot_texts: dict[str, list[str]] = {}
    for source in documents.read(path):
        if not source.is_split:
            raise BadInput(f"{source.where}: paragraphs are not aligned; parallel documents need sentences")
        if source.language == pivot:
            pivot_texts[source.document_id] = source.texts
    for source in documents.read(path):
        sentences = pivot_texts.get(source.document_id, [])
        if source.language != pivot and len(source.texts) == len(sentences):
            for sentence, text in zip(sentences, source.texts, strict=True):
                yield TranslationPair(source.language, sentence.strip(), text.strip())


def _folder_pairs(folder: Path, pivot: str) -> Iterator[TranslationPair]:
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    files = {plain_name(path): path for path in paths}
    file_pairs = list(_aligned_files(files, pivot))
    if not file_pairs:
        raise BadInput(f"{folder}: holds neither LANG.txt nor NAME.A-B.A with {pivot} among the languages")
    for language, pivot_file, file in file_pairs:
        with open_text(pivot_file) as sentences, open_text(file) as texts:
            try:
                for sentence, text in zip(sentences, texts, strict=True):
                    yield TranslationPair(language, sentence.strip(), text.strip())
            except ValueError as error:
                raise BadInput(f"{file}: not aligned with {pivot_file.name}: {error}") from error


def _aligned_files(files: dict[str, Path], pivot: str) -> Iterator[tuple[str, Path, Path]]:
    """Language, file of the pivot language, file of the other language."""
    for name, path in files.items():
        stem, _, kind = name.rpartition(".")
        if kind == "txt" and stem != pivot and f"{pivot}.txt" in files:
            yield stem, files[f"{pivot}.txt"], path
        match = MOSES.fullmatch(name)
        if not match or match["language"] == pivot or pivot not in (match["first"], match["second"]):
            continue
        other = f"{match['stem']}.{match['first']}-{match['second']}.{pivot}"
        if other in files:
            yield match["language"], files[other], path
