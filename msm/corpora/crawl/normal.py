"""Normalises text: one form that is kept, and one by which paragraphs are compared."""

import unicodedata

import numpy as np
import regex
import xxhash
from numpy.typing import NDArray

_BLANKS = regex.compile(r"[\s\p{Zs}]+")
_CONTROL = regex.compile(r"[\p{Cc}\p{Cs}\p{Co}\p{Cn}\ufeff\u00ad\ufffd--[\t\n]]+", regex.V1)
_DIGITS = regex.compile(r"\p{Nd}")
_MARKS = regex.compile(r"[\p{P}\p{S}\p{Z}\p{C}]+")


def paragraphs_of(text: str) -> list[str]:
    """Return the paragraphs of a text, one a line, in NFC, without control characters and repeated blanks."""
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    paragraphs = (_paragraph(line) for line in text.splitlines())
    return [line for line in paragraphs if line]


def _paragraph(line: str) -> str:
    if not line.isprintable():
        line = _CONTROL.sub("", line.replace("\t", " "))
        line = _BLANKS.sub(" ", line)
    elif "  " in line:
        line = _BLANKS.sub(" ", line)
    return line.strip()


def compared(paragraph: str) -> str:
    """Return a paragraph in the form for comparison: lower case, digits as 0, no punctuation, symbols or blanks."""
    return _MARKS.sub("", _DIGITS.sub("0", paragraph.lower()))


def paragraph_hashes(paragraphs: list[str]) -> NDArray[np.uint64]:
    """Return a hash of 64 bits of each paragraph in the form for comparison; punctuation alone is hashed as it is."""
    texts = (compared(paragraph) or paragraph for paragraph in paragraphs)
    return np.fromiter((xxhash.xxh3_64_intdigest(text.encode()) for text in texts), np.uint64, len(paragraphs))
