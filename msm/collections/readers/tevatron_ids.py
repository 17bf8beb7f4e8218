"""Tevatron 2's data: questions with the ids of their passages, beside the corpus that holds the texts.

Records of questions have `query_id`, `query_text` (or `query`), `positive_document_ids` and `negative_document_ids`;
those of the corpus `docid`, `text` and perhaps `title`. They are JSON Lines, a JSON list or Parquet, in any number of
files anywhere below the folder; a file is of the corpus where its name, or that of its folder, holds `corpus`.

Source: github.com/texttron/tevatron, src/tevatron/retriever/dataset.py at commit 0a9626f.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msm.collections.collection import MULTILINGUAL, Draft
from msm.collections.layout import find_files, refuse_same_names
from msm.collections.readers.passage_records import UNKNOWN_LANGUAGE, id_of, passage_of, spoken
from msm.collections.records import Passage, Qrel, Query
from msm.collections.rows import ENDINGS, read_rows
from msm.errors import BadInput
from msm.files import plain_name

POSITIVES, NEGATIVES = "positive_document_ids", "negative_document_ids"


def holds(folder: Path) -> bool:
    """Return whether a folder has data of this form."""
    corpus, question_files = _files(folder)
    return bool(corpus and question_files) and any(
        POSITIVES in row for _, row in [next(read_rows(question_files[0]), ("", {}))]
    )


def read(folder: Path, languages: Sequence[str] = (), language: str = UNKNOWN_LANGUAGE) -> Draft:
    """Read questions on the corpus; a positive is relevant, a negative is judged not to be.

    Args:
        folder: folder of the files.
        languages: languages of the questions that are kept; all where none is named.
        language: language of the texts that do not say theirs.

    Raises:
        BadInput: a record of another form, or one file twice.
    """
    corpus, question_files = _files(folder)
    refuse_same_names([*corpus, *question_files])
    queries: dict[str, Query] = {}
    qrels: dict[Qrel, None] = {}
    for where, row in (row for path in question_files for row in read_rows(path)):
        query = _query(row, language, where)
        if not languages or query.language in languages:
            queries.setdefault(query.query_id, query)
            for kind, label in ((POSITIVES, 1), (NEGATIVES, 0)):
                qrels |= {Qrel(query.query_id, name, label): None for name in _ids(row, kind, where)}
    return Draft(list(queries.values()), list(qrels), {None: partial(_passages, corpus, language)}, [MULTILINGUAL])


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of the corpus, and the others."""
    files = find_files(folder, *(f"*{ending}" for ending in ENDINGS), deep=True)
    corpus = [path for path in files if "corpus" in path.parent.name or "corpus" in plain_name(path)]
    return corpus, [path for path in files if path not in corpus]


def _passages(corpus: Sequence[Path], language: str) -> Iterator[Passage]:
    return (passage_of(row, language, where) for path in corpus for where, row in read_rows(path))


def _query(row: dict[str, Any], language: str, where: str) -> Query:
    text = row.get("query_text") or row.get("query")
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"{where}: field 'query_text' must be text, got {text!r:.60}")
    return Query(id_of(row, ("query_id",), where), spoken(row, language, where), text)


def _ids(row: dict[str, Any], name: str, where: str) -> list[str]:
    values = row.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str | int) for value in values):
        raise BadInput(f"{where}: field {name!r} must hold ids, got {values!r:.60}")
    return [str(value) for value in values]
