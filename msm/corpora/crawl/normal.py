"""Text as it is kept, and as it is compared."""

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
    """The paragraphs of a text, one a line: NFC, no control characters, single blanks, none of them empty."""
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    found = (_paragraph(line) for line in text.splitlines())
    return [line for line in found if line]


def _paragraph(line: str) -> str:
    if not line.isprintable():
        line = _CONTROL.sub("", line.replace("\t", " "))
        line = _BLANKS.sub(" ", line)
    elif "  " in line:
        line = _BLANKS.sub(" ", line)
    return line.strip()


def compared(paragraph: str) -> str:
    """The paragraph as it is compared: lower case, every digit 0, without punctuation, symbols and blanks."""
    return _MARKS.sub("", _DIGITS.sub("0", paragraph.lower()))


def paragraph_hashes(paragraphs: list[str]) -> NDArray[np.uint64]:
    """64 bits of each paragraph as it is compared; of what punctuation is all there is, of that."""
    texts = (compared(paragraph) or paragraph for paragraph in paragraphs)
    return np.fromiter((xxhash.xxh3_64_intdigest(text.encode()) for text in texts), np.uint64, len(paragraphs))
