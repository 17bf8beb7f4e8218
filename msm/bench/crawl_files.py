"""Writes WARC and WET files of documents, with faults planted among them, by warcio."""

import gzip
import io
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

BOILERPLATE = "This website uses cookies to remember what you like; by reading on you agree to all of them."


BOILED = range(16, 24)
"""Numbers of the pages that get the boilerplate paragraph."""


class Page(NamedTuple):
    """One web page: a document of some paragraphs in one language."""

    language: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class PlantedFiles:
    """Pages and faults in the files that were written."""

    originals: list[Page]
    """Pages that a corpus of the files has to hold, each once."""
    faults: Counter[str]
    """Number of faults of each kind."""


def html(page: Page) -> bytes:
    """Return a page in HTML, with the navigation and footer of a website."""
    body = "".join(f"<p>{paragraph}</p>" for paragraph in page.paragraphs)
    return (
        f'<!DOCTYPE html><html lang="{page.language}"><head><meta charset="utf-8"><title>{page.language}</title></head>'
        f'<body><nav><a href="/">Home</a><a href="/a">About</a></nav><article>{body}</article>'
        f"<footer>© 2019</footer></body></html>"
    ).encode()


def record(kind: str, content: bytes, number: int) -> bytes:
    """Return a gzip member with one WARC record, a `response` with HTTP headers or a `conversion`."""
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=True)
    headers = None
    if kind == "response":
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
    address = f"http://example.org/{number}"
    writer.write_record(writer.create_warc_record(address, kind, payload=io.BytesIO(content), http_headers=headers))
    return file.getvalue()


def write_files(folder: Path, pages: Sequence[Page], strangers: Sequence[Page], seed: int) -> PlantedFiles:
    """Write four WARC and three WET files of the pages, and faults in both.

    Args:
        folder: folder that gets `warc/*.warc.gz` and `wet/*.wet.gz`.
        pages: pages of different documents.
        strangers: pages in languages that the recipe does not want.
        seed: seed of the generator that draws the positions of the faults.
    """
    rows = [("good", page) for page in pages]
    for number in BOILED:
        rows[number] = ("good", Page(pages[number].language, (*pages[number].paragraphs, BOILERPLATE)))
    later = [("duplicate", page) for page in pages[:8]]
    later += [("near_duplicate", changed(page)) for page in pages[8:16]]
    later += [("other_language", page) for page in strangers]
    later += [("empty", Page("", ()))] * 6
    later += [(kind, page) for kind in ("broken_member", "broken_length") for page in pages[24:27]]
    random.Random(seed).shuffle(later)
    _deal(folder, rows, later)
    originals = list(pages)
    originals[BOILED[0]] = rows[BOILED[0]][1]  # the first of equal paragraphs stays
    return PlantedFiles(originals, Counter([kind for kind, _ in later] + ["boilerplate"] * (len(BOILED) - 1)))


def _deal(folder: Path, rows: list[tuple[str, Page]], later: list[tuple[str, Page]]) -> None:
    """Write the originals before the faults, as the first of equal documents stays; the first half goes into WARC."""
    half = len(rows) // 2
    for kind, count, page_group in (("warc", 4, rows[:half] + later[::2]), ("wet", 3, rows[half:] + later[1::2])):
        size = -(-len(page_group) // count)
        for number in range(count):
            path = folder / kind / f"{number}.{kind}.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(members(page_group[number * size : (number + 1) * size], kind)))


def members(rows: Iterable[tuple[str, Page]], kind: str) -> Iterable[bytes]:
    """Yield the bytes of the records of a file, one gzip member each."""
    for number, (fault, page) in enumerate(rows):
        text = "\n".join(page.paragraphs).encode()
        data = record("response", html(page), number) if kind == "warc" else record("conversion", text, number)
        if fault == "broken_member":
            data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0x5A]) + data[len(data) // 2 + 1 :]
        elif fault == "broken_length":
            data = gzip.compress(gzip.decompress(data).replace(b"Content-Length: ", b"Content-Length: 9", 1))
        yield data


def changed(page: Page) -> Page:
    """Return a near duplicate of a page: some words more, and no paragraph equal to one of the page."""
    extra = [f"{paragraph} {number}x." for number, paragraph in enumerate(page.paragraphs)]
    return Page(page.language, tuple(extra))


def pages_of(documents: Iterable[tuple[str, Sequence[str]]], sentences: int = 3) -> list[Page]:
    """Return the pages of some documents.

    Args:
        documents: language and sentences of each document.
        sentences: number of sentences of a paragraph.
    """
    pages = []
    for language, texts in documents:
        joint = "" if language in ("zh", "ja") else " "
        parts = [joint.join(texts[start : start + sentences]) for start in range(0, len(texts), sentences)]
        pages.append(Page(language, tuple(parts)))
    return pages
