"""Extracts the text of web pages with trafilatura, in datatrove's sandbox."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import trafilatura
from datatrove.data import Document
from datatrove.pipeline.extractors.base import ExtractorSandbox
from datatrove.pipeline.extractors.trafilatura import Trafilatura

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.I)
_CHUNK = re.compile(rb"\s*([0-9a-fA-F]+)[^\r\n]*\r?\n")


def extract(pages: Iterable[Document], seconds: float, problems: Counter[str]) -> Iterator[Document]:
    """Yield pages with their text in place of their HTTP response, in order.

    Args:
        pages: documents whose `text` is an HTTP response, in bytes.
        seconds: largest number of seconds for a page.
        problems: counter of pages without text (`no_text`) and of pages that broke the extractor.
    """
    # Its own removal of duplicates depends on what the process has seen before, so on how pages are divided.
    extractor = Trafilatura(timeout=seconds, deduplicate=False)
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # pages without text are counted
    trafilatura.extract("<p></p>")  # loads its tables once, before the sandbox's processes are forked
    with ExtractorSandbox(timeout=seconds) as sandbox:
        for page in pages:
            try:
                text = sandbox.process_document(html_of(bytes(page.text)), extractor.extract)  # pyright: ignore[reportArgumentType]
            except TimeoutError:
                problems["extraction_timeout"] += 1
            except EOFError:
                problems["extraction_died"] += 1
            except Exception:
                # Markup that breaks the parser costs this page only.
                problems["extraction_error"] += 1
            else:
                if text:
                    page.text = text
                    yield page
                else:
                    problems["no_text"] += 1


def html_of(response: bytes) -> str | bytes:
    """Return the page of an HTTP response: text, or bytes where neither UTF-8 nor the named charset fits."""
    head, _, body = response.partition(b"\r\n\r\n")
    if re.search(rb"^transfer-encoding:\s*chunked", head, re.I | re.M):
        body = _joined(body)
    charset_match = _CHARSET.search(head) or _CHARSET.search(body[:2048])
    for charset in ("utf-8", charset_match[1].decode("ascii", "replace") if charset_match else ""):
        try:
            return body.decode(charset) if charset else body
        except (UnicodeDecodeError, LookupError):
            continue
    return body


def _joined(body: bytes) -> bytes:
    """Join a chunked body. A body that is not chunked, as in Common Crawl, stays as it is."""
    chunks, place = [], 0
    while size := _CHUNK.match(body, place):
        if not int(size[1], 16):
            return b"".join(chunks)
        chunks.append(body[size.end() : size.end() + int(size[1], 16)])
        place = size.end() + int(size[1], 16)
    return body
