"""Cuts text of any language into terms, for lexical search.

Letters, marks and digits make words, in lower case after Unicode's compatibility normalisation (NFKC); all else
separates them. Marks count because Indic and Thai vowels are marks. Characters that are not seen (joiners, soft
hyphens, marks of direction) are taken out, so that a word is one word with or without them; the zero-width space alone
separates. A dotted capital I is an i.

`words`: the words; scripts that put no blanks between words (Han, Kana, Thai, Lao, Khmer, Burmese) give their
overlapping pairs of characters instead, as Lucene's CJK analyzer does, because single characters are too common and
a dictionary would favour the languages that have one.
`characters`: all n-grams of 2, 3 and 4 characters within words, and words of one character.
"""

import re
import unicodedata
from collections.abc import Callable

GRAMS = (2, 3, 4)
ZERO_WIDTH_SPACE = "\u200b"
DOTTED_I = "i\u0307"
"""Dotted capital I in lower case."""

_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"
)


class _WordCharacters(dict[int, str]):
    """Table for `str.translate`: characters outside of words become blanks, decided once for each character."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        replacement = "" if category == "Cf" and character != ZERO_WIDTH_SPACE else " "
        self[code] = character if category[0] in "LMN" else replacement
        return self[code]


_WORD_CHARACTERS = _WordCharacters()


def words(text: str) -> list[str]:
    """Return the words of a text; pairs of characters where the script has no blanks."""
    return [term for word in _split(text) for part in _UNSPACED.split(word) for term in _terms(part)]


def characters(text: str) -> list[str]:
    """Return n-grams of 2 to 4 characters within words."""
    return [gram for word in _split(text) for size in GRAMS for gram in _grams(word, size)]


ANALYZERS: dict[str, Callable[[str], list[str]]] = {"words": words, "characters": characters}


def _split(text: str) -> list[str]:
    lower = unicodedata.normalize("NFKC", text).lower().replace(DOTTED_I, "i")
    return lower.translate(_WORD_CHARACTERS).split()


def _terms(part: str) -> list[str]:
    return _grams(part, 2) if _UNSPACED.match(part) else [part] * bool(part)


def _grams(word: str, size: int) -> list[str]:
    """Return all n-grams of a word; the word itself, once, where it has one character."""
    if len(word) == 1:
        return [word] if size == 2 else []
    return [word[start : start + size] for start in range(len(word) - size + 1)]
