"""Texts of Mewsli-X: a mention in its sentence, an entity's description. One spelling for training and evaluation.

Source: the preparation functions published with XTREME-R, described in its words: one sentence of context, the
mention in braces, its surface form in front so that no truncation loses it.
"""

import re
from typing import Any

BRACES = re.compile(r"\{(.*?)\}")


def mention_text(record: dict[str, Any]) -> str:
    """Return the query of a record with `context` and `mention`.

    Args:
        record: line of the mention files, or `contextual_mention` of a training pair.

    Raises:
        ValueError: the mention lies in no sentence, or is not where its offsets say.
        KeyError: a field is missing.
    """
    text, span = record["context"]["text"], record["mention"]["mention_span"]
    start, end = span["start"], span["end"]
    surface = text[start:end]
    if surface != span["text"]:
        raise ValueError(f"mention {span['text']!r} is not at {start}-{end}")
    sentences = [(sentence["start"], sentence["end"]) for sentence in record["context"]["sentence_spans"]]
    bounds = next(((low, high) for low, high in sentences if low <= start and end <= high), None)
    if bounds is None:
        raise ValueError(f"mention {surface!r} at {start}-{end} lies in no sentence")
    before, after = (BRACES.sub(r"(\1)", part) for part in (text[bounds[0] : start], text[end : bounds[1]]))
    return _tidy(f"{surface}: {before} {{ {surface} }} {after}")


def entity_text(record: dict[str, Any]) -> str:
    """Return the passage of an entity: the sentences of its description.

    Args:
        record: line of the file of entities, or `entity` of a training pair.

    Raises:
        KeyError: a field is missing.
    """
    description = record["description"]
    return _tidy(" ".join(description[span["start"] : span["end"]] for span in record["sentence_spans"]))


def _tidy(text: str) -> str:
    """Return a text with line ends as blanks, two blanks as one in a single pass, and none around it."""
    return " ".join(text.splitlines()).replace("  ", " ").strip()
