"""Paragraphs to sentences, in any language."""

import sentencex


def split(paragraph: str, language: str) -> list[str]:
    """Its sentences in order, without the blanks around them; a line break counts as a blank.

    A language that sentencex has no rules for is split by those of the language it falls back to, in the end by
    punctuation alone; so a script without marks between sentences (Thai) may come back as one sentence.

    Args:
        paragraph: text of one paragraph.
        language: its code.
    """
    found = sentencex.segment(language.lower(), " ".join(paragraph.split()))  # pyright: ignore[reportAttributeAccessIssue]
    return [sentence.strip() for sentence in found if sentence.strip()]
