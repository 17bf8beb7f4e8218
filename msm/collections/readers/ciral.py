"""CIRAL in its published files: English questions on passages of African news in four languages.

`topics.ciral-v1.0-LANG-SPLIT.tsv`, `qrels.ciral-v1.0-LANG-SPLIT.tsv` and `hausa_passages.jsonl` (`somali_`,
`swahili_`, `yoruba_`; `docid`, `title`, `text`) lie anywhere below the folder. SPLIT is `dev`, `test-a` or `test-b`;
the judgements of the shared task's pools are `qrels.ciral-v1.0-LANG-test-a-pools.tsv`.

Sources: github.com/ciralproject/ciral (README of commit 0f612f5); huggingface.co/datasets/CIRAL/ciral and
ciral-corpus.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import Draft
from msm.collections.layout import find_file, find_files
from msm.collections.readers.trec import (
    QueriesWithPassages,
    judged_queries,
    read_passages,
    read_qrel_rows,
    read_topics,
    side_by_side,
)
from msm.errors import BadInput

LANGUAGES = {"ha": "hausa", "so": "somali", "sw": "swahili", "yo": "yoruba"}
ASKED_IN = "en"


def read_a(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read test set A, with the judgements of the shared task's pools.

    Args:
        folder: the files lie anywhere below it.
        languages: languages of the passages that are kept; all that the folder has where none is named.

    Raises:
        BadInput: a file is missing, malformed or there twice.
    """
    return _read(folder, languages, "test-a", "test-a-pools")


def read_b(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read test set B; see `read_a`.

    Raises:
        BadInput: a file is missing, malformed or there twice.
    """
    return _read(folder, languages, "test-b", "test-b")


def _read(folder: Path, languages: Sequence[str], split: str, judgements: str) -> Draft:
    codes = languages or [code for code in LANGUAGES if find_files(folder, _topics(code, split), deep=True)]
    if unknown_codes := [language for language in codes if language not in LANGUAGES]:
        raise BadInput(f"CIRAL has no {unknown_codes[0]!r}; it has {', '.join(LANGUAGES)}")
    if not codes:
        raise BadInput(f"{folder}: no {_topics('LANG', split)} here (plain or compressed)")
    return side_by_side({code: _part(folder, code, split, judgements) for code in codes}, asked_in=ASKED_IN)


def _topics(language: str, split: str) -> str:
    return f"topics.ciral-v1.0-{language}-{split}.tsv"


def _part(folder: Path, language: str, split: str, judgements: str) -> QueriesWithPassages:
    topics = find_file(folder, _topics(language, split), deep=True)
    qrels = read_qrel_rows(find_file(folder, f"qrels.ciral-v1.0-{language}-{judgements}.tsv", deep=True))
    passages = partial(read_passages, [find_file(folder, f"{LANGUAGES[language]}_passages.jsonl", deep=True)], language)
    return QueriesWithPassages(judged_queries(read_topics(topics, ASKED_IN), qrels, topics), passages, qrels)
