"""Splits paragraphs into sentences, in any language."""

import re
import unicodedata

import sentencex

_MARKS = {
    "km": re.compile(r"(?<=[\u17d4\u17d5])\s*"),
    "am": re.compile(r"(?<=[\u1362\u1367])\s*|(?<=::)\s+|(?<=\u1361\u1361)\s*"),
}
"""Ends of sentences that sentencex does not know: those of Khmer and, in their several spellings, of Amharic."""


def is_visible(text: str) -> bool:
    """Whether a text holds a visible character, which blanks, control characters and marks of direction are not."""
    return any(unicodedata.category(character)[0] in "LMNPS" for character in text)


def split(paragraph: str, language: str) -> list[str]:
    """Split a paragraph into its sentences, without the blanks around them. A line break counts as a blank.

    A language without rules in sentencex is split by the rules of another language, or by punctuation alone; a script
    without marks between sentences (Thai) may come back as one sentence.

    Args:
        paragraph: text of one paragraph.
        language: code of its language.
    """
    code = language.lower()
    sentences = sentencex.segment(code, " ".join(paragraph.split()))  # pyright: ignore[reportAttributeAccessIssue]
    if marks := _MARKS.get(code):
        sentences = [part for sentence in sentences for part in marks.split(sentence)]
    return [sentence.strip() for sentence in sentences if is_visible(sentence)]
