"""Reads files of every kind as documents, through datatrove. Records that cannot be read are counted, not raised."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.readers.base import BaseDiskReader

from msm.corpora.crawl.settings import Input
from msm.corpora.crawl.streams import Mark, lines
from msm.corpora.crawl.warc import BrokenRecord, LongRecord, Record, records
from msm.corpora.languages import code_of
from msm.errors import BadInput
from msm.files import parse_json

_WIKI = re.compile(r'<doc id="([^"]*)"')
PAGES = ("text/html", "application/xhtml+xml")


class Reader(BaseDiskReader):
    """Reader of the files of one input; `read_file` yields the documents of one file.

    The text of a `warc` page is its HTTP response, in bytes; `msm.corpora.crawl.extraction` makes text of it. Elsewhere
    it is paragraphs, one a line. `metadata["language"]` is what the input says, or empty.
    """

    name = "documents"

    def __init__(self, source: Input, longest: int, number: int = 0) -> None:
        """Read an input.

        Args:
            source: address and format of the input.
            longest: largest number of bytes of a record; longer records are skipped.
            number: number of the input, in the ids of its documents.
        """
        super().__init__(source.address, glob_pattern=source.files, add_file_path=False)
        self.source, self.longest, self.number = source, longest, number
        self.problems: Counter[str] = Counter()
        """Number of records that were lost so far, by reason."""

    def names(self) -> list[str]:
        """Return the names of all files of the input, sorted.

        Raises:
            BadInput: there are no files.
        """
        if self.source.files.startswith("@"):
            with self.data_folder.open(self.source.files[1:], "rt", compression="infer") as file:
                names = [line.strip() for line in file if line.strip()]
        else:
            names = self.data_folder.list_files(glob_pattern=self.source.files, recursive=True)
        if not names:
            raise BadInput(f"{self.source.address}: no file there is named {self.source.files}")
        return sorted(names)

    def read_file(self, filepath: str) -> Iterator[Document]:
        """Yield the documents of a file, in order."""
        is_compressed = filepath.endswith(".gz")
        with self.data_folder.open(filepath, "rb", compression=None if is_compressed else "infer") as file:
            for place, (text, language) in enumerate(_FORMATS[self.source.format](self, file, filepath, is_compressed)):
                if text is None:
                    continue
                code = code_of(self.source.language or language)
                yield Document(text=text, id=f"{self.number}/{filepath}#{place}", metadata={"language": code})

    def _lines(self, file: Any, is_compressed: bool) -> Iterator[str | None]:
        """Lines of text; None stands for lost lines."""
        for line in lines(file, is_compressed, self.longest):
            if isinstance(line, Mark):
                self.problems["too_long" if line is Mark.TOO_LONG else "broken_member"] += 1
                yield None
                continue
            try:
                yield line.decode("utf-8").rstrip("\r")
            except UnicodeDecodeError:
                self.problems["not_utf8"] += 1
                yield None

    def _records(self, file: Any, is_compressed: bool, kind: str) -> Iterator[Record]:
        for record in records(file, is_compressed, self.longest):
            if isinstance(record, BrokenRecord):
                self.problems["broken_record"] += 1
            elif isinstance(record, LongRecord):
                self.problems["too_long"] += 1
            elif record.kind == kind:
                yield record


Rows = Iterator[tuple[Any, str]]
"""Texts (bytes of a web page; None for a lost record) with the language that the file or record names."""


def _warc(reader: Reader, file: Any, path: str, is_compressed: bool) -> Rows:
    for record in reader._records(file, is_compressed, "response"):
        kind = record.headers.get("warc-identified-payload-type")
        if kind is not None and kind not in PAGES:
            reader.problems["not_a_page"] += 1
            yield None, ""
        else:
            yield record.content, ""


def _wet(reader: Reader, file: Any, path: str, is_compressed: bool) -> Rows:
    for record in reader._records(file, is_compressed, "conversion"):
        try:
            yield record.content.decode("utf-8"), ""
        except UnicodeDecodeError:
            reader.problems["not_utf8"] += 1
            yield None, ""


class _Paragraphs:
    """The paragraphs of a document that comes line by line; one that is longer than a record may be is lost."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.lines: list[str] = []
        self.size = 0
        self.is_lost = False

    def add(self, line: str) -> None:
        if self.is_lost:
            return
        self.lines.append(line)
        self.size += len(line) + 1
        if self.size > self.reader.longest:
            self.reader.problems["too_long"] += 1
            self.lose()

    def lose(self) -> None:
        self.lines, self.is_lost = [], True

    def text(self, first: int = 0) -> str | None:
        """The document from one of its lines on; None where it is lost."""
        return None if self.is_lost else "\n".join(self.lines[first:])


def _text(reader: Reader, file: Any, path: str, is_compressed: bool) -> Rows:
    """Files with a paragraph a line and a blank line between documents, whose names begin with the language."""
    language = re.split(r"[._]", PurePosixPath(path).name)[0]
    document = _Paragraphs(reader)
    for line in reader._lines(file, is_compressed):
        if line is None:
            document.lose()
        elif line.strip():
            document.add(line)
        elif document.lines or document.is_lost:
            yield document.text(), language
            document = _Paragraphs(reader)
    if document.lines:
        yield document.text(), language


def _jsonl(reader: Reader, file: Any, path: str, is_compressed: bool) -> Rows:
    """Objects with `text`, `paragraphs` or `sentences`, and `language` or `lang` where they give it."""
    for line in reader._lines(file, is_compressed):
        if line is None or not line.strip():
            continue
        try:
            row = parse_json(line, path)
            text = row["text"] if "text" in row else "\n".join(row.get("paragraphs") or row["sentences"])
            yield text.encode("utf-8", "strict").decode(), str(row.get("language") or row.get("lang") or "")
        except (ValueError, TypeError, KeyError, AttributeError):
            reader.problems["broken_line"] += 1
            yield None, ""


def _wiki(reader: Reader, file: Any, path: str, is_compressed: bool) -> Rows:
    """Files of wikiextractor: JSON Lines, or `<doc id=...>`, title, text, `</doc>`."""
    document: _Paragraphs | None = None
    for line in reader._lines(file, is_compressed):
        if line is None:
            document = None
        elif document is None and line.startswith("{"):
            yield from _jsonl_line(reader, line)
        elif _WIKI.match(line):
            document = _Paragraphs(reader)
        elif line.startswith("</doc>") and document is not None:
            yield document.text(1), ""  # the first line is the title
            document = None
        elif document is not None and line.strip():
            document.add(line)


def _jsonl_line(reader: Reader, line: str) -> Rows:
    try:
        yield str(parse_json(line, "a line")["text"]), ""
    except (ValueError, KeyError, TypeError):
        reader.problems["broken_line"] += 1


def _folder(reader: Reader, file: Any, path: str, is_compressed: bool) -> Rows:
    """Files `LANGUAGE/DOCUMENT.txt`: blank lines separate paragraphs, other line breaks count as blanks."""
    document = _Paragraphs(reader)
    for line in reader._lines(file, is_compressed):
        if line is None:
            document.lose()
        else:
            document.add(line)
    text, language = document.text(), PurePosixPath(path).parent.name
    if text is not None:
        text = "\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    yield text, language


_FORMATS: dict[str, Callable[[Reader, Any, str, bool], Rows]] = {
    "warc": _warc,
    "wet": _wet,
    "text": _text,
    "jsonl": _jsonl,
    "wiki": _wiki,
    "folder": _folder,
}
