"""Stage `documents`: turns any source into documents of ordered sentences, one JSON Lines file a language.

A collection is one of
- a JSON Lines file (`.jsonl` or `.jsonl.gz`) of objects with `document_id`, `language`, and `sentences` (in order,
  split already) or `paragraphs` (in order, to be split);
- a folder of such files, of text files `LANGUAGE/DOCUMENT.txt`, or of both. In a text file blank lines part the
  paragraphs, and other line breaks count as blanks;
- alone, a manifest `shards.json` of documents that are packed already (`msm.corpora.shard_manifest`), which is copied.

The same `document_id` in two languages means the same document translated. No objective that is meant to work without
parallel data sees that; it decides only which documents `disjoint` and `reorder` choose.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from msm.collections.records import Document
from msm.corpora.codes import canonical, said_canonical
from msm.corpora.sentences import is_visible, split
from msm.corpora.settings import Documents
from msm.corpora.shard_manifest import MANIFEST, choose_shards
from msm.errors import BadInput, bad_line
from msm.files import NO_TEXT, open_text, plain_name, read_json_lines, within
from msm.settings import listed

LANGUAGE = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")
FEWEST_SENTENCES = 2
"""Smallest number of sentences of a document; with fewer a sentence has no neighbour to be predicted from."""


class SourceDocument(NamedTuple):
    """A document as a source holds it."""

    where: str
    """File and line of the document, for messages."""
    language: str
    document_id: str
    texts: list[str]
    is_split: bool
    """Whether the texts are sentences; else they are paragraphs."""


def run(settings: Documents, *, sources: Path, out: Path) -> dict[str, Any]:
    """Write `LANGUAGE.jsonl` for every language, with lines of `document_id`, `language` and `sentences`.

    Args:
        settings: settings of the stage. The first language, which `reorder` leaves alone, is the first listed one; with
            `all`, the first in the alphabet.
        sources: folder that holds the collections.
        out: empty folder to fill.

    Returns:
        Numbers of documents, sentences and reordered documents of every language.

    Raises:
        BadInput: a collection is missing, empty or malformed, no collection holds a language, or a document comes twice
            or has fewer than two sentences.
    """
    paths = [within(sources, item) for item in listed(settings.collections)]
    if manifests := [path for path in paths if path.name == MANIFEST]:
        return choose_shards(settings, manifests[0], out)
    ids = survey(source for path in paths for source in read(path))
    languages = chosen_languages(settings.languages, ids)
    ids_by_language = {language: _shared(ids[language], settings) for language in languages}
    if empty := [language for language in languages if not ids_by_language[language]]:
        raise BadInput(f"share: {settings.share} leaves no document to {', '.join(empty)}")
    if settings.document_overlap == "disjoint":
        ids_by_language = disjoint(ids_by_language, settings.seed)
    counts = {name: Counter(dict.fromkeys(languages, 0)) for name in ("documents", "sentences", "reordered")}
    with ExitStack() as stack:
        files = {name: stack.enter_context((out / f"{name}.jsonl").open("w", encoding="utf-8")) for name in languages}
        bar = stack.enter_context(tqdm(total=sum(map(len, ids_by_language.values())), unit="document", disable=None))
        for source in (source for path in paths for source in read(path)):
            if source.document_id not in ids_by_language.get(source.language, ()):
                continue
            document = to_document(source)
            if source.language != languages[0] and is_reordered(source.document_id, settings):
                document = reordered(document, settings.seed)
                counts["reordered"][source.language] += 1
            files[source.language].write(json.dumps(document._asdict(), ensure_ascii=False) + "\n")
            counts["documents"][source.language] += 1
            counts["sentences"][source.language] += len(document.sentences)
            bar.update()
    return {name: dict(count) for name, count in counts.items()}


def survey(sources: Iterable[SourceDocument]) -> dict[str, set[str]]:
    """Collect the ids of the documents of every language.

    Raises:
        BadInput: a document comes twice in the same language.
    """
    ids: dict[str, set[str]] = {}
    for source in sources:
        language_ids = ids.setdefault(source.language, set())
        if source.document_id in language_ids:
            raise BadInput(f"{source.where}: document {source.document_id!r} comes twice in {source.language}")
        language_ids.add(source.document_id)
    return ids


def chosen_languages(setting: str, codes: Iterable[str]) -> list[str]:
    """Return the languages to keep in the order in which the setting lists them, or all in alphabetical order.

    Raises:
        BadInput: the setting is empty, or names a language without documents.
    """
    languages = sorted(codes) if setting == "all" else list(dict.fromkeys(map(canonical, listed(setting))))
    if not languages:
        raise BadInput("languages: none given")
    if unknown_codes := [language for language in languages if language not in set(codes)]:
        raise BadInput(f"languages: no document in {', '.join(unknown_codes)}; there are {', '.join(sorted(codes))}")
    return languages


def disjoint(ids: Mapping[str, set[str]], seed: int) -> dict[str, set[str]]:
    """Give each document to one of its languages: the one with the fewest documents so far.

    Args:
        ids: ids of the documents of every language.
        seed: seed of the order in which documents are given.

    Raises:
        BadInput: a language gets no document.
    """
    order = sorted(set().union(*ids.values()))
    random.Random(seed).shuffle(order)
    shares: dict[str, set[str]] = {language: set() for language in ids}
    for document_id in order:
        holders = [language for language in ids if document_id in ids[language]]
        min((shares[language] for language in holders), key=len).add(document_id)
    if empty := [language for language in shares if not shares[language]]:
        raise BadInput(f"document_overlap: disjoint leaves no document to {', '.join(empty)}: too few documents")
    return shares


def _shared(ids: set[str], settings: Documents) -> set[str]:
    """Return the documents that the setting `share` keeps."""
    if settings.share == 1.0:
        return ids
    return {name for name in ids if random.Random(f"share {settings.seed} {name}").random() < settings.share}


def is_reordered(document_id: str, settings: Documents) -> bool:
    """Whether a document belongs to the share to shuffle, which is the same in all of its languages."""
    return random.Random(f"{settings.seed} {document_id}").random() < settings.reorder


def reordered(document: Document, seed: int) -> Document:
    """Return a document with its sentences shuffled, in a different way in each language."""
    sentences = list(document.sentences)
    random.Random(f"{seed} {document.language} {document.document_id}").shuffle(sentences)
    return document._replace(sentences=sentences)


def to_document(source: SourceDocument) -> Document:
    """Make a document of a source, and split its paragraphs into sentences.

    Raises:
        BadInput: the document has fewer than two sentences.
    """
    sentences = source.texts
    if not source.is_split:
        sentences = [sentence for text in source.texts for sentence in split(text, source.language)]
    sentences = [sentence for sentence in sentences if is_visible(sentence)]
    if (count := len(sentences)) < FEWEST_SENTENCES:
        raise BadInput(f"{source.where}: document {source.document_id!r} has {count} sentence(s), needs 2 at least")
    return Document(source.language, source.document_id, sentences)


def read(collection: Path) -> Iterator[SourceDocument]:
    """Yield the documents of a JSON Lines file, or of the files of a folder in the order of their names.

    Raises:
        BadInput: the collection is empty or malformed; the message names the file and the line.
    """
    if not collection.is_dir():
        yield from _read_json_lines(collection)
        return
    tables, texts = _files(collection, "*", ".jsonl"), _files(collection, "*/*", ".txt")
    if not tables and not texts:
        raise BadInput(f"{collection}: holds neither LANGUAGE/*.txt nor *.jsonl (plain or compressed)")
    for path in tables:
        yield from _read_json_lines(path)
    for path in texts:
        yield _read_text(path)


def _files(folder: Path, pattern: str, ending: str) -> list[Path]:
    """Files of a kind, plain or compressed; macOS leaves `._NAME` beside every file that it packs."""
    paths = sorted(folder.glob(f"{pattern}{ending}*"))
    return [path for path in paths if plain_name(path).endswith(ending) and not path.name.startswith(".")]


def document_files(folder: Path) -> list[Path]:
    """Return the files that this stage has written, one a language.

    Raises:
        BadInput: there is none, or the documents are packed already.
    """
    if (folder / MANIFEST).is_file():
        raise BadInput(f"{folder / MANIFEST}: these documents are packed already; name the tokenizer of their shards")
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise BadInput(f"{folder}: holds no LANGUAGE.jsonl; run the stage documents first")
    return paths


def read_documents(path: Path, start: int = 0, stop: int | None = None) -> Iterator[Document]:
    """Yield the documents of a file that this stage has written.

    Args:
        path: path of the file.
        start: offset in bytes of the first line to read.
        stop: offset in bytes at which reading ends; None for the end of the file.

    Raises:
        BadInput: a line is not a document.
    """
    with path.open("rb") as file:
        file.seek(start)
        while (stop is None or file.tell() < stop) and (line := file.readline()):
            try:
                document = _parse(line)
            except (ValueError, TypeError, RecursionError) as error:
                before = path.read_bytes()[: file.tell() - len(line)]
                raise bad_line(path, before.count(b"\n") + 1, f"not a document: {error}") from error
            yield document


def _parse(line: bytes) -> Document:
    document = Document(**json.loads(line))
    if not isinstance(document.sentences, list) or not all(isinstance(text, str) for text in document.sentences):
        raise TypeError("sentences must be a list of texts")
    return document


def _read_text(path: Path) -> SourceDocument:
    language = _language(path.parent.name, str(path), str(path.parent))
    with open_text(path) as file:
        try:
            paragraphs = re.split(r"\n\s*\n", file.read())
        except NO_TEXT as error:
            raise BadInput(f"{path}: {error}") from error
    return SourceDocument(str(path), language, plain_name(path).removesuffix(".txt"), paragraphs, is_split=False)


def _read_json_lines(path: Path) -> Iterator[SourceDocument]:
    empty = True
    for number, record in read_json_lines(path):
        yield _source(record, f"{path}:{number}")
        empty = False
    if empty:
        raise BadInput(f"{path}: holds no document")


def _source(record: Mapping[str, Any], where: str) -> SourceDocument:
    for field in ("document_id", "language"):
        if not isinstance(record.get(field), str) or not record[field]:
            raise BadInput(f"{where}: {field} must be a text that is not empty, got {record.get(field)!r}")
    language = _language(record["language"], where, where.rpartition(":")[0])
    kinds = [kind for kind in ("sentences", "paragraphs") if kind in record]
    if len(kinds) != 1:
        raise BadInput(f"{where}: needs either sentences or paragraphs, has {' and '.join(kinds) or 'neither'}")
    texts = record[kinds[0]]
    if not isinstance(texts, list):
        raise BadInput(f"{where}: {kinds[0]} must be a list of texts, got {texts!r:.60}")
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str) or not text.strip():
            raise BadInput(
                f"{where}: number {number} of the {kinds[0]} must be a text that is not blank, got {text!r:.60}"
            )
    return SourceDocument(where, language, record["document_id"], texts, is_split=kinds[0] == "sentences")


def _language(language: str, where: str, place: str) -> str:
    """The canonical code of a language, with one warning for each file or folder where it differs."""
    if not LANGUAGE.fullmatch(language):
        raise BadInput(f"{where}: language must be a code of letters, digits and hyphens, got {language!r}")
    return said_canonical(language, place)
