"""Paragraphs to sentences, in any language."""

import re
import unicodedata

import sentencex

_MARKS = {
    "km": re.compile(r"(?<=[\u17d4\u17d5])\s*"),
    "am": re.compile(r"(?<=[\u1362\u1367])\s*|(?<=::)\s+|(?<=\u1361\u1361)\s*"),
}
"""Ends of sentences that sentencex passes over: Khmer's and, in their several spellings, Amharic's."""


def is_visible(text: str) -> bool:
    """Whether a text holds a character that is seen: no blank, no mark of direction or width, no control character."""
    return any(unicodedata.category(character)[0] in "LMNPS" for character in text)


def split(paragraph: str, language: str) -> list[str]:
    """Its sentences in order, without the blanks around them; a line break counts as a blank.

    A language that sentencex has no rules for is split by those of the language it falls back to, in the end by
    punctuation alone; so a script without marks between sentences (Thai) may come back as one sentence.

    Args:
        paragraph: text of one paragraph.
        language: its code.
    """
    code = language.lower()
    found = sentencex.segment(code, " ".join(paragraph.split()))  # pyright: ignore[reportAttributeAccessIssue]
    if marks := _MARKS.get(code):
        found = [part for sentence in found for part in marks.split(sentence)]
    return [sentence.strip() for sentence in found if is_visible(sentence)]
