"""Turns a JSON record of a corpus into a passage, in one way for evaluation, fine-tuning, mining and export."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msm.collections.records import Passage, Query
from msm.corpora.codes import said_canonical
from msm.errors import BadInput
from msm.files import read_json_lines

IDS = ("docid", "_id", "id", "passage_id", "pid")
UNKNOWN_LANGUAGE = "und"
"""Code of a language that is not known (BCP 47)."""


def read_passage_records(path: Path, language: str = UNKNOWN_LANGUAGE) -> Iterator[Passage]:
    """Yield the passages of a JSON Lines file, one at a time.

    Raises:
        BadInput: a line that is no passage.
    """
    return (passage_of(record, language, f"{path}:{number}") for number, record in read_json_lines(path))


def passage_of(record: Mapping[str, Any], language: str, where: str) -> Passage:
    """Return the passage of a record.

    It has an id (`docid`, `_id`, `id`, `passage_id` or `pid`) and a text: `text`, with or without a `title`, or
    `contents`, which is the title, a blank line and the text, or the text alone. Where a record has both `text` and
    `contents`, `text` is read. As in the code of MSM, what stands behind a second blank line of `contents` is dropped.

    Args:
        record: the JSON object.
        language: language of its text, where the record does not say in `language` or `lang`.
        where: file and line, for the message.

    Raises:
        BadInput: no id or no text, or one that is not a text.
    """
    title, text = record.get("title"), record.get("text")
    if text is None and isinstance(record.get("contents"), str):
        title, text = split_contents(record["contents"])
    if not isinstance(text, str):
        raise BadInput(f"{where}: a passage needs `text`, or `contents`, got {_said(record, ('text', 'contents'))}")
    if not isinstance(title or "", str):
        raise BadInput(f"{where}: field 'title' must be text, got {title!r:.60}")
    return Passage(id_of(record, IDS, where), spoken(record, language, where), text.strip(), (title or "").strip())


def query_of(record: Mapping[str, Any], language: str, where: str) -> Query:
    """Return the query of a record with an id (`_id`, `query_id`, `qid`, `id`) and a `text`, `query` or `question`.

    Raises:
        BadInput: no id or no text, or one that is not a text.
    """
    names = [name for name in ("text", "query", "question") if name in record]
    text = record[names[0]] if names else None
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"{where}: field {names[0] if names else 'text'!r} must be text, got {text!r:.60}")
    return Query(id_of(record, ("_id", "query_id", "qid", "id"), where), spoken(record, language, where), text)


def split_contents(contents: str) -> tuple[str, str]:
    """Return title and text of `contents`."""
    parts = contents.split("\n\n")
    return (parts[0], parts[1]) if len(parts) > 1 else ("", contents)


def id_of(record: Mapping[str, Any], names: tuple[str, ...], where: str) -> str:
    """Return the id under the first name that the record has.

    Raises:
        BadInput: the record has no id, or one that is neither a text nor a whole number.
    """
    value = next((record[name] for name in names if name in record), None)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise BadInput(f"{where}: no id ({', '.join(names)}), got {value!r:.60}")
    return str(value)


def spoken(record: Mapping[str, Any], language: str, where: str = "") -> str:
    """Return the language that a record names in `language` or `lang`, in its canonical form, else the given one."""
    name = record.get("language") or record.get("lang")
    return said_canonical(str(name), where.rpartition(":")[0]) if name else language


def _said(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {record[name]!r:.60}" for name in names if name in record) or "neither"
